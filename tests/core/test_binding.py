"""How long a customer belongs to whom it was credited, what ends that, and who comes then."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from app.core.binding_terms import months_after
from app.core.sale_facts import months_between
from app.core.world import Dated, World
from tests.core.made_worlds import LONG_AGO, plan_with, world_of
from tests.core.test_attribution import ANA, BO, FIRST, click, day
from tests.core.test_precedence import earners, folded, sale

FOUNDING = sale(0, click(-1, ANA))


def known(months: int = 0, *, ends: bool = False) -> World:
    return world_of(plan_with("base", binding=(months, ends), window=60))


def suspended(world: World, *changes: tuple[float, str]) -> World:
    """Ana's place in the first program, as it changes on given days."""
    states = (Dated(LONG_AGO, "active"), *(Dated(day(at), state) for at, state in changes))
    place = replace(world.enrollments[FIRST, ANA], states=states)
    return replace(world, enrollments={**world.enrollments, (FIRST, ANA): place})


def test_for_life_unless_the_plan_says_otherwise() -> None:
    assert earners(folded(known(), FOUNDING, sale(4_000, click(3_999, BO)))) == [ANA, ANA]


def test_after_its_term_touches_compete_anew() -> None:
    # Bound on 10 January at noon for a month: 31 days.
    result = folded(known(1), FOUNDING, sale(30.9), sale(31, click(20, BO)), sale(40))
    assert earners(result) == [ANA, ANA, BO, BO]
    _, _, anew, after = result.conversions
    ended = anew.reasons[0]
    assert (ended.code, ended.params["why"]) == ("binding_ended", "term")
    assert ended.params["ended_at"] == day(31).isoformat()
    # What had brought the customer then is told, and counts no more.
    assert [r.code for r in anew.reasons[:3]] == [
        "binding_ended",
        "before_binding",
        "touch_counted",
    ]
    assert (anew.bound_at, after.bound_at) == (day(31), day(31))
    # Ana again, by a new click; and then nobody, if nobody brought the customer again.
    assert earners(folded(known(1), FOUNDING, sale(31, click(30, ANA)))) == [ANA, ANA]
    assert earners(folded(known(1), FOUNDING, sale(31))) == [ANA, None]


def test_the_first_sale_since_the_end_is_the_new_first_one() -> None:
    late = sale(50, click(45, BO))
    assert earners(folded(known(1), FOUNDING, sale(40), late)) == [ANA, None, None]
    assert earners(folded(known(1), FOUNDING, late)) == [ANA, BO]


def test_one_binding_follows_another() -> None:
    sales = [sale(31 * n, click(31 * n - 1, BO if n % 2 else ANA)) for n in range(5)]
    assert earners(folded(known(1), *sales)) == [ANA, BO, ANA, BO, ANA]


def test_who_is_suspended_loses_the_customer_if_the_plan_says_so() -> None:
    gone = ((10, "suspended"), (20, "active"))
    sales = (FOUNDING, sale(15, click(14, BO)), sale(30))
    assert earners(folded(suspended(known(ends=True), *gone), *sales)) == [ANA, BO, BO]
    assert earners(folded(suspended(known(), *gone), *sales)) == [ANA, None, ANA]
    # For good: back again, she needs a touch since.
    alone = (FOUNDING, sale(30))
    assert earners(folded(suspended(known(ends=True), *gone), *alone)) == [ANA, None]
    reasons = folded(suspended(known(ends=True), *gone), *sales).conversions[1].reasons
    assert reasons[0].params["why"] == "suspended"


@pytest.mark.parametrize(
    ("start", "months", "end"),
    [
        ((2026, 1, 31), 1, (2026, 2, 28)),
        ((2027, 11, 30), 3, (2028, 2, 29)),
        ((2028, 2, 29), 12, (2029, 2, 28)),
        ((2026, 12, 1), 1, (2027, 1, 1)),
        ((2026, 5, 15), 24, (2028, 5, 15)),
    ],
)
def test_a_term_ends_as_a_rule_s_months_do(
    start: tuple[int, int, int], months: int, end: tuple[int, int, int]
) -> None:
    since = datetime(*start, 13, 5, tzinfo=UTC)
    over_at = months_after(since, months)
    assert over_at == datetime(*end, 13, 5, tzinfo=UTC)
    assert months_between(since, over_at) == months
    assert months_between(since, over_at.replace(minute=4)) == months - 1
