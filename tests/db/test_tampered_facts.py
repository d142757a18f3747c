"""`verify` names a decision whose facts are not as decisions write them, and goes on."""

import asyncio
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any, Final

import orjson
import pytest
from pydantic import SecretStr

from app import commands
from app.conversions.proof.shape import unreadable
from app.conversions.proof.verify import Verdict, verify
from app.conversions.true_ups import settle_due
from app.db.engine import Database
from app.settings import Settings
from tests.making import Shop, ago, make_shop, now, plan, sale

TAMPERED: Final = 2
"""The decision whose facts are changed; another customer's is changed by a cent, to be found."""
OTHERS: Final[tuple[Any, ...]] = (
    None, True, 0, -1.5, "", "x", [], [None], [[]], {}, {"x": None}, 1e300, "2026-01-01T00:00:00",
)  # fmt: skip
TOP: Final = ("as_of", "now", "engine", "absorbed", "events", "world", "tallies")
NESTED: Final = (
    *("events.0.id", "events.0.kind", "events.0.body", "events.0.people", "events.0.touches"),
    *("events.0.received_at", "events.0.occurred_at", "events.0.program_ids", "events.0.source"),
    *("events.0.body.currency", "events.0.body.gross", "events.0.body.lines", "events.0.country"),
    *("world.links", "world.programs", "world.enrollments", "world.recruiters"),
    *("world.companies", "world.qualified", "world.agreements", "world.codes", "world.selves"),
    *("world.precedence", "world.referrers", "world.enrollments.0", "world.enrollments.0.2"),
    *("tallies.0", "tallies.0.2", "tallies.0.4", "tallies.0.5"),
)
TERMS: Final[dict[str, Any]] = {
    "hold_days": 14,
    "attribution": {"model": "last_click", "window_days": 30},
    "combine": "first_match",
    "rules": [
        {
            "id": "base",
            "when": "partner.tier != 'gold'",
            "pay": {"percent_bps": 2_000},
            "cap": {"per": "partner", "period": "month", "count": 12},
        }
    ],
}


async def sold(database: Database) -> Shop:
    """Three customers, whose sales count in one partner's total."""
    shop = await make_shop(database, TERMS)
    for number in (1, 2, 3):
        clicks = [shop.click("ana", ago(days=2))]
        await shop.tell(sale(f"u{number}", f"i{number}", 100_00, clicks=clicks))
    return shop


@pytest.fixture
async def shop(fresh_database: Database) -> Shop:
    return await sold(fresh_database)


async def test_every_tampered_part_is_named_and_the_rest_is_verified(shop: Shop) -> None:
    whole = await facts_of(shop)
    assert (await verify(shop.database)).findings == ()
    await as_owner(
        shop,
        "UPDATE commissions SET base = base + 1 WHERE conversion_id IN"
        " (SELECT id FROM conversions WHERE key LIKE '%i3')",
    )
    (cent,) = places(await verify(shop.database))
    for name, tampered in battery(whole, (*TOP, *NESTED)):
        await tamper(shop, tampered)
        named = places(await verify(shop.database))
        assert f"decision {TAMPERED}" in named, name
        assert cent in named, name
        assert "decision 1" not in named, name


@pytest.mark.parametrize("name", TOP)
async def test_a_part_that_is_null_or_missing_is_told_by_its_name(shop: Shop, name: str) -> None:
    whole = await facts_of(shop)
    for tampered in (without(whole, name), with_other(whole, name, None)):
        if name == "tallies" and name not in tampered:
            continue
        await tamper(shop, tampered)
        told = [f.problem for f in (await verify(shop.database)).findings]
        assert any(one.startswith(f"its facts can't be read: {name} ") for one in told), told


