"""What is held matures but for what is stopped, and `verify` knows the held cents too."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import text

from app.conversions.proof import verify
from app.db.engine import Database
from app.ledger.mature import GRACE_S, mature_workspace
from tests.contract import stripe_objects as objects
from tests.contract.stripe_reversals import dispute
from tests.http.client import PLAN, Api
from tests.http.selling import Selling, open_selling, verified

NO_HOLD = {**PLAN, "hold_days": 0, "late_days": 0}


@pytest.fixture
async def selling(api: Api, database: Database) -> AsyncIterator[Selling]:
    made = await open_selling(api, database, plan=NO_HOLD)
    yield made
    await verified(made)


async def sell(selling: Selling, number: int) -> None:
    """100.00, of which 20.00 are earned."""
    session = objects.checkout_session(
        f"cs_{number}",
        customer=f"cus_{number}",
        payment_intent=f"pi_{number}",
        client_reference_id=selling.click(),
        amount_total=100_00,
        amount_tax=0,
        created=int(time.time()),
    )
    await tell(selling, "checkout.session.completed", session)


async def disputed(selling: Selling, number: int, status: str, *, amount: int = 100_00) -> Any:
    """number: of the sale whose payment it is."""
    thing = dispute(
        f"dp_{number}",
        status=status,
        amount=amount,
        charge=f"ch_{number}",
        payment_intent=f"pi_{number}",
    )
    return await tell(selling, "charge.dispute.updated", thing)


async def tell(selling: Selling, kind: str, thing: Any) -> Any:
    told = objects.event(kind, thing, livemode=True, created=int(time.time()))
    return await selling.webhook(told)


async def statuses(selling: Selling) -> list[str]:
    """In the order in which they were sold."""
    found = (await selling.api.get("/commissions"))["data"]
    return [one["status"] for one in reversed(found)]


async def test_what_is_stopped_waits_and_the_rest_becomes_payable(selling: Selling) -> None:
    for number in range(4):
        await sell(selling, number)
    await disputed(selling, 0, "needs_response")
    await disputed(selling, 1, "needs_response", amount=50_00)
    told = await disputed(selling, 2, "warning_needs_response")
    assert told["state"] == "ignored"
    assert await selling.balance() == {"held": 30_00, "pending": 50_00}
    assert await statuses(selling) == ["held", "held", "pending", "pending"]

    await asyncio.sleep(GRACE_S + 0.2)
    assert await mature_workspace(selling.database, selling.workspace) == 4
    assert await mature_workspace(selling.database, selling.workspace) == 0
    assert await selling.balance() == {"held": 30_00, "payable": 50_00}
    assert await statuses(selling) == ["held", "held", "payable", "payable"]
    await verified(selling)

    # States are dated to the second; a later one is told later.
    await disputed(selling, 0, "won")
    await disputed(selling, 1, "lost", amount=50_00)
    await disputed(selling, 3, "lost")
    assert await selling.balance() == {"payable": 50_00}
    assert await statuses(selling) == ["payable", "payable", "payable", "void"]


async def test_a_held_cent_too_many_is_found(selling: Selling) -> None:
    await sell(selling, 0)
    await disputed(selling, 0, "needs_response", amount=50_00)
    await change(selling, "held = held + 1")
    (finding,) = [finding async for finding in findings(selling)]
    assert finding.problem == "held is 1001, should be 1000"
    await change(selling, "held = held - 1, status = 'pending'")
    (finding,) = [finding async for finding in findings(selling)]
    assert finding.problem == "status is 'pending', should be 'held'"
    await change(selling, "status = 'held'")


async def change(selling: Selling, assignment: str) -> None:
    async with selling.database.tx() as tx:
        await tx.execute(
            text(f"UPDATE commissions SET {assignment} WHERE workspace_id = :workspace"),
            {"workspace": selling.workspace},
        )


async def findings(selling: Selling) -> AsyncIterator[Any]:
    async with selling.database.snapshot() as snapshot:
        driver = await snapshot.driver()
        async for finding in verify._workspace(driver, selling.workspace):
            yield finding
