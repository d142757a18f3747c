"""Back-tests agree with what is decided live, to the cent, however they are interrupted."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import insert, text

from app.conversions.backtest import jobs
from app.conversions.backtest.compare import Totals
from app.conversions.backtest.part import compare_part
from app.conversions.requests import TrackIn
from app.db import tables as t
from app.db.engine import Database
from app.ids import uuid7
from tests.making import Shop, add_program, lead, make_shop, plan, refund, sale
from tests.trying import ask, claimed, draft, finish, through, told, totals

PERIOD = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC)
WHEN = "customer.value > 20000 || sale.payment > 2"
BASE = {"id": "base", "pay": {"percent_bps": 2_000}}
CUSTOMER_CAP = {
    "per": "customer",
    "amount": {"amount": 4_000, "currency": "usd"},
    "period": "month",
}
PARTNER_CAP = {"per": "partner", "amount": {"amount": 9_000, "currency": "usd"}, "period": "month"}
PLANS: dict[str, dict[str, Any]] = {
    "plain": plan([BASE]),
    "linear, conditions": plan(
        [{"id": "loyal", "when": WHEN, "pay": {"percent_bps": 2_500}}, BASE], model="linear"
    ),
    "first click, short window": plan([BASE], model="first_click", window_days=3),
    "capped per customer": plan([{**BASE, "cap": CUSTOMER_CAP}], model="position_based"),
    "a bonus, months": plan(
        [
            {"id": "first", "match": {"new": True}, "pay": {"percent_bps": 900}, "adds": True},
            {"id": "year", "pay": {"percent_bps": 1_500, "months": 2}},
        ],
    ),
    "capped per partner": plan([{**BASE, "cap": PARTNER_CAP}]),
    "nothing": plan([]),
}


async def in_force(shop: Shop) -> UUID:
    (row,) = await shop.rows("SELECT id FROM plan_versions WHERE workspace_id = :workspace")
    return UUID(str(row.id))


async def happen(shop: Shop, first_day: int = 0) -> None:
    """The same half-year in any shop, a few customers at a time.

    first_day: of the period, from which on customers come.
    """
    chance = random.Random(5)
    for batch in range(4):
        requests: list[TrackIn] = []
        for number in range(8):
            at = PERIOD[0] + timedelta(days=chance.randrange(first_day, 150), hours=number / 3)
            requests += _bought(shop, f"c{batch}-{number}", at, chance)
        await shop.tell(*requests)


def _bought(shop: Shop, who: str, at: datetime, chance: random.Random) -> Iterator[TrackIn]:
    touched = [at - timedelta(days=chance.randrange(1, 9)) for _ in range(chance.randrange(3))]
    clicks = [shop.click(chance.choice(["ana", "bo", "cy"]), one) for one in touched]
    yield lead(who, at=at, clicks=clicks)
    for number in range(chance.randrange(1, 6)):
        bought_at = at + timedelta(days=20 * number, hours=1)
        amount, invoice = chance.randrange(1_00, 300_00), f"{who}-{number}"
        yield sale(who, invoice, amount, at=bought_at, subscription=f"{who}-sub")
        if chance.random() < 0.3:
            back = chance.choice([amount, amount // 3])
            yield refund(invoice, back, at=bought_at + timedelta(days=2))


async def live(shop: Shop) -> dict[str, tuple[int, int]]:
    """What is recorded of the period: awarded and reversed, by currency."""
    rows = await shop.rows(
        "SELECT currency, sum(amount) AS a, sum(reversed) AS b FROM commissions"
        " WHERE workspace_id = :workspace AND occurred_at >= :a AND occurred_at < :b"
        " GROUP BY currency",
        a=PERIOD[0],
        b=PERIOD[1],
    )
    return {row.currency: (int(row.a), int(row.b)) for row in rows}


async def tried(shop: Shop, version: UUID) -> tuple[UUID, dict[str, Any]]:
    backtest = await ask(shop, version, *PERIOD)
    await finish(shop.database, backtest)
    found = await told(shop, backtest)
    assert (found["state"], found["sales_done"]) == ("done", found["sales"])
    return backtest, found


@pytest.mark.parametrize("terms", PLANS)
async def test_the_plan_in_force_differs_from_itself_in_nothing(
    terms: str, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "PART_SALES", 20)
    shop = await make_shop(database, PLANS[terms], ["ana", "bo", "cy"])
    await happen(shop, first_day=-40)
    backtest, found = await tried(shop, await in_force(shop))
    assert found["sales"] > 60
    assert (found["sales_otherwise"], found["sales_unlike"]) == (0, 0)
    recorded = await live(shop)
    assert await totals(shop, backtest) == {c: (*two, *two) for c, two in recorded.items()}


@pytest.mark.parametrize("terms", PLANS)
async def test_a_draft_gives_what_it_would_have_given_live(
    terms: str, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside a shop where the same happened under the draft."""
    monkeypatch.setattr(jobs, "PART_SALES", 20)
    here = await make_shop(database, plan([{"id": "old", "pay": {"percent_bps": 700}}]), [*"abc"])
    here.links = dict(zip(["ana", "bo", "cy"], here.links.values(), strict=True))
    there = await make_shop(database, PLANS[terms], ["ana", "bo", "cy"])
    await happen(here)
    await happen(there)
    backtest, found = await tried(here, await draft(here, PLANS[terms]))
    assert found["sales_unlike"] == 0
    sums = await totals(here, backtest)
    assert {c: four[2:] for c, four in sums.items() if any(four[2:])} == await live(there)
    assert {c: four[:2] for c, four in sums.items()} == await live(here)


