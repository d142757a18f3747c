"""Everything is killed at random moments, Postgres too: what was acknowledged is there, once.

FINDERFEE_KILLS tells how often; 10 times by default.
"""

import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from uuid import UUID

import asyncpg
import httpx
import psutil

from app.core import click_token
from app.db import embedded
from app.secret_keys import SecretKeys
from tests.contract import stripe_objects as objects
from tests.contract.stripe_objects import checkout_session
from tests.e2e.client import (
    GIVEN,
    SECRET_KEYS,
    Json,
    Partner,
    Shop,
    UnavailableError,
    command,
    open_shop,
)
from tests.service import Service, free_port, serve

KILLS = int(os.environ.get("FINDERFEE_KILLS", "10"))
PAUSE_S = 0.03
DRAINED_S = 20.0


@dataclass
class Told:
    """What was answered, and how much was asked at all."""

    webhooks: dict[str, Json] = field(default_factory=dict)
    """Event ids with their payloads."""
    sales: dict[str, Json] = field(default_factory=dict)
    """Event ids with the outcome in the answer."""
    clicks: list[str] = field(default_factory=list)
    asked: dict[str, int] = field(default_factory=dict)


class Load:
    """Webhooks, own sales and clicks, one after the other each, until everything is dead."""

    def __init__(self, shop: Shop, partner: Partner, token: str) -> None:
        self.shop, self.partner, self.token = shop, partner, token
        self.told = Told()
        self._numbers = count(1)
        self._failures: list[BaseException] = []

    @contextmanager
    def running(self) -> Iterator[None]:
        over = threading.Event()
        kinds = (self._webhook, self._sale, self._click)
        threads = [threading.Thread(target=self._repeat, args=(kind, over)) for kind in kinds]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            over.set()
            for thread in threads:
                thread.join(30)
        assert self._failures == []

    def _repeat(self, kind: Callable[[], None], over: threading.Event) -> None:
        while not over.wait(PAUSE_S):
            name = kind.__name__
            self.told.asked[name] = self.told.asked.get(name, 0) + 1
            try:
                kind()
            except (httpx.TransportError, UnavailableError):
                continue
            except BaseException as error:
                self._failures.append(error)
                raise

    def _webhook(self) -> None:
        number = next(self._numbers)
        session = checkout_session(
            f"cs_{number}",
            customer=f"cus_{number}",
            payment_intent=f"pi_{number}",
            client_reference_id=self.token,
            created=int(time.time()),
        )
        event = objects.event("checkout.session.completed", session, created=int(time.time()))
        self.told.webhooks[self.shop.send(event)["event_id"]] = event

    def _sale(self) -> None:
        number = next(self._numbers)
        sale = {
            "customer_external_id": f"user-{number}",
            "click_id": self.token,
            "amount": 10_000,
            "currency": "usd",
            "invoice_id": f"INV-{number}",
        }
        answer = self.shop.post("/track/sale", sale)
        assert not answer["duplicate"]
        self.told.sales[answer["event_id"]] = answer["outcome"]

    def _click(self) -> None:
        self.told.clicks.append(self.shop.click(self.partner))


async def test_nothing_acknowledged_is_missing_after_everything_was_killed(tmp_path: Path) -> None:
    folder, port = tmp_path / "data", free_port()
    start = partial(serve, folder, environment=GIVEN, port=port)
    with httpx.Client(timeout=10) as http:
        with start() as service:
            shop, partner, load = prepared(service, http)
            killed_under(load, service)
        for _ in range(KILLS - 1):
            with start() as service:
                ready(service)
                killed_under(load, service)
        with start() as service:
            ready(service)
            shop.settled()
            assert min(len(load.told.webhooks), len(load.told.sales), len(load.told.clicks)) > KILLS
            sales_are_whole(shop, partner, load.told)
            await clicks_are_whole(folder, load)
            again = next(iter(load.told.webhooks.items()))
            assert shop.send(again[1]) == {"event_id": again[0], "duplicate": True}
            status, printed = command(service, "verify")
            assert status == 0, printed


def ready(service: Service) -> None:
    for role in ("redirect", "api", "worker"):
        service.ready(role)


def prepared(service: Service, http: httpx.Client) -> tuple[Shop, Partner, Load]:
    """Commissions mature at once, so that the worker is killed while it moves money too."""
    ready(service)
    shop = open_shop([service.url], http, hold_days=0, late_days=0)
    partner = shop.partner()
    return shop, partner, Load(shop, partner, shop.click(partner))


def killed_under(load: Load, service: Service) -> None:
    with load.running():
        time.sleep(random.uniform(0.3, 1.5))
        kill_everything(service)


def kill_everything(service: Service) -> None:
    """The parent first, since it starts what dies anew; then all others in any order."""
    parent, *others = service.everything()
    random.shuffle(others)
    for found in (parent, *others):
        with suppress(psutil.NoSuchProcess):
            found.kill()
    service.process.wait(5)


def sales_are_whole(shop: Shop, partner: Partner, told: Told) -> None:
    """Every answered event is decided as it has to be, and what is owed is the sum of all."""
    for event_id in told.webhooks:
        event = shop.get(f"/events/{event_id}")
        assert (event["state"], event["conflicts"]) == ("applied", 0)
        assert [c["amount"] for c in event["outcome"]["commissions"]] == [2_000]
    for event_id, outcome in told.sales.items():
        now = shop.get(f"/events/{event_id}")["outcome"]
        assert now["conversion_id"] == outcome["conversion_id"]
        assert [c["id"] for c in now["commissions"]] == [c["id"] for c in outcome["commissions"]]
        assert [c["amount"] for c in now["commissions"]] == [2_000]
    owed = sum(shop.balance(partner).values())
    sold, of = divmod(owed, 2_000)
    assert of == 0
    # What was cut off before its answer may have been stored or not.
    answered = len(told.webhooks) + len(told.sales)
    assert answered <= sold <= told.asked["_webhook"] + told.asked["_sale"]


async def clicks_are_whole(folder: Path, load: Load) -> None:
    keys = SecretKeys([SECRET_KEYS]).click_keys
    tokens = [click_token.verify(text, keys) for text in load.told.clicks]
    answered = {token.click_id for token in tokens if token is not None}
    assert len(answered) == len(load.told.clicks)
    stored: list[UUID] = []
    connection = await asyncpg.connect(embedded.url(folder))
    try:
        waited = time.monotonic()
        while not answered <= set(stored):
            assert time.monotonic() - waited < DRAINED_S, len(answered - set(stored))
            time.sleep(0.2)
            stored = [row["id"] for row in await connection.fetch("SELECT id FROM clicks")]
        counted = await connection.fetchval("SELECT sum(clicks) FROM link_clicks")
    finally:
        await connection.close()
    assert len(stored) == len(set(stored)) == counted
    # One click was made before the load.
    assert len(answered) < len(stored) <= load.told.asked["_click"] + 1
