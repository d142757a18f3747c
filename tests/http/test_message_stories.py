"""A subscriber's life told by Shopify and by an own system, through the real API.

Both say in headers what their bodies don't, so both need what is stored beside the body.
"""

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.db.engine import Database
from app.ids import decode
from tests.contract import shopify_objects, standard_objects
from tests.contract.shopify_story import ShopifySubscriber
from tests.contract.standard_story import OwnSubscriber
from tests.contract.steps import Sendable, Step, in_any_order, tell_in_turn
from tests.http.client import Api, read
from tests.http.selling import Selling, open_selling, verified

ORDERS = 8
"""So many subscribers live the same story, each told in an order of its own."""
SINCE = datetime.now(UTC).replace(microsecond=0) - timedelta(days=100)
SECRETS = {"shopify": shopify_objects.SECRET, "standard": standard_objects.SECRET}


@dataclass
class Billing:
    """A provider's side."""

    selling: Selling
    provider: str
    source: Any

    def person(self, number: int) -> ShopifySubscriber | OwnSubscriber:
        """Who clicked an hour before the trial."""
        token = self.selling.click(SINCE - timedelta(hours=1))
        teller = ShopifySubscriber if self.provider == "shopify" else OwnSubscriber
        return teller(number, token, SINCE)

    async def post(self, message: Sendable) -> str:
        """A webhook as it should be; the id of what was stored."""
        body, headers = message.sent(SECRETS[self.provider])
        response = await self.selling.post(body, headers, source=self.source["id"])
        return str(read(response, 200)["event_id"])

    async def event(self, event_id: str) -> Any:
        return await self.selling.api.get(f"/events/{event_id}")


@pytest.fixture(params=["shopify", "standard"])
async def billing(
    request: pytest.FixtureRequest, api: Api, database: Database
) -> AsyncIterator[Billing]:
    selling = await open_selling(api, database)
    source = {"provider": request.param, "signing_secrets": [SECRETS[request.param]]}
    yield Billing(selling, request.param, await api.post("/sources", source))
    await verified(selling)


async def test_every_step_of_the_story_to_the_cent(billing: Billing) -> None:
    for step in billing.person(0).story():
        ids = [await billing.post(message) for message in step.messages]
        await billing.selling.settle()
        states = {(await billing.event(one))["state"] for one in ids}
        assert states <= {"applied", "ignored"}, step.name
        assert await billing.selling.balance() == step.balance, step.name

    upgrade, renewal, sale = (await billing.selling.api.get("/commissions"))["data"]
    assert [
        (c["status"], c["amount"], c["reversed"], c["base"]) for c in (sale, renewal, upgrade)
    ] == [
        ("pending", 20_00, 2_00, 100_00),
        ("pending", 20_00, 5_04, 100_00),
        ("void", 14_00, 14_00, 70_00),
    ]
    conversions = (await billing.selling.api.get("/conversions"))["data"]
    told = [(c["kind"], c["amount"]) for c in reversed(conversions) if c["kind"] != "lead"]
    assert told == [("sale", 100_00), ("renewal", 100_00), ("renewal", 70_00)]


async def test_any_order_ends_in_the_same_cents(billing: Billing) -> None:
    """Every story's order is drawn by a fixed seed, and five of its messages come twice."""
    api = billing.selling.api
    stories: list[Sequence[Step[Sendable]]] = [billing.person(n).story() for n in range(ORDERS)]
    told = in_any_order(stories, twice=5)
    await tell_in_turn(told, billing.post, billing.selling.settle)

    assert await billing.selling.balance() == {"pending": ORDERS * 32_96}
    for state in ("parked", "dead", "received"):
        assert not await api.all(f"/events?state={state}")
    assert not [one for one in await api.all("/events") if one["conflicts"]]
    stand = Counter(
        (c["status"], c["amount"], c["reversed"]) for c in await api.all("/commissions")
    )
    assert stand == {
        ("pending", 20_00, 2_00): ORDERS,
        ("pending", 20_00, 5_04): ORDERS,
        ("void", 14_00, 14_00): ORDERS,
    }
    kinds = Counter(c["kind"] for c in await api.all("/conversions"))
    assert (kinds["sale"], kinds["renewal"]) == (ORDERS, 2 * ORDERS)


async def test_a_stored_message_is_read_again_with_its_headers(billing: Billing) -> None:
    """As one is that a later release understands; without its headers it would say nothing."""
    (step,) = [one for one in billing.person(0).story() if one.name == "cancellation"]
    event_id = await billing.post(step.messages[0])
    before = await billing.event(event_id)
    async with billing.selling.database.tx() as tx:
        driver = await tx.driver()
        await driver.execute(
            "UPDATE events SET state = 'ignored', mapped = NULL WHERE id = $1",
            decode("evt", event_id),
        )
    again = await billing.selling.api.post(f"/events/{event_id}/replay", status=202)
    assert again["state"] == "received"
    await billing.selling.settle()
    after = await billing.event(event_id)
    changes = {name: after[name] for name in ("customer_id", "received_at")}
    assert {**after, "outcome": None} == {**before, "state": "applied", "outcome": None, **changes}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Shopify-Hmac-Sha256": ""},
        {"X-Shopify-Hmac-Sha256": "A" * 44},
        {b"X-Shopify-Hmac-Sha256": b"\xff\xfe"},
        {"X-Shopify-Topic": "orders/paid"},
        {"webhook-id": "msg_1", "webhook-timestamp": "1", "webhook-signature": "v1,"},
        {"webhook-id": "msg_1", "webhook-timestamp": "9" * 400, "webhook-signature": "v1,e30="},
        {b"webhook-id": b"\xff", b"webhook-timestamp": b"\xff", b"webhook-signature": b"\xff"},
    ],
)
async def test_what_is_not_signed_is_not_stored(billing: Billing, headers: Any) -> None:
    body, _ = billing.person(0).story()[0].messages[0].sent(SECRETS[billing.provider])
    response = await billing.selling.post(body, headers, source=billing.source["id"])
    assert read(response, 401)["code"] == "signature_invalid"
    stored = await billing.selling.stored()
    assert stored["events"] == stored["event_bodies"] == 0


async def test_what_is_signed_is_never_refused(billing: Billing) -> None:
    """After some answers that are not 2xx, senders give up; Shopify removes its subscription."""
    bodies = ("", "nonsense", "[]", "{}", '{"id": 1}', '{"type": "sale", "data": {"a": "\\u0000"}}')
    for n, text in enumerate(bodies):
        body = text.encode()
        secret, event = SECRETS[billing.provider], f"e-{n}"
        headers = (
            {
                **shopify_objects.headers("orders/paid", event),
                "X-Shopify-Hmac-Sha256": shopify_objects.signature(body, secret),
            }
            if billing.provider == "shopify"
            else standard_objects.signed(body, event, at=datetime.now(UTC), secret=secret)
        )
        response = await billing.selling.post(body, headers, source=billing.source["id"])
        shown = await billing.event(read(response, 200)["event_id"])
        assert shown["state"] == "dead", text
        assert shown["outcome"]["reasons"][0]["code"] == "senseless"


async def test_a_secret_of_another_form_makes_no_source(billing: Billing) -> None:
    body = {"provider": billing.provider, "signing_secrets": ["a secret of no form at all"]}
    problem = await billing.selling.api.post("/sources", body, status=422)
    assert problem["errors"][0]["place"] == "body/signing_secrets/0"
    assert problem["errors"][0]["remedy"]