@pytest.mark.parametrize("terms", ["plain", "capped per partner"])
async def test_a_start_that_dies_loses_and_doubles_nothing(
    terms: str, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "PART_SALES", 20)
    shop = await make_shop(database, plan([{"id": "old", "pay": {"percent_bps": 700}}]), [*"abc"])
    shop.links = dict(zip(["ana", "bo", "cy"], shop.links.values(), strict=True))
    await happen(shop)
    version = await draft(shop, PLANS[terms])
    whole, _ = await tried(shop, version)

    broken = await ask(shop, version, *PERIOD)
    first = await claimed(database, broken)
    trial, part = await jobs.load(database, first), await jobs.take(database, first)
    assert trial is not None
    assert part is not None
    async with database.read() as read:
        driver = await read.driver()
        tally = await compare_part(driver, trial, part.customers, part.decision_no, Totals())
    assert await jobs.put(database, first, part, tally)
    lost = await jobs.take(database, first)
    assert lost is not None
    assert (await told(shop, broken))["sales_done"] == part.sales
    await _fall_silent(shop, broken)
    second = await claimed(database, broken)
    assert await jobs.take(database, first) is None
    assert not await jobs.put(database, first, lost, tally)
    await through(database, second)

    assert await totals(shop, broken) == await totals(shop, whole)
    assert (await told(shop, broken))["state"] == "done"


async def test_one_runs_in_a_workspace_and_the_next_waits(database: Database) -> None:
    shop = await make_shop(database)
    first, second = [await ask(shop, await in_force(shop), *PERIOD) for _ in range(2)]
    job = await claimed(database, first)
    with pytest.raises(AssertionError, match="not to be had"):
        await claimed(database, second)
    await through(database, job)
    await finish(database, second)


async def test_what_dies_again_and_again_has_failed(database: Database) -> None:
    shop = await make_shop(database)
    backtest = await ask(shop, await in_force(shop), *PERIOD)
    for _ in range(jobs.MAX_ATTEMPTS):
        await claimed(database, backtest)
        await _fall_silent(shop, backtest)
    with pytest.raises(AssertionError, match="not to be had"):
        await claimed(database, backtest)
    found = await told(shop, backtest)
    assert (found["state"], found["problem"]) == ("failed", "The process that ran it died.")


async def test_a_version_that_is_no_plan_stands_in_nobody_s_way(database: Database) -> None:
    shop = await make_shop(database)
    first = await in_force(shop)
    broken = uuid7()
    async with shop.database.tx() as tx:
        await tx.execute(
            insert(t.PlanVersion).values(
                id=broken,
                workspace_id=shop.workspace,
                program_id=shop.programs["main"],
                version=2,
                document={"rules": []},
            )
        )
    backtest, behind = await ask(shop, broken, *PERIOD), await ask(shop, first, *PERIOD)
    with pytest.raises(AssertionError, match="not to be had"):
        await claimed(database, backtest)
    found = await told(shop, backtest)
    assert found["state"] == "failed"
    assert str(found["problem"]).startswith("No plan")
    await finish(database, behind)


async def test_what_can_t_be_begun_fails_after_its_tries(database: Database) -> None:
    """Postgres refuses its parts; others' back-tests run meanwhile."""
    shop = await make_shop(database)
    backtest = await ask(shop, await in_force(shop), *PERIOD)
    elsewhere = await make_shop(database)
    other = await ask(elsewhere, await in_force(elsewhere), *PERIOD)
    async with database.tx() as tx:
        driver = await tx.driver()
        await driver.execute(
            f"ALTER TABLE backtests ADD CONSTRAINT no_begin CHECK"
            f" (workspace_id <> '{shop.workspace}' OR decision_no IS NULL)"
        )
    try:
        for _ in range(jobs.MAX_ATTEMPTS):
            assert await jobs.claim(database) is None
            assert (await told(shop, backtest))["state"] == "running"
            await _fall_silent(shop, backtest)
        assert await jobs.claim(database) is None
        await finish(database, other)
    finally:
        async with database.tx() as tx:
            driver = await tx.driver()
            await driver.execute("ALTER TABLE backtests DROP CONSTRAINT no_begin")
    found = await told(shop, backtest)
    assert found["state"] == "failed"
    assert "no_begin" in str(found["problem"])


async def test_two_programs_compete_and_the_winner_may_change(database: Database) -> None:
    """A longer window lets the program take a sale that went to another one."""
    shop = await make_shop(database, plan([BASE], window_days=1), ["ana"])
    async with database.tx() as tx:
        await add_program(
            tx, shop, "other", plan([{"id": "o", "pay": {"percent_bps": 500}}]), ["bo"]
        )
    at = PERIOD[0] + timedelta(days=30)
    clicks = [
        shop.click("other/bo", at - timedelta(days=9)),
        shop.click("ana", at - timedelta(days=5)),
    ]
    await shop.tell(sale("c", "i", 100_00, at=at, clicks=clicks))
    _, found = await tried(shop, await draft(shop, plan([BASE], window_days=30)))
    assert found["sales_otherwise"] == 1
    rows = await shop.rows(
        "SELECT partner_id, present_awarded AS now, tried_awarded AS then FROM backtest_sums"
        " WHERE workspace_id = :workspace"
    )
    assert {row.partner_id: (int(row.now), int(row.then)) for row in rows} == {
        shop.partners["bo"]: (5_00, 0),
        shop.partners["ana"]: (0, 20_00),
    }


async def _fall_silent(shop: Shop, backtest: UUID) -> None:
    async with shop.database.tx() as tx:
        await tx.execute(
            text(
                "UPDATE backtests SET touched_at = touched_at - make_interval(secs => 60)"
                " WHERE workspace_id = :w AND id = :b"
            ).bindparams(w=shop.workspace, b=backtest)
        )
