"""A replay comes behind the close: what was dead until then changes nothing that has closed."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import text

from app.conversions import inbox
from app.db.engine import Database
from tests.contract import stripe_objects as objects
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
