"""A month under whole bands, from its sales to the one commission that settles it, over HTTP."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any, Final

import pytest

from app.conversions.true_ups import settle_due
from app.core.periods import ends_at, period_of, starts_at
from app.db.engine import Database
from app.ids import encode, uuid7
from app.ledger.mature import mature_due
from tests.contract import stripe_objects as objects
from tests.contract.stripe_invoices import invoice
from tests.http.client import Api
from tests.http.selling import Selling, open_selling, verified
from tests.making import now

USD: Final = "usd"
TERMS: Final[dict[str, Any]] = {
    "hold_days": 14,
    "late_days": 0,
    "attribution": {"model": "last_click", "window_days": 60},
    "combine": "first_match",
    "rules": [
        {
            "id": "volume",
            "pay": {
                "bands": {
                    "by": "revenue",
                    "period": "month",
                    "mode": "whole",
                    "steps": [
                        {"from": {"amount": 0, "currency": USD}, "percent_bps": 1_000},
                        {"from": {"amount": 30_000, "currency": USD}, "percent_bps": 2_000},
                    ],
                }
            },
        }
    ],
}
SOLD_AT: Final = (now().replace(day=1) - timedelta(days=40)).replace(day=10)
"""In a month that has closed, its hold included."""
MONTH: Final = period_of(SOLD_AT, "month")


@pytest.fixture
async def selling(api: Api, database: Database) -> AsyncIterator[Selling]:
    made = await open_selling(api, database, plan=TERMS)
    yield made
    await verified(made)


async def test_a_month_s_sales_are_settled_by_one_commission_that_tells_why(
    selling: Selling,
) -> None:
    await sold(selling, "I1", 12_000)
    await billed(selling, "in_2", 18_000)
    await sold(selling, "I3", 50_000, at=now())
    assert await listed(selling, rule="volume") == [5_000, 1_800, 1_200]
    await closed(selling)
    await closed(selling)
    # 20 % of 300.00, less the 30.00 that both sales were paid.
    (settled,) = [one for one in await of_month(selling) if one["settles"]]
    assert (settled["settles"], settled["status"]) == (MONTH, "payable")
    assert (settled["conversion_id"], settled["customer_id"]) == (None, None)
    assert (settled["base"], settled["rate_bps"], settled["amount"]) == (30_000, 2_000, 3_000)
    whole = await selling.api.get(f"/commissions/{settled['id']}")
    (why,) = whole["explanation"]
    assert why["text"] == (
        f"In {MONTH} the partner sold for 300.00 USD, for which the rule `volume` pays 20 % of"
        " 300.00 USD. 30.00 USD was paid sale by sale; 30.00 USD was left."
    )
    assert [move["code"] for move in whole["adjustments"]] == ["award", "matured"]
    # The sale of today is paid 50.00, those of the month 30.00 and 30.00 more.
    balance = await selling.balance()
    assert (sum(balance.values()), balance["payable"]) == (11_000, 3_000)


async def test_the_sales_that_a_commission_settles_are_listed_behind_it(selling: Selling) -> None:
    await sold(selling, "I1", 12_000)
    await sold(selling, "I2", 20_000)
    await sold(selling, "I3", 50_000, at=now())
    await closed(selling)
    await sold(selling, "I4", 40_000)
    late, settled, *sales = await of_month(selling)
    assert [one["settles"] for one in (late, settled, *sales)] == [None, MONTH, None, None]
    # Told after the settlement: paid by the lowest step.
    assert (late["base"], late["amount"]) == (40_000, 4_000)
    assert sum(sale["base"] for sale in sales) == settled["base"] == 32_000
    assert settled["amount"] == 6_400 - sum(sale["amount"] for sale in sales)
    assert await listed(selling, rule="other") == []


async def test_a_refund_after_the_settlement_takes_back_what_its_sale_was_paid(
    selling: Selling,
) -> None:
    await sold(selling, "I1", 12_000)
    await sold(selling, "I2", 20_000)
    await closed(selling)
    before = sum((await selling.balance()).values())
    body = {"invoice_id": "I2", "amount_refunded": 20_000, "currency": USD}
    told = await selling.api.post("/track/refund", body, status=200)
    assert [one["reversed"] for one in told["outcome"]["commissions"]] == [2_000]
    (settled,) = [one for one in await of_month(selling) if one["settles"]]
    assert (settled["amount"], settled["reversed"]) == (3_200, 0)
    assert sum((await selling.balance()).values()) == before - 2_000
    await closed(selling)
    assert len([one for one in await of_month(selling) if one["settles"]]) == 1


async def test_a_month_below_the_next_step_is_settled_by_nothing_and_says_so(
    selling: Selling,
) -> None:
    await sold(selling, "I1", 29_999)
    assert (await settlements(selling))["data"] == []
    await closed(selling)
    assert [one["settles"] for one in await of_month(selling)] == [None]
    (settled,) = (await settlements(selling))["data"]
    assert (settled["within"], settled["rule"], settled["base"]) == (MONTH, "volume", 29_999)
    assert (settled["amount"], settled["commission_id"]) == (0, None)
    assert settled["reason"]["text"] == (
        f"In {MONTH} the partner sold for 299.99 USD, for which the rule `volume` pays 10 % of"
        " 299.99 USD. 30.00 USD was paid sale by sale; nothing was left."
    )


async def test_settled_months_are_listed_newest_first_with_what_pays_them(
    selling: Selling,
) -> None:
    before = (SOLD_AT.replace(day=1) - timedelta(days=5)).replace(day=10)
    await sold(selling, "I1", 32_000)
    await sold(selling, "I2", 40_000, at=before)
    await closed(selling)
    first = await settlements(selling, "&limit=1")
    last = await settlements(selling, f"&starting_after={first['data'][0]['number']}")
    assert (first["has_more"], last["has_more"]) == (True, False)
    # Settled at once, the earlier month first.
    assert [(one["within"], one["amount"]) for one in (*first["data"], *last["data"])] == [
        (MONTH, 3_200),
        (period_of(before, "month"), 4_000),
    ]
    (paid,) = [one for one in await of_month(selling) if one["settles"]]
    assert first["data"][0]["commission_id"] == paid["id"]
    path = f"/partners/{selling.partner['id']}/settlements?program_id={encode('prog', uuid7())}"
    await selling.api.get(path, status=404)


async def test_a_rule_s_id_is_asked_for_as_text(selling: Selling) -> None:
    await selling.api.get("/commissions?rule=%00", status=422)
    await selling.api.get(f"/commissions?rule={'x' * 65}", status=422)


async def sold(selling: Selling, invoice: str, amount: int, *, at: datetime = SOLD_AT) -> None:
    body = selling.sale(
        customer_external_id=f"user-{invoice}",
        invoice_id=invoice,
        amount=amount,
        occurred_at=at.isoformat(),
        click_id=selling.click(at - timedelta(days=1)),
    )
    await selling.api.post("/track/sale", body, status=200)


async def billed(selling: Selling, name: str, amount: int) -> None:
    """A sale of the same month by Stripe's webhook."""
    at = int(SOLD_AT.timestamp())
    paid = invoice(
        name,
        amount_paid=amount,
        total=amount,
        total_excluding_tax=amount,
        subscription_metadata={"click_id": selling.click(SOLD_AT - timedelta(days=1))},
        paid_at=at,
        created=at,
    )
    event = objects.event("invoice.paid", paid, livemode=True, created=at)
    assert (await selling.webhook(event))["state"] == "applied"


async def closed(selling: Selling) -> None:
    """What the worker does by and by."""
    await settle_due(selling.database)
    await mature_due(selling.database)


async def of_month(selling: Selling) -> list[Any]:
    """What the rule pays for the month, newest first."""
    begin, end = starts_at(MONTH), ends_at(MONTH)
    assert begin
    assert end
    span = f"from={begin:%Y-%m-%d}T00:00:00Z&to={end:%Y-%m-%d}T00:00:00Z"
    return await selling.api.all(
        f"/commissions?partner_id={selling.partner['id']}"
        f"&program_id={selling.program['id']}&rule=volume&{span}"
    )


async def settlements(selling: Selling, page: str = "") -> Any:
    program = selling.program["id"]
    path = f"/partners/{selling.partner['id']}/settlements?program_id={program}{page}"
    return await selling.api.get(path)


async def listed(selling: Selling, *, rule: str) -> list[int]:
    found = await selling.api.all(f"/commissions?rule={rule}")
    return [one["amount"] for one in found]
