"""Totals that Postgres adds up are, to the cent and the key, those that the core counts."""

import random
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from app.conversions import summing
from app.conversions.proof.verify import verify
from app.conversions.requests import TrackIn
from app.core.periods import PERIODS, period_of
from app.core.tallies import Kept, TallyKey
from app.db.engine import Database
from app.ids import uuid7
from tests.making import Shop, ago, lead, make_shop, plan, refund, sale

WHOLE = {
    "by": "revenue",
    "period": "month",
    "mode": "whole",
    "steps": [
        {"from": {"amount": 0, "currency": "usd"}, "percent_bps": 1_111},
        {"from": {"amount": 10_000, "currency": "usd"}, "percent_bps": 2_000},
    ],
}
MUG = {"amount": 300, "currency": "usd"}
RULES: list[dict[str, Any]] = [
    {"id": "band", "pay": {"bands": WHOLE}},
    {"id": "lead", "adds": True, "match": {"kind": "lead"}, "pay": {"flat": MUG}},
    {"id": "credit", "adds": True, "pay": {"to": "partner", "as": "credit", "percent_bps": 777}},
    {
        "id": "gift",
        "adds": True,
        "pay": {"to": "partner", "as": "gift", "item": "mug", "quantity": 1, "cost": MUG},
    },
    {"id": "off", "pay": {"to": "customer", "as": "discount", "percent_bps": 333}},
]
NAMES = ("sales", "leads", *(f"{what}:{r['id']}" for r in RULES for what in ("rule", "base")))
AGES = (1, 20, 45, 120, 400)


def told(shop: Shop, chance: random.Random) -> Iterator[TrackIn]:
    """Sales of one, two or three partners, in two currencies, of which some goes back."""
    for number in range(60):
        customer, at = f"u{number % 40}", ago(days=chance.choice(AGES))
        clicks = [
            shop.click(partner, at - timedelta(days=days))
            for days, partner in enumerate(("ana", "bo", "cy"), 1)
            if chance.random() < 0.45
        ]
        if chance.random() < 0.2:
            yield lead(customer, at=at, clicks=clicks, name=f"n{number}")
            continue
        amount, currency = chance.randrange(1, 99_99), chance.choice(("usd", "eur"))
        yield sale(customer, f"i{number}", amount, at=at, clicks=clicks, currency=currency)
        if chance.random() < 0.3:
            gone = chance.choice((amount, max(1, amount // 3)))
            yield refund(f"i{number}", gone, currency=currency, at=at)


@pytest.fixture
async def shop(fresh_database: Database) -> Shop:
    shop = await make_shop(
        fresh_database, plan(RULES, model="linear", late_days=365), ["ana", "bo", "cy"]
    )
    for message in told(shop, random.Random(7)):
        await shop.tell(message)
    return shop


@pytest.mark.parametrize("at_once", [1, 7, 100_000])
async def test_both_ways_come_to_the_same(
    shop: Shop, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(summing, "_AT_ONCE", at_once)
    by_core, by_postgres = await both(shop)
    assert by_postgres == by_core
    seen = {(key.name, bool(key.currency)) for key in by_core}
    assert {(name, True) for name in NAMES if name[:4] in {"sale", "rule"}} <= seen
    assert {("leads", False), ("base:band", True), ("base:band", False)} <= seen
    assert not any(key.name == "base:credit" for key in by_core)
    parts = await shop.rows(
        "SELECT refunded > 0 AS gone, jsonb_array_length(credits) AS credits FROM conversions"
        " WHERE workspace_id = :workspace"
    )
    assert {(row.gone, row.credits) for row in parts} >= {
        (gone, credits_) for gone in (False, True) for credits_ in (1, 2, 3)
    }


async def test_what_is_left_after_refunds_is_rounded_as_the_core_does(shop: Shop) -> None:
    """Amounts that no sale of this shop has: with tax, tiny and huge, below zero, half a cent."""
    chance = random.Random(11)
    rows = await shop.rows(
        "SELECT id FROM conversions WHERE workspace_id = :workspace AND kind <> 'lead'"
    )
    for _ in range(5):
        async with shop.database.tx() as tx:
            driver = await tx.driver()
            await driver.execute("SET session_replication_role = replica")
            for row in rows:
                gross = chance.choice((0, 1, 2, 4, 10_000, chance.randrange(1, 10**12)))
                base = chance.choice((-3, 0, 1, 3, gross, gross * 5 // 6, 10**12))
                gone = chance.choice((0, gross // 4, gross // 2, gross)) if gross else 0
                await driver.execute(
                    "UPDATE conversions SET gross = $2, base = $3, refunded = $4 WHERE id = $1",
                    row.id,
                    gross,
                    base,
                    gone,
                )
            await driver.execute("SET session_replication_role = DEFAULT")
        by_core, by_postgres = await both(shop)
        assert by_postgres == by_core


async def test_totals_that_are_begun_anew_go_on_where_they_were(shop: Shop) -> None:
    async with shop.database.tx() as tx:
        driver = await tx.driver()
        await driver.execute("DELETE FROM tally_periods")
        await driver.execute("DELETE FROM tallies")
    for days in AGES:
        at = ago(days=days)
        clicks = [shop.click("ana", at - timedelta(days=1))]
        await shop.tell(sale("later", f"later-{days}", 50_00, at=at, clicks=clicks))
    rows = await shop.rows(
        "SELECT name FROM tallies WHERE workspace_id = :workspace AND name = 'rule:band'"
    )
    assert rows
    assert (await verify(shop.database)).findings == ()


async def both(shop: Shop) -> tuple[dict[TallyKey, int], dict[TallyKey, int]]:
    program = shop.programs["main"]
    periods = {period_of(ago(days=days), kind) for days in AGES for kind in PERIODS}
    kept: list[Kept] = [(program, name, period) for name in NAMES for period in sorted(periods)]
    async with shop.database.read() as read:
        driver = await read.driver()
        assert await summing.summed_at_once(driver, uuid7(), program, kept) == {}
        return (
            await summing.summed(driver, shop.workspace, program, kept),
            await summing.summed_at_once(driver, shop.workspace, program, kept),
        )
