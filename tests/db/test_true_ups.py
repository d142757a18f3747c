"""Periods settled in Postgres: one true-up each, provable, whatever comes at the same time."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, text

from app.conversions.proof.verify import verify
from app.conversions.true_ups import settle_due
from app.core.periods import period_of
from app.core.plans import canonical, parse
from app.db import tables as t
from app.db.engine import Database
from app.explain import explained
from app.ids import encode, uuid7
from app.ledger.mature import mature_due
from tests.making import Shop, make_shop, now, plan, refund, sale


def whole(
    *steps: tuple[int, int], by: str = "revenue", period: str = "month", currency: str = "usd"
) -> dict[str, Any]:
    """steps: where each begins, and its rate."""
    begins = [{"amount": n, "currency": currency} if by == "revenue" else n for n, _ in steps]
    told = [
        {"from": begin, "percent_bps": rate} for begin, (_, rate) in zip(begins, steps, strict=True)
    ]
    bands = {"by": by, "period": period, "mode": "whole", "steps": told}
    return plan([{"id": "base", "pay": {"bands": bands}}], hold_days=14, late_days=0)


TERMS = whole((0, 1_000), (20_000, 2_000))
PAST = (now().replace(day=1) - timedelta(days=40)).replace(day=10)
"""In a month that has ended long enough ago."""


@pytest.fixture
async def shop(fresh_database: Database) -> Shop:
    return await make_shop(fresh_database, TERMS)


async def bought(
    shop: Shop, invoice: str, amount: int, *, at: datetime = PAST, by: str = "ana", **more: Any
) -> None:
    click = shop.click(by, at - timedelta(days=1))
    await shop.tell(sale(f"u-{invoice}", invoice, amount, at=at, clicks=[click], **more))


async def true_ups(shop: Shop) -> list[tuple[int, int, str]]:
    """Base, amount and status of each."""
    return [
        (row.base, row.amount, row.status)
        for row in await shop.commissions()
        if row.conversion_id is None
    ]


async def settle(shop: Shop) -> int:
    # What is just received may wait for its settlement for as long as it waits for its close.
    return await settle_due(shop.database)


async def holds(shop: Shop) -> None:
    assert (await verify(shop.database)).findings == ()


async def test_all_sales_of_a_period_are_paid_by_the_rate_that_it_reached(shop: Shop) -> None:
    await bought(shop, "i1", 12_000)
    await bought(shop, "i2", 8_000)
    await bought(shop, "i3", 50_000, by="bo", at=now())
    assert sorted(row.amount for row in await shop.commissions()) == [800, 1_200, 5_000]
    await holds(shop)
    assert await settle(shop) == 1
    # 20 % of 200.00, less 20.00 that the sales were paid.
    assert await true_ups(shop) == [(20_000, 2_000, "pending")]
    await holds(shop)
    await mature_due(shop.database)
    assert await true_ups(shop) == [(20_000, 2_000, "payable")]
    # The sales were told only now, and close a moment later.
    assert await shop.balance("ana") == {"pending": 2_000, "payable": 2_000}
    assert await settle(shop) == 0
    await holds(shop)
    (row,) = [row for row in await shop.commissions() if row.conversion_id is None]
    told = await explained(str(shop.database.url), encode("com", row.id))
    within = period_of(PAST, "month")
    assert told is not None
    assert (
        f"In {within} the partner sold for 200.00 USD, for which the rule `base` pays 20 % of"
        " 200.00 USD. 20.00 USD was paid sale by sale; 20.00 USD was left."
    ) in told


async def test_a_cent_below_the_step_nothing_is_left(shop: Shop) -> None:
    await bought(shop, "i1", 19_999)
    assert await settle(shop) == 1
    assert await true_ups(shop) == []
    assert await settle(shop) == 0
    await holds(shop)


async def test_volume_is_net_of_what_went_back_before(shop: Shop) -> None:
    await bought(shop, "i1", 20_000)
    await bought(shop, "i2", 10_000)
    await shop.tell(refund("i2", 5_000, refund_id="r1", at=PAST + timedelta(days=3)))
    assert await settle(shop) == 1
    # 20 % of 250.00, less 20.00 and half of 10.00.
    assert await true_ups(shop) == [(25_000, 2_500, "pending")]
    await holds(shop)


async def test_what_comes_after_the_settlement_changes_nothing_of_it(shop: Shop) -> None:
    await bought(shop, "i1", 20_000)
    assert await settle(shop) == 1
    await shop.tell(refund("i1", 20_000, refund_id="r1"))
    await bought(shop, "i2", 90_000)
    assert await settle(shop) == 0
    assert await true_ups(shop) == [(20_000, 2_000, "pending")]
    reversed_ = {row.amount: row.reversed for row in await shop.commissions() if row.conversion_id}
    assert reversed_ == {2_000: 2_000, 9_000: 0}
    await holds(shop)


async def test_two_workers_settle_a_period_once(shop: Shop) -> None:
    for n in range(5):
        await bought(shop, f"i{n}", 10_000)
    other = Database(shop.database.url)
    try:
        counts = await asyncio.gather(
            *(settle_due(database) for database in (shop.database, other) * 3)
        )
    finally:
        await other.close()
    assert sum(counts) == 1
    assert await true_ups(shop) == [(50_000, 5_000, "pending")]
    await holds(shop)


async def test_a_period_waits_for_its_hold_and_for_what_was_received(shop: Shop) -> None:
    await bought(shop, "i1", 20_000)
    click = shop.click("ana", PAST)
    await shop.say(sale("u2", "i2", 10_000, at=PAST, clicks=[click]))
    async with shop.database.tx() as tx:
        late = PAST + timedelta(days=1)
        await tx.execute(
            text("UPDATE events SET received_at = :at WHERE state = 'received'").bindparams(at=late)
        )
    assert await settle(shop) == 0
    await shop.settle()
    assert await settle(shop) == 1
    assert await true_ups(shop) == [(30_000, 3_000, "pending")]


async def test_a_period_waits_while_one_of_its_sales_is_disputed(shop: Shop) -> None:
    await bought(shop, "i1", 20_000)
    await bought(shop, "i2", 20_000, by="bo")
    whose = shop.partners["ana"]
    async with shop.database.tx() as tx:
        held = "UPDATE commissions SET held = :held WHERE partner_id = :whose"
        await tx.execute(text(held).bindparams(held=1, whose=whose))
    assert await settle(shop) == 1
    assert await settle(shop) == 0
    async with shop.database.tx() as tx:
        await tx.execute(text(held).bindparams(held=0, whose=whose))
    assert await settle(shop) == 1
    await holds(shop)


async def test_terms_that_end_in_mid_period_settle_what_they_promised(shop: Shop) -> None:
    await bought(shop, "i1", 20_000, at=PAST)
    await publish(shop, plan([{"id": "other", "pay": {"percent_bps": 500}}]), PAST)
    await bought(shop, "i2", 10_000, at=PAST + timedelta(days=4))
    assert await settle(shop) == 1
    # The month comes to 300.00; 20 % of the 200.00 that the rule paid for, less 20.00.
    assert await true_ups(shop) == [(20_000, 2_000, "pending")]
    await holds(shop)


async def test_a_month_without_such_terms_is_passed_over(fresh_database: Database) -> None:
    shop = await make_shop(fresh_database, plan([{"id": "base", "pay": {"percent_bps": 500}}]))
    await bought(shop, "i1", 20_000)
    await publish(shop, TERMS, now())
    await shop.tell(refund("i1", 5_000, refund_id="r1"))
    assert await settle(shop) == 1
    assert await settle(shop) == 0
    assert await true_ups(shop) == []
    await holds(shop)


async def publish(shop: Shop, terms: dict[str, Any], after: datetime) -> None:
    since = after + timedelta(seconds=1)
    async with shop.database.tx() as tx:
        await tx.execute(
            insert(t.PlanVersion).values(
                id=uuid7(),
                workspace_id=shop.workspace,
                program_id=shop.programs["main"],
                version=2,
                document=canonical(parse(terms)),
                effective_from=since,
                published_at=since,
            )
        )


async def test_an_open_period_and_one_on_hold_are_not_settled(fresh_database: Database) -> None:
    terms = {**TERMS, "hold_days": 3_000}
    shop = await make_shop(fresh_database, terms)
    await bought(shop, "i1", 20_000)
    await bought(shop, "i2", 20_000, at=now())
    assert await settle(shop) == 0
    assert await true_ups(shop) == []


async def test_periods_that_lie_ahead_keep_none_that_is_due_from_its_settlement(
    shop: Shop,
) -> None:
    """However many they are, and wherever an index has them."""
    await bought(shop, "i1", 20_000)
    async with shop.database.tx() as tx:
        await tx.execute(
            text(
                "INSERT INTO tallies"
                " (workspace_id, program_id, partner_id, name, period, currency, total)"
                " SELECT :workspace, lpad(n::text, 32, '0')::uuid, :partner, 'base:base',"
                "   '2999-01', 'usd', 1 FROM generate_series(1, 10001) n"
            ).bindparams(workspace=shop.workspace, partner=shop.partners["bo"])
        )
    assert await settle(shop) == 1


async def test_a_version_published_in_mid_period_pays_all_of_it(fresh_database: Database) -> None:
    shop = await make_shop(fresh_database, plan([{"id": "base", "pay": {"percent_bps": 500}}]))
    await bought(shop, "i1", 20_000, at=PAST)
    await publish(shop, TERMS, PAST + timedelta(days=2))
    await bought(shop, "i2", 10_000, at=PAST + timedelta(days=4))
    assert await settle(shop) == 1
    # 20 % of 300.00, less 10.00 and 10.00.
    assert await true_ups(shop) == [(30_000, 4_000, "pending")]
    await holds(shop)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("UPDATE commissions SET amount = amount + 1 WHERE conversion_id IS NULL", "commission"),
        ("UPDATE commissions SET base = 7 WHERE conversion_id IS NULL", "commission"),
        ("UPDATE tallies SET settled_no = NULL", "tally"),
        ("DELETE FROM commissions WHERE conversion_id IS NULL", "commission"),
        (
            (
                "ALTER TABLE decisions DISABLE TRIGGER USER; UPDATE decisions SET facts ="
                " jsonb_set(facts, '{true_up,within}', '\"2020-01\"') WHERE customer_id IS NULL"
            ),
            "decision",
        ),
    ],
)
async def test_verify_finds_what_was_changed(shop: Shop, change: str, named: str) -> None:
    await bought(shop, "i1", 20_000)
    await settle(shop)
    async with shop.database.tx() as tx:
        for one in change.split(";"):
            await tx.execute(text(one))
    places = [finding.place for finding in (await verify(shop.database)).findings]
    assert any(place.startswith(named) for place in places), places
