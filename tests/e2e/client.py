"""A shop at a running service, over HTTP alone: it sets up a program, is clicked, sells, refunds.

Stripe's events are signed by Stripe's own library. Several addresses are taken in turn.
"""

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

from tests.contract import stripe_objects as objects
from tests.service import Service, clean_environment

ADMIN_KEY = "first-key-" * 4
SECRET_KEYS = "secret-key-" * 4
WEBHOOK_SECRET = "whsec_0123456789abcdef"
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
GIVEN = {"FINDERFEE_BOOTSTRAP_API_KEY": ADMIN_KEY, "FINDERFEE_SECRET_KEYS": SECRET_KEYS}
"""What the service is told, so that tests know its keys."""
DECIDED_S = 10.0

Json = dict[str, Any]


@dataclass(frozen=True)
class Partner:
    id: str
    code: str


class UnavailableError(Exception):
    """The answer was a 503 that says when to try again: nothing is promised."""


@dataclass
class Shop:
    """A workspace with one program and one Stripe source. started: Stripe's clock in this test."""

    urls: Sequence[str]
    key: str
    http: httpx.Client
    program: str = ""
    source: str = ""
    started: int = field(default_factory=lambda: int(time.time()))

    def __post_init__(self) -> None:
        self._turns = cycle(self.urls)

    def ask(self, method: str, path: str, body: Any = None, status: int = 200) -> Any:
        headers = {"Authorization": f"Bearer {self.key}"}
        answer = self._request(method, f"/v1{path}", json=body, headers=headers)
        assert answer.status_code == status, answer.text
        return answer.json()

    def get(self, path: str) -> Any:
        return self.ask("GET", path)

    def post(self, path: str, body: Any, status: int = 200) -> Any:
        return self.ask("POST", path, body, status)

    def partner(self, name: str = "Ana") -> Partner:
        made = self.post(
            "/partners",
            {"program_id": self.program, "name": name, "email": f"{name.lower()}@example.com"},
            201,
        )
        return Partner(made["id"], made["default_link"]["code"])

    def click(self, partner: Partner) -> str:
        """Open the link as a browser does; gives the token that the site is handed."""
        answer = self._request("GET", f"/r/{partner.code}", headers={"User-Agent": BROWSER})
        assert answer.status_code == 302, answer.text
        assert answer.headers["cache-control"] == "no-store"
        location = urlsplit(answer.headers["location"])
        assert (location.scheme, location.netloc) == ("https", "shop.example.com")
        (token,) = parse_qs(location.query)["click_id"]
        return token

    def send(self, event: Json) -> Json:
        """Post one of Stripe's events, signed now; the acknowledgement."""
        body = objects.encoded(event)
        headers = objects.signed(body, WEBHOOK_SECRET, int(time.time()))
        answer = self._request("POST", f"/v1/webhooks/{self.source}", content=body, headers=headers)
        assert answer.status_code == 200, answer.text
        acknowledged: Json = answer.json()
        return acknowledged

    def tell(self, kind: str, thing: Json, *, at: int = 0) -> Json:
        """Send an event that arose `at` seconds after the test's start; the event, decided."""
        event = objects.event(kind, thing, created=self.started + at)
        return self.decided(self.send(event)["event_id"])

    def decided(self, event_id: str) -> Json:
        found: list[Json] = []

        def is_decided() -> bool:
            found[:] = [self.get(f"/events/{event_id}")]
            return bool(found[0]["state"] != "received")

        until(is_decided, f"{event_id} was not decided")
        return found[0]

    def settled(self) -> None:
        """Wait until nothing waits to be decided."""
        until(lambda: not self.get("/events?state=received")["data"], "the inbox is not empty")

    def balance(self, partner: Partner, currency: str = "usd") -> dict[str, int]:
        """What the partner has, without what is zero."""
        rows = self.get(f"/partners/{partner.id}/balance")["data"]
        return {
            role: amount
            for row in rows
            if row["currency"] == currency
            for role, amount in row.items()
            if role != "currency" and amount
        }

    def commission(self, partner: Partner) -> Json:
        """The partner's only commission, whole."""
        (found,) = self.get(f"/commissions?partner_id={partner.id}")["data"]
        whole: Json = self.get(f"/commissions/{found['id']}")
        return whole

    def conversions(self, kind: str = "sale") -> list[Json]:
        listed: list[Json] = self.get(f"/conversions?kind={kind}")["data"]
        return listed

    def _request(self, method: str, path: str, **sent: Any) -> httpx.Response:
        answer = self.http.request(method, f"{next(self._turns)}{path}", **sent)
        if answer.status_code == 503:
            assert int(answer.headers["retry-after"]) > 0
            raise UnavailableError(answer.text)
        return answer


def open_shop(
    urls: Sequence[str], http: httpx.Client, *, hold_days: int = 14, late_days: int = 1
) -> Shop:
    """A workspace in test mode with a program that pays 20 % of every sale."""
    first = Shop(urls, ADMIN_KEY, http)
    made = first.post("/workspaces", {"name": "Shop", "mode": "test"}, 201)
    return set_up(
        Shop(urls, made["admin_key"]["key"], http), hold_days=hold_days, late_days=late_days
    )


def set_up(shop: Shop, *, hold_days: int = 14, late_days: int = 1) -> Shop:
    """A program that pays 20 % of every sale, and a source of Stripe's, in an empty workspace."""
    program = {
        "name": "Friends",
        "currency": "usd",
        "destination_hosts": ["shop.example.com"],
        "default_destination": "https://shop.example.com/pricing",
        "plan": {
            "hold_days": hold_days,
            "late_days": late_days,
            "attribution": {"model": "last_click", "window_days": 30},
            "combine": "first_match",
            "rules": [{"id": "base", "pay": {"percent_bps": 2000}}],
        },
    }
    shop.program = shop.post("/programs", program, 201)["id"]
    made = shop.post("/sources", {"provider": "stripe", "signing_secrets": [WEBHOOK_SECRET]}, 201)
    shop.source = made["id"]
    return shop


def codes(reasons: Sequence[Json]) -> list[str]:
    """The codes of an explanation, each of which has to have its sentence."""
    for reason in reasons:
        assert reason["text"].endswith("."), reason
        assert "?" not in reason["text"], reason
    return [reason["code"] for reason in reasons]


def until(holds: Callable[[], bool], otherwise: str, within_s: float = DECIDED_S) -> float:
    """Wait; how long it took."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < within_s, otherwise
        time.sleep(0.05)
    return time.monotonic() - began


def metric(port: int, name: str) -> float:
    """The sum over all processes that /metrics tells. name: or how its lines begin."""
    text = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=5).text
    return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith(name))


def command(
    service: Service, *arguments: str, within_s: float = 60, **environment: str
) -> tuple[int, str]:
    """Run `python -m app …` beside a service; its exit status and all that it printed."""
    ended = subprocess.run(
        [sys.executable, "-m", "app", *arguments],
        env=clean_environment(service.data_dir, service.port) | GIVEN | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=within_s,
        check=False,
    )
    return ended.returncode, ended.stdout
