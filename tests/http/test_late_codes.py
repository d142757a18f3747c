"""A code that is made after its first use counts within a second, for what is still open."""

import time
from collections.abc import AsyncIterator
from itertools import permutations
from typing import Any

import pytest

from app.conversions import late_codes
from app.conversions.late_codes import tell_codes
from app.db.engine import Database
from tests.contract import stripe_objects as objects
from tests.contract.stripe_objects import checkout_session
from tests.http.bringing import code_of, pending, tell
from tests.http.client import Api, make_partner
from tests.http.selling import Selling, open_selling, verified


@pytest.fixture
async def selling(api: Api, database: Database) -> AsyncIterator[Selling]:
    made = await open_selling(api, database)
    yield made
    await verified(made)


async def work(selling: Selling) -> None:
    """As the worker does: until no code is news."""
    while await tell_codes(selling.database):
        await selling.settle()
    await selling.settle()


async def events(selling: Selling) -> list[Any]:
    found = (await selling.api.get("/events?limit=100"))["data"]
    return [event for event in found if event["type"] == late_codes.TYPE]


async def test_code_uses_and_clicks_in_any_order_leave_equal_balances(selling: Selling) -> None:
    bo = await make_partner(selling.api, selling.program, name="Bo", email="bo@example.com")
    left = []
    for n, order in enumerate(permutations(("code", "use", "click"))):
        who = {"customer_external_id": f"user-{n}"}
        for what in order:
            if what == "code":
                await code_of(selling, bo, f"LATE-{n}", provider_ids=[f"stripe:promo_{n}"])
                await work(selling)
            elif what == "use":
                told = selling.sale(**who, invoice_id=f"INV-{n}", code=f"late-{n}")
                await tell(selling, "sale", **told)
            else:
                await tell(selling, "lead", **who, click_id=selling.click())
        left.append((await pending(selling, selling.partner), await pending(selling, bo)))
    assert left == [(0, 2_000 * n) for n in range(1, len(left) + 1)]


async def test_a_discount_that_is_named_later_counts_too(selling: Selling) -> None:
    session = checkout_session(
        mode="payment", payment_status="paid", customer="cus_1", invoice="in_1"
    )
    session["discounts"] = [{"coupon": "co_1", "promotion_code": "promo_1"}]
    said = objects.event("checkout.session.completed", session, livemode=True, created=now())
    await selling.webhook(said)
    code = await code_of(selling, selling.partner, "SPRING")
    await work(selling)
    assert await pending(selling, selling.partner) == 0
    for _ in range(2):
        change = {"provider_ids": ["stripe:promo_1"]}
        await selling.api.patch(f"/codes/{code['id']}", change)
        await work(selling)
    assert await pending(selling, selling.partner) > 0
    assert len(await events(selling)) == 1, "what is named already is no news"


async def test_what_has_closed_stays(api: Api, database: Database) -> None:
    plan = {
        "hold_days": 0,
        "late_days": 0,
        "attribution": {"model": "last_click", "window_days": 60},
        "combine": "first_match",
        "rules": [{"id": "standard", "pay": {"percent_bps": 2_000}}],
    }
    selling = await open_selling(api, database, plan=plan)
    await tell(selling, "sale", **selling.sale(code="LATE"))
    await code_of(selling, selling.partner, "LATE")
    await work(selling)
    assert await pending(selling, selling.partner) == 0
    again = await tell(selling, "sale", **selling.sale(invoice_id="INV-2", code="LATE"))
    assert [c["amount"] for c in again["commissions"]] == [2_000]
    await verified(selling)


async def test_many_users_are_told_in_chunks_and_once(
    selling: Selling, monkeypatch: pytest.MonkeyPatch
) -> None:
    while await tell_codes(selling.database):
        pass  # what earlier tests have left
    monkeypatch.setattr(late_codes, "CHUNK", 2)
    for n in range(13):
        who = {"customer_external_id": f"user-{n // 2}", "invoice_id": f"INV-{n}"}
        await tell(selling, "sale", **selling.sale(**who, code="MANY"))
    await code_of(selling, selling.partner, "MANY")
    await code_of(selling, selling.partner, "NOBODYS")
    assert await tell_codes(selling.database) == 10, "a round is bounded"
    await work(selling)
    assert await pending(selling, selling.partner) == 13 * 2_000
    assert len(await events(selling)) == 7
    assert await tell_codes(selling.database) == 0


def now() -> int:
    return int(time.time())
