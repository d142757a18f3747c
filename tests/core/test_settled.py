"""Sales that an earlier system has settled: they bind, count, and pay nobody, in every order."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest

from app.core.events import Event, Lead, Payment
from tests.core.made_worlds import plan_with, world_of
from tests.core.pure_road import PureRoad, owed
from tests.core.telling import ANA, BO, click, dispute, lead, refund, sale, tell


def settled(event: Event, **changes: Any) -> Event:
    body = event.body
    assert isinstance(body, Lead | Payment)
    return replace(event, body=replace(body, settled=True), source="imported", **changes)


OLD = settled(sale("1", 100_00, click(-1, ANA), days=0))
AGAIN = sale("1", 100_00, days=0)
ELSEWHERE = sale("2", 100_00, days=0.5)
NEXT = sale("3", 50_00, click(19, BO), days=20)

STORIES: list[tuple[str, Sequence[Event], int, int]] = [
    ("history", [OLD], 0, 0),
    ("refunded", [OLD, refund("1", 40_00, days=2)], 0, 0),
    ("disputed", [OLD, dispute("1", 100_00, "lost", days=2)], 0, 0),
    ("told again", [OLD, AGAIN], 0, 0),
    ("told by another source under another id", [OLD, ELSEWHERE], 0, 20_00),
    ("a later sale", [OLD, AGAIN, NEXT], 10_00, 0),
    ("a customer", [settled(lead(click(-1, ANA), days=0)), NEXT], 10_00, 0),
    ("nothing that binds", [AGAIN, NEXT], 0, 0),
]
"""Events, and what Ana has pending and held in the end."""


@pytest.mark.parametrize(("name", "events", "pending", "held"), STORIES)
def test_what_was_settled_pays_nobody_in_any_order(
    name: str, events: Sequence[Event], pending: int, held: int
) -> None:
    for order in permutations(events):
        road = PureRoad(world_of(plan_with("fifth", hold_days=30)))
        tell(road, *order, at=25)
        left = {(a.role, a.partner_id): n for a, n in road.balances.items() if a.partner_id}
        wanted = {("pending", ANA): pending, ("held", ANA): held}
        assert {k: v for k, v in left.items() if v} == {k: v for k, v in wanted.items() if v}
        assert road.balances == owed(road)


def test_of_two_that_may_be_one_sale_the_one_that_could_be_paid_is_held() -> None:
    """Also where it is the earlier one, which otherwise would be the one that stands."""
    earlier = sale("2", 100_00, click(-2, ANA), days=-0.5)
    road = PureRoad(world_of(plan_with("fifth", hold_days=30)))
    tell(road, OLD, earlier, at=5)
    assert {a.role: n for a, n in road.balances.items() if a.partner_id and n} == {"held": 20_00}


def test_a_settled_sale_says_so_also_when_it_lacks_lines() -> None:
    """The invoice, whose figures win, knows nothing of the import and came without its lines."""
    assert isinstance(AGAIN.body, Payment)
    cut_off = replace(AGAIN, body=replace(AGAIN.body, authority=3, lines_complete=False))
    road = PureRoad(world_of(plan_with("fifth", hold_days=30)))
    tell(road, OLD, cut_off, at=5)
    (conversion,) = road.conversions.values()
    codes = [reason.code for reason in conversion.reasons]
    assert codes[-2:] == ["imported_as_paid", "lines_incomplete"]
    assert not conversion.awards
