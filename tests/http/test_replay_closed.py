"""What comes behind the close, by a replay or by a person's word, moves only what it is about."""

import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import text

from app.conversions.intake import inbox, replays
from app.db.engine import Database
from app.ids import decode
from tests.contract import stripe_objects as objects
from tests.contract.stripe_invoices import invoice, invoice_payment
from tests.http.client import PLAN, Api, click_on, make_partner
from tests.http.selling import Selling, open_selling, signature, verified


@pytest.fixture
async def selling(api: Api, database: Database) -> AsyncIterator[Selling]:
    """Conversions close with their decision: no hold, no late window."""
    terms = {**PLAN, "hold_days": 0, "late_days": 0}
    made = await open_selling(api, database, plan=terms)
    yield made
    await verified(made)


async def dead(selling: Selling, message: dict[str, Any]) -> str:
    """A message that could not be decided when it came."""
    raw = objects.encoded(message)
    response = await selling.post(raw, {"Stripe-Signature": signature(raw)})
    async with selling.database.tx() as tx:
        await tx.execute(
            text("UPDATE events SET state = 'dead', attempts = 8 WHERE workspace_id = :workspace")
            .bindparams(workspace=selling.workspace)
        )  # fmt: skip
    return str(response.json()["event_id"])


async def replayed(selling: Selling, event: str) -> Any:
    await selling.api.post(f"/events/{event}/replay", {}, status=202)
    while await inbox.settle(selling.database, selling.workspace):
        continue
    return await selling.api.get(f"/events/{event}")


async def test_a_touch_that_is_replayed_behind_the_close_moves_nobody(selling: Selling) -> None:
    bo = await make_partner(selling.api, selling.program, name="Bo", email="bo@example.com")
    ours, theirs = selling.click(), click_on(bo["default_link"], selling.api.app)
    touch = objects.customer(metadata={"click_id": theirs, "finderfee_customer_id": "user-17"})
    event = await dead(selling, objects.event("customer.created", touch, livemode=True))
    told = await selling.api.post("/track/sale", selling.sale(click_id=ours), status=200)
    path = f"/conversions/{told['outcome']['conversion_id']}"
    before = await selling.api.get(path)
    again = await replayed(selling, event)
    assert again["state"] == "applied"
    assert await selling.api.get(path) == before


async def test_a_replay_ends_with_what_was_there_when_it_was_asked_for(selling: Selling) -> None:
    """Else what it puts back, and what fails once more, would come by again and again."""
    message = objects.event("customer.created", objects.customer(), livemode=True)
    await dead(selling, message)
    wanted = {"from": "2020-01-01T00:00:00Z", "to": "2100-01-01T00:00:00Z", "state": "dead"}
    asked = await selling.api.post("/events/replay", wanted, status=202)
    await dead(selling, {**message, "id": "evt_later"})
    while await replays.go_on(selling.database, selling.api.app.state.secret_keys):
        continue
    done = await selling.api.get(f"/events/replays/{asked['id']}")
    assert (done["matched"], done["looked_at"]) == (1, 1)


async def test_what_another_process_decided_meanwhile_is_not_buried(selling: Selling) -> None:
    event = await selling.api.post("/track/sale", selling.sale(), status=200)
    for _ in range(inbox.MAX_ATTEMPTS):
        own = (selling.workspace, decode("evt", event["event_id"]))
        await inbox._count_attempt(selling.database, *own, ValueError())
    after = await selling.api.get(f"/events/{event['event_id']}")
    assert (after["state"], after["attempts"]) == ("applied", 0)


async def test_of_two_that_closed_as_one_payment_a_person_may_take_one_back(
    selling: Selling,
) -> None:
    """Each has its own verdicts, or both would go back and nothing of the sale be paid."""
    at = int(time.time())
    session = objects.checkout_session(client_reference_id=selling.click(), created=at)
    sold = objects.event("checkout.session.completed", session, livemode=True, created=at)
    first = (await selling.webhook(sold))["outcome"]
    paid = objects.event(
        "invoice.paid", invoice(payments=[], created=at, paid_at=at), livemode=True, created=at
    )
    second = (await selling.webhook(paid))["outcome"]
    tie = invoice_payment(invoice="in_1", payment_intent="pi_1", created=at)
    await selling.webhook(objects.event("invoice_payment.paid", tie, livemode=True, created=at))
    paths = [f"/conversions/{one['conversion_id']}" for one in (first, second)]

    async def refunded() -> list[int]:
        return [(await selling.api.get(path))["refunded"] for path in paths]

    standing = [await selling.api.get(path) for path in paths]
    assert [one["commissions"][0]["amount"] for one in standing] == [2_000, 2_000]
    for verdict, expected in (("duplicate", 12_000), ("release", 0), ("duplicate", 12_000)):
        await selling.api.post(f"{paths[1]}/{verdict}", status=200)
        assert await refunded() == [0, expected]
