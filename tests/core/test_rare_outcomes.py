"""What seldom happens to a sale, each on a whole road, with its reason and what is then owed."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from app.core.events import CodeTouch, Line
from app.core.money import MAX_AMOUNT
from app.core.plans import Plan, parse
from app.core.sales import DUPLICATE
from app.core.world import CodeFact, Dated, World
from tests.core.made_worlds import LONG_AGO, START, world_of
from tests.core.pure_road import PureRoad, owed
from tests.core.telling import ANA, BO, CY, FIRST, click, day, dispute, named, sale, tell

FIFTH: dict[str, Any] = {"id": "fifth", "pay": {"percent_bps": 2_000}}


def plan(*rules: dict[str, Any], **attribution: Any) -> Plan:
    return parse(
        {
            "hold_days": 30,
            "attribution": {"model": "last_click", "window_days": 60, **attribution},
            "combine": "first_match",
            "rules": [*rules, FIFTH],
        }
    )


def codes(road: PureRoad) -> set[str]:
    return {reason.code for one in road.conversions.values() for reason in one.reasons}


def earned(road: PureRoad) -> list[int]:
    assert road.balances == owed(road)
    awards = [award for one in road.conversions.values() for award in one.awards]
    return sorted(award.amount - award.reversed for award in awards)


def test_what_can_not_be_booked_is_told_and_pays_nothing() -> None:
    each = {"amount": MAX_AMOUNT, "currency": "eur"}
    road = PureRoad(world_of(plan({"id": "each", "pay": {"flat": each, "per": "unit"}})))
    event = sale("1", 100_00, click(-1))
    lines = (Line("pro", 100_00, 2),)
    tell(road, replace(event, body=replace(event.body, lines=lines)), at=0)  # type: ignore[arg-type]
    assert "amount_beyond_limit" in codes(road)
    assert earned(road) == []


def test_a_code_counts_while_it_is_valid() -> None:
    for days, pays in ((1, [20_00]), (11, [])):
        road = PureRoad(_with_code(world_of(plan()), ends=10))
        tell(road, sale("1", 100_00, CodeTouch("SPRING", day(days)), days=days), at=days)
        assert ("code_not_valid" in codes(road)) is not bool(pays)
        assert earned(road) == pays


def _with_code(world: World, *, ends: float) -> World:
    states = (Dated(LONG_AGO, "active"), Dated(day(ends), "ended"))
    code = CodeFact(UUID(int=0xE0), "SPRING", FIRST, BO, states)
    names = {"SPRING": (Dated(LONG_AGO, str(code.id)),)}
    return replace(world, codes={code.id: code}, code_names=names)


@pytest.mark.parametrize("to", ["recruiter", "company"])
@pytest.mark.parametrize(
    ("of_it", "reason"), [("suspended", "_suspended"), ("customer", "_is_customer")]
)
def test_who_is_suspended_or_is_the_customer_gets_nothing_of_anothers_sale(
    to: str, of_it: str, reason: str
) -> None:
    above = {"id": "above", "pay": {"to": to, "percent_bps": 500}}
    world = world_of(plan(above))
    world = replace(
        world,
        recruiters={(FIRST, ANA): CY},
        companies={ANA: (Dated(LONG_AGO, str(CY)),)},
    )
    if of_it == "suspended":
        states = (Dated(LONG_AGO, "active"), Dated(START - timedelta(days=1), "suspended"))
        place = replace(world.enrollments[FIRST, CY], states=states)
        world = replace(world, enrollments={**world.enrollments, (FIRST, CY): place})
    road = PureRoad(world)
    tell(road, named(), at=-1)
    if of_it == "customer":
        road.owners = {CY: next(iter(road.customers))}
    tell(road, sale("1", 100_00, click(-1)), at=0)
    assert f"{to}{reason}" in codes(road)
    assert earned(road) == [20_00]


def test_a_share_below_the_least_goes_to_the_others() -> None:
    weights = {"first": 7_000, "middle": 1_000, "last": 2_000}
    terms = plan(model="position_based", weights_bps=weights, min_share_bps=1_500)
    road = PureRoad(world_of(terms))
    tell(road, sale("1", 100_00, click(-3, ANA), click(-2, BO), click(-1, CY)), at=0)
    assert "share_too_small" in codes(road)
    # 7,000 and 2,000 of what is left: 7,778 and 2,222 of 10,000.
    assert earned(road) == [4_44, 15_56]


@pytest.mark.parametrize("words", [("lost",), ("lost", "won")])
def test_a_persons_word_on_a_duplicate_decides_until_the_next_word(words: tuple[str, ...]) -> None:
    road = PureRoad(world_of(plan()))
    tell(road, sale("1", 100_00, click(-1)), at=0)
    for n, state in enumerate(words, 1):
        tell(road, dispute("1", 100_00, state, days=n, dispute_id=DUPLICATE), at=n)
    lost = words[-1] == "lost"
    assert ("duplicate_sale" if lost else "not_duplicate_sale") in codes(road)
    assert earned(road) == ([0] if lost else [20_00])
