"""One customer under many names, one payment under many ids: what is joined is decided anew."""

import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.db.engine import Database
from tests.contract import stripe_objects as objects
from tests.contract.stripe_invoices import invoice, invoice_payment
from tests.contract.stripe_objects import checkout_session, payment_intent
from tests.http.client import Api, click_on, make_partner
from tests.http.selling import SECRET, Selling, open_selling, verified


@pytest.fixture
async def selling(api: Api, database: Database) -> AsyncIterator[Selling]:
    made = await open_selling(api, database)
    yield made
    await verified(made)


def event(kind: str, thing: dict[str, Any]) -> dict[str, Any]:
    return objects.event(kind, thing, livemode=True, created=at())


def at() -> int:
    return int(time.time())


async def tell(selling: Selling, what: str, **body: Any) -> Any:
    return await selling.api.post(f"/track/{what}", body, status=200)


async def pending(selling: Selling, partner: Any = None) -> int:
    """What the partner, else the first one, has in dollars."""
    path = f"/partners/{(partner or selling.partner)['id']}/balance"
    return sum(row["pending"] for row in (await selling.api.get(path))["data"])


async def sales(selling: Selling) -> list[Any]:
    listed = await selling.api.get("/conversions")
    return [one for one in listed["data"] if one["kind"] != "lead"]


async def test_a_join_voids_what_the_window_then_excludes(selling: Selling) -> None:
    """The customer was known an hour before the click that another name of his had claimed."""
    earlier = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    await tell(selling, "lead", customer_external_id="user-1", occurred_at=earlier)
    told = await tell(
        selling, "sale", **selling.sale(customer_external_id="cus-1"), click_id=selling.click()
    )
    (commission,) = told["outcome"]["commissions"]
    assert await pending(selling) == 2_000
    joined = [{"namespace": "own", "external_id": "cus-1"}]
    await tell(
        selling, "lead", customer_external_id="user-1", event_name="x", customer_aliases=joined
    )
    assert await pending(selling) == 0
    whole = await selling.api.get(f"/commissions/{commission['id']}")
    assert (whole["status"], whole["reversed"]) == ("void", 2_000)
    assert [move["code"] for move in whole["adjustments"]] == ["award", "superseded"]
    (sale,) = await sales(selling)
    assert [r["code"] for r in sale["reasons"]] == ["after_first_conversion", "no_eligible_touch"]


async def test_a_join_gives_the_sale_to_the_partner_of_the_first_conversion(
    selling: Selling,
) -> None:
    bo = await make_partner(selling.api, selling.program, name="Bo", email="bo@example.com")
    earlier = (datetime.now(UTC) - timedelta(seconds=4)).isoformat()
    bos = click_on(bo["default_link"], selling.api.app)
    await tell(selling, "lead", customer_external_id="user-1", occurred_at=earlier, click_id=bos)
    await tell(selling, "sale", **selling.sale(customer_external_id="cus-1"))
    assert (await pending(selling), await pending(selling, bo)) == (0, 0)
    (customer, *_) = (await selling.api.get("/customers"))["data"]
    alias = {"namespace": "own", "external_id": "user-1"}
    joined = await selling.api.post(f"/customers/{customer['id']}/aliases", alias)
    assert (await pending(selling), await pending(selling, bo)) == (0, 2_000)
    assert joined["binding"]["credits"] == [{"partner_id": bo["id"], "bps": 10_000}]
    assert [touch["partner_id"] for touch in joined["touches"]] == [bo["id"]]


async def test_many_names_joined_crosswise_are_one_customer(selling: Selling) -> None:
    for number in range(6):
        sale = selling.sale(customer_external_id=f"u{number}", invoice_id=f"I{number}")
        await tell(selling, "sale", **sale, click_id=selling.click())
    assert await pending(selling) == 12_000
    for one, other in ((0, 1), (2, 3), (4, 5), (5, 0), (3, 4), (1, 2)):
        names = [{"namespace": "own", "external_id": f"u{other}"}]
        await tell(
            selling,
            "lead",
            customer_external_id=f"u{one}",
            event_name=f"join {one} {other}",
            customer_aliases=names,
        )
    (customer,) = (await selling.api.get("/customers"))["data"]
    whole = await selling.api.get(f"/customers/{customer['id']}")
    assert len(whole["aliases"]) == 6
    assert len([c for c in whole["conversions"] if c["kind"] == "sale"]) == 6
    assert sum(c["new"] for c in whole["conversions"] if c["kind"] == "sale") == 1
    assert await pending(selling) == 12_000


async def test_two_sources_that_tell_of_one_invoice_tell_of_one_sale(selling: Selling) -> None:
    sold = event("invoice.paid", invoice(paid_at=at()))
    await selling.webhook(sold)
    first = selling.source
    again = {"provider": "stripe", "signing_secrets": [SECRET]}
    selling.source = await selling.api.post("/sources", again)
    told = await selling.webhook(sold)
    assert told["source_id"] != first["id"]
    assert len(await sales(selling)) == 1
    touch = checkout_session(
        mode="subscription", amount_total=None, client_reference_id=selling.click()
    )
    await selling.webhook(event("checkout.session.completed", touch))
    assert await pending(selling) == 2_000


async def test_ids_that_turn_out_to_be_one_payment_are_one_sale(selling: Selling) -> None:
    """An intent and an invoice stand beside each other until a message names both."""
    marked = payment_intent(metadata={"click_id": selling.click()}, created=at())
    await selling.webhook(event("payment_intent.succeeded", marked))
    await selling.webhook(event("invoice.paid", invoice(paid_at=at(), subscription=None)))
    assert len(await sales(selling)) == 2
    assert await pending(selling) == 2_400 + 2_000
    before = {one["key"]: one for one in await sales(selling)}
    await selling.webhook(event("invoice_payment.paid", invoice_payment()))
    (sale,) = await sales(selling)
    assert (sale["key"], sale["amount"]) == ("stripe::invoice:in_1", 10_000)
    assert await pending(selling) == 2_000
    dropped = before["stripe::payment_intent:pi_1"]
    old = await selling.api.get(f"/conversions/{dropped['id']}")
    assert old["superseded_by"] == sale["id"]
    assert [commission["status"] for commission in old["commissions"]] == ["void"]


async def test_a_touch_in_an_invoice_s_metadata_pays_without_a_session(selling: Selling) -> None:
    paid = invoice(paid_at=at(), subscription_metadata={"click_id": selling.click()})
    told = await selling.webhook(event("invoice.paid", paid))
    assert [c["amount"] for c in told["outcome"]["commissions"]] == [2_000]
