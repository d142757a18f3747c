"""What holds for every history: order, repetition and batching decide nothing in the window."""

from collections import defaultdict
from dataclasses import fields, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.conversions import Conversion
from app.core.drafts import History
from app.core.fold import fold
from tests.core.made_worlds import HEARD
from tests.core.pure_road import WORKSPACE, PureRoad, owed
from tests.core.stories import Story, heard, stories

CLOSED = HEARD + timedelta(days=200)
"""After everything that was heard by HEARD has closed."""


@settings(max_examples=500)
@given(stories(), st.data())
def test_any_order_and_repetition_in_the_window_ends_equal(
    story: Story, data: st.DataObject
) -> None:
    one_by_one, otherwise, at_once = (PureRoad(story.world) for _ in range(3))
    for event in heard(story.events):
        one_by_one.receive(event)
    numbers = range(len(story.events))
    repeated = data.draw(st.lists(st.sampled_from(numbers), max_size=3), label="repeated")
    order = data.draw(st.permutations((*numbers, *repeated)), label="order")
    for batch in _cut(heard(story.events[n] for n in order), data):
        otherwise.receive(*batch)
    at_once.receive(*heard(reversed(story.events)))
    assert_equal(otherwise, one_by_one)
    assert_equal(at_once, one_by_one)
    for road in (one_by_one, otherwise, at_once):
        assert road.balances == owed(road)


@given(stories(), st.data())
def test_after_the_close_any_order_ends_equal_and_only_what_goes_back_moves_what_closed(
    story: Story, data: st.DataObject
) -> None:
    numbers = range(len(story.events))
    late = sorted(data.draw(st.sets(st.sampled_from(numbers)), label="late"))
    early = [event for n, event in enumerate(story.events) if n not in late]
    orders = (late, data.draw(st.permutations(late), label="in another order"))
    roads = [PureRoad(story.world) for _ in orders]
    for road, order in zip(roads, orders, strict=True):
        road.receive(*heard(early))
        road.mature(CLOSED)
        before = road.conversions
        for event in heard((story.events[n] for n in order), since=CLOSED):
            road.receive(event)
        for conversion in before.values():
            after = road.conversions.get(conversion.id)
            if conversion.credits:
                assert after is not None
                assert frozen(after) == frozen(conversion)
            elif after is not None:
                assert after.credits == ()
        assert road.balances == owed(road)
    assert_equal(*roads)


@given(stories(hold_days=(0, 80, 120)), st.data())
def test_a_backlog_across_closes_is_decided_at_once_as_one_by_one(
    story: Story, data: st.DataObject
) -> None:
    split = data.draw(st.integers(0, len(story.events)), label="split")
    every = data.draw(st.sampled_from((timedelta(hours=7), timedelta(days=9))), label="every")
    at_once, one_by_one = PureRoad(story.world), PureRoad(story.world)
    for road in (at_once, one_by_one):
        road.receive(*heard(story.events[:split]))
    backlog = heard(story.events[split:], since=HEARD + timedelta(hours=4), every=every)
    at_once.receive(*backlog, now=CLOSED)
    for event in backlog:
        one_by_one.receive(event, now=CLOSED)
    assert_equal(at_once, one_by_one)


@given(stories(), st.data())
def test_the_fold_is_a_function_of_what_is_known(story: Story, data: st.DataObject) -> None:
    road = PureRoad(story.world)
    road.receive(*heard(story.events))
    for known in road.customers.values():
        events, prior = tuple(known.events.values()), tuple(known.conversions.values())
        history = History(WORKSPACE, events, prior, as_of=HEARD, now=CLOSED)
        folded = fold(history, story.world)
        assert fold(history, story.world) == folded
        shuffled = replace(
            history,
            events=tuple(data.draw(st.permutations(events))),
            prior=tuple(data.draw(st.permutations(prior))),
        )
        assert fold(shuffled, story.world) == folded
        # Nothing new: all stands as it stood.
        assert folded.conversions == prior
        assert folded.superseded == {}


def assert_equal(one: PureRoad, other: PureRoad) -> None:
    """Two histories came to the same, but for the times at which it was recorded."""
    assert _people(one) == _people(other)
    assert one.conversions.keys() == other.conversions.keys()
    for i, conversion in one.conversions.items():
        mine, its = timeless(conversion), timeless(other.conversions[i])
        unequal = {
            field.name: (getattr(mine, field.name), getattr(its, field.name))
            for field in fields(Conversion)
            if getattr(mine, field.name) != getattr(its, field.name)
        }
        assert unequal == {}
    assert one.statuses == other.statuses
    assert one.balances == other.balances


def timeless(conversion: Conversion) -> Conversion:
    return replace(conversion, recorded_at=HEARD, hold_until=None)


def frozen(conversion: Conversion) -> Conversion:
    """All of a closed conversion that nothing may change."""
    return replace(
        conversion,
        refunded=0,
        reasons=tuple(r for r in conversion.reasons if not r.code.startswith(_MOVING)),
        awards=tuple(replace(award, reversed=0) for award in conversion.awards),
    )


_MOVING = ("refund", "dispute", "possible_duplicate")


def _people(road: PureRoad) -> set[frozenset[str]]:
    names: dict[UUID, set[str]] = defaultdict(set)
    for name, customer in road.names.items():
        names[customer].add(name)
    return {frozenset(one) for one in names.values()}


def _cut(events: list[Any], data: st.DataObject) -> list[list[Any]]:
    cuts = sorted(data.draw(st.sets(st.integers(1, len(events)))))
    return [events[i:j] for i, j in zip((0, *cuts), (*cuts, len(events)), strict=True) if i < j]