async def test_settled_periods_are_named_too(fresh_database: Database) -> None:
    bands = {
        "period": "month",
        "mode": "whole",
        "by": "sales",
        "steps": [{"from": 1, "percent_bps": 1_000}, {"from": 2, "percent_bps": 2_000}],
    }
    rule = {"id": "base", "pay": {"bands": bands}}
    shop = await make_shop(fresh_database, plan([rule], hold_days=14, late_days=0))
    at = (now().replace(day=1) - timedelta(days=40)).replace(day=10)
    await shop.tell(sale("u1", "i1", 100_00, at=at, clicks=[shop.click("ana", at)]))
    assert await settle_due(fresh_database) == 1
    assert (await verify(fresh_database)).findings == ()
    whole = await facts_of(shop)
    parts = [f"true_up.{name}" for name in whole["true_up"]]
    for name, tampered in battery(whole, ("as_of", "now", "engine", "true_up", "tallies", *parts)):
        await tamper(shop, tampered)
        named = places(await verify(fresh_database))
        assert f"decision {TAMPERED}" in named, name
        assert "decision 1" not in named, name


@pytest.mark.parametrize(
    ("tampered", "said"),
    [
        (None, "they are null, not an object"),
        ([], "they are a list, not an object"),
        (7, "they are a number, not an object"),
        ({"as_of": "soon"}, "as_of is not an instant"),
        ({}, "as_of is missing"),
    ],
)
async def test_the_command_says_what_is_wrong_and_exits_1(
    shop: Shop, capsys: pytest.CaptureFixture[str], tampered: Any, said: str
) -> None:
    await tamper(shop, tampered)
    settings = Settings(database_url=SecretStr(shop.database.url), secret_keys=("-" * 32,))
    assert await asyncio.to_thread(commands.verify, settings) == 1
    told = capsys.readouterr().out
    assert f"decision {TAMPERED}: its facts can't be read: {said}\n" in told
    assert "3 decisions and " in told


def test_what_is_told_of_a_part_names_the_part() -> None:
    for name in ("events", "world"):
        row = {"customer_id": "x", "facts": {**_WHOLE, name: 7}}
        assert str(unreadable(row)).startswith(f"{name} is not ")
    assert unreadable({"customer_id": "x", "facts": _WHOLE}) is None


_WHOLE: Final[dict[str, Any]] = {
    "as_of": "2026-01-01T00:00:00+00:00",
    "now": "2026-01-01T00:00:00+00:00",
    "engine": 1,
    "absorbed": [],
    "events": [],
    "world": {"links": {}, "programs": {}, "enrollments": []},
}


def battery(whole: Any, paths: Iterable[str]) -> Iterator[tuple[str, Any]]:
    """Facts with something else in their place, without a part, or with another one in its place;
    each with what is wrong in it.
    """
    yield from ((f"all {other!r}", other) for other in OTHERS)
    yield from ((f"no {name}", without(whole, name)) for name in whole)
    for path in paths:
        for other in OTHERS:
            tampered = with_other(whole, path, other)
            if tampered != whole:
                yield f"{path} is {other!r}", tampered


def without(facts: Any, name: str) -> Any:
    return {key: value for key, value in facts.items() if key != name}


def with_other(facts: Any, path: str, other: Any) -> Any:
    """The same with something else at a place; where a part is optional, it is added."""
    copy = orjson.loads(orjson.dumps(facts))
    place = copy
    *way, last = path.split(".")
    for step in way:
        place = place[int(step) if step.isdigit() else step]
    place[int(last) if last.isdigit() else last] = other
    return copy


async def facts_of(shop: Shop) -> Any:
    async with shop.database.read() as read:
        driver = await read.driver()
        return await driver.fetchval("SELECT facts FROM decisions WHERE decision_no = $1", TAMPERED)


async def tamper(shop: Shop, facts: Any) -> None:
    written = orjson.dumps(facts).decode()
    await as_owner(
        shop, "UPDATE decisions SET facts = $2::jsonb WHERE decision_no = $1", TAMPERED, written
    )


async def as_owner(shop: Shop, statement: str, *values: Any) -> None:
    async with shop.database.tx() as tx:
        driver: Any = await tx.driver()
        await driver.execute("SET session_replication_role = replica")
        await driver.execute(statement, *values)
        await driver.execute("SET session_replication_role = DEFAULT")


def places(verdict: Verdict) -> set[str]:
    return {finding.place for finding in verdict.findings}
