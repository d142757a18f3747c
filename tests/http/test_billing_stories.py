"""A subscriber's life told by Paddle and by Chargebee, through the real API: the same cents.

Both tell the same story, so both end in the same figures, in every order.
"""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.db.engine import Database
from tests.contract import chargebee_objects, paddle_objects
from tests.contract.chargebee_story import ChargebeeSubscriber
from tests.contract.paddle_story import PaddleSubscriber
from tests.contract.steps import in_any_order, tell_in_turn
from tests.http.client import Api, read
from tests.http.selling import Selling, open_selling, verified

ORDERS = 6
"""So many subscribers live the same story, each told in an order of its own."""
SINCE = datetime.now(UTC).replace(microsecond=0) - timedelta(days=100)

PADDLE_SECRET, CHARGEBEE_SECRET = "pdl_ntfset_0123456789", "chargebee:0123456789"


@dataclass
class Billing:
    """A provider's side. headers: what it sends with a body."""

    selling: Selling
    provider: str
    source: Any
    subscriber: Callable[[int, str, datetime], PaddleSubscriber | ChargebeeSubscriber]
    headers: Callable[[bytes], Mapping[str, str]]

    def person(self, number: int) -> PaddleSubscriber | ChargebeeSubscriber:
        """Who clicked an hour before the trial."""
        token = self.selling.click(SINCE - timedelta(hours=1))
        return self.subscriber(number, token, SINCE)

    async def post(self, event: Any) -> str:
        """A webhook as it should be; the id of what was stored."""
        body = paddle_objects.encoded(event)
        response = await self.selling.post(body, self.headers(body), source=self.source["id"])
        return str(read(response, 200)["event_id"])


def paddle_headers(body: bytes) -> dict[str, str]:
    return {"Paddle-Signature": paddle_objects.signed(body, PADDLE_SECRET, at=datetime.now(UTC))}


def chargebee_headers(_body: bytes) -> dict[str, str]:
    return {"Authorization": chargebee_objects.authorized(CHARGEBEE_SECRET)}


@pytest.fixture(params=["paddle", "chargebee"])
async def billing(
    request: pytest.FixtureRequest, api: Api, database: Database
) -> AsyncIterator[Billing]:
    selling = await open_selling(api, database)
    paddle = request.param == "paddle"
    secret = PADDLE_SECRET if paddle else CHARGEBEE_SECRET
    source = {"provider": request.param, "signing_secrets": [secret]}
    yield Billing(
        selling=selling,
        provider=request.param,
        source=await api.post("/sources", source),
        subscriber=PaddleSubscriber if paddle else ChargebeeSubscriber,
        headers=paddle_headers if paddle else chargebee_headers,
    )
    await verified(selling)


async def test_every_step_of_the_story_to_the_cent(billing: Billing) -> None:
    api = billing.selling.api
    for step in billing.person(0).story():
        ids = [await billing.post(event) for event in step.messages]
        await billing.selling.settle()
        states = {(await api.get(f"/events/{one}"))["state"] for one in ids}
        assert states <= {"applied", "ignored"}, step.name
        assert await billing.selling.balance() == step.balance, step.name

    upgrade, renewal, sale = (await api.get("/commissions"))["data"]
    shown = [
        {name: one[name] for name in ("status", "amount", "reversed", "base")}
        for one in (sale, renewal, upgrade)
    ]
    assert shown == [
        {"status": "pending", "amount": 20_00, "reversed": 0, "base": 100_00},
        {"status": "pending", "amount": 20_00, "reversed": 5_04, "base": 100_00},
        {"status": "void", "amount": 14_00, "reversed": 14_00, "base": 70_00},
    ]
    conversions = (await api.get("/conversions"))["data"]
    told = [(c["kind"], c["amount"]) for c in reversed(conversions)]
    assert told == [("sale", 100_00), ("renewal", 100_00), ("renewal", 70_00)]


async def test_any_order_ends_in_the_same_cents(billing: Billing) -> None:
    """Every event's order is drawn by a fixed seed, and five of them come twice."""
    api = billing.selling.api
    told = in_any_order((billing.person(n).story() for n in range(ORDERS)), twice=5)
    await tell_in_turn(told, billing.post, billing.selling.settle)

    assert await billing.selling.balance() == {"pending": ORDERS * 34_96}
    assert not await api.all("/events?state=parked")
    assert not await api.all("/events?state=dead")
    stand = Counter(
        (c["status"], c["amount"], c["reversed"]) for c in await api.all("/commissions")
    )
    assert stand == {
        ("pending", 20_00, 0): ORDERS,
        ("pending", 20_00, 5_04): ORDERS,
        ("void", 14_00, 14_00): ORDERS,
    }


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Paddle-Signature": ""},
        {"Paddle-Signature": "ts=1;h1=0"},
        {"Paddle-Signature": f"ts={'9' * 400};h1={'0' * 64}"},
        {b"Paddle-Signature": b"ts=\xff\xfe;h1=\xff"},
        {"Authorization": "Basic"},
        {"Authorization": "Basic e30="},
        {"Authorization": chargebee_objects.authorized("chargebee:9876543210")},
        {b"Authorization": b"Basic \xff\xfe"},
        {"Authorization": f"Bearer {CHARGEBEE_SECRET}"},
    ],
)
async def test_who_does_not_prove_himself_stores_nothing(billing: Billing, headers: Any) -> None:
    body = paddle_objects.encoded(billing.person(0).story()[1].messages[1])
    selling = billing.selling
    response = await selling.post(body, headers, source=billing.source["id"])
    assert read(response, 401)["code"] == "signature_invalid"
    assert (await selling.stored())["events"] == (await selling.stored())["event_bodies"] == 0


async def test_what_is_senseless_is_kept_dead(billing: Billing) -> None:
    event = billing.person(0).story()[1].messages[-1]
    event = {**event, "occurred_at": "2999-01-01T00:00:00Z"}
    stored = await billing.post(event)
    shown = await billing.selling.api.get(f"/events/{stored}")
    assert shown["state"] == "dead"
    assert shown["outcome"]["reasons"][0]["params"]["place"] == "occurred_at"


async def test_a_secret_of_another_form_makes_no_source(billing: Billing) -> None:
    for secret in ("no prefix nor colon", "whsec_0123456789abcdef"):
        body = {"provider": billing.provider, "signing_secrets": [secret]}
        problem = await billing.selling.api.post("/sources", body, status=422)
        assert problem["errors"][0]["place"] == "body/signing_secrets/0"
        assert problem["errors"][0]["remedy"]


async def test_a_discount_earns_without_a_click(billing: Billing) -> None:
    """Paddle tells the discount's id, Chargebee the coupon that was typed."""
    made = {
        "program_id": billing.selling.program["id"],
        "partner_id": billing.selling.partner["id"],
        "code": "FALL20",
        "provider_ids": ["paddle:dsc_fall"],
    }
    await billing.selling.api.post("/codes", made)
    # A code is somebody's from when it is made.
    now = datetime.now(UTC) + timedelta(seconds=1)
    at = int(now.timestamp()) + 1
    if billing.provider == "paddle":
        thing = paddle_objects.transaction(discount="dsc_fall", at=now)
        event = paddle_objects.notification("transaction.completed", thing, at=now)
    else:
        discounts = [chargebee_objects.coupon("Fall20")]
        thing = chargebee_objects.invoice(discounts=discounts, paid_at=at)
        event = chargebee_objects.event("payment_succeeded", invoice=thing, at=at)
    await billing.post(event)
    await billing.selling.settle()
    (commission,) = (await billing.selling.api.get("/commissions"))["data"]
    assert (commission["amount"], commission["status"]) == (20_00, "pending")
    whole = await billing.selling.api.get(f"/commissions/{commission['id']}")
    assert [reason for reason in whole["explanation"] if "FALL20" in reason["text"]]
