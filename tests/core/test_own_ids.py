"""Payments and e-mails join customers, but never two whom the workspace itself tells apart."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.events import Event
from tests.core.examples import dear
from tests.core.made_worlds import plan_with, world_of
from tests.core.pure_road import PureRoad, owed
from tests.core.stories import Story, heard, stories
from tests.core.telling import ANA, BO, click, lead, named, refund, sale, tell, tie

ONE, TWO, STRIPE, MAIL = "a:user-1", "a:user-2", "a:cus-1", "a:mail"


def road_of() -> PureRoad:
    world = world_of(plan_with("fifth", hold_days=30))
    return PureRoad(world, own=frozenset({ONE, TWO}), emails=frozenset({MAIL}))


def pending(road: PureRoad) -> dict[str, int]:
    whose = {ANA: "ana", BO: "bo"}
    return {whose[a.partner_id]: n for a, n in road.balances.items() if a.partner_id and n}


def whose(road: PureRoad, *names: str) -> int:
    """How many customers they are."""
    return len({road.names[name] for name in names})


FIRST = sale("1", 100_00, click(-1, ANA), person=ONE)
OTHER = sale("1", 100_00, click(-1, BO), person=TWO)
REFUND = refund("1", 40_00, days=1)


@pytest.mark.parametrize(
    ("first", "second", "payee"), [(FIRST, OTHER, "ana"), (OTHER, FIRST, "bo")]
)
def test_whoever_told_of_a_payment_first_keeps_it(first: Event, second: Event, payee: str) -> None:
    road = road_of()
    tell(road, first, second, REFUND, at=1)
    assert [event.external_id for event in road.refused] == [second.external_id]
    assert pending(road) == {payee: 12_00}
    assert road.balances == owed(road)


def test_in_one_batch_the_order_of_receipt_decides() -> None:
    road = road_of()
    road.receive(OTHER, FIRST, REFUND)
    assert [event.external_id for event in road.refused] == [OTHER.external_id]
    assert pending(road) == {"ana": 12_00}


def test_without_an_own_id_on_each_side_a_payment_joins() -> None:
    road = road_of()
    tell(road, FIRST, sale("1", 100_00, person=STRIPE), at=1)
    assert whose(road, ONE, STRIPE) == 1
    assert road.refused == []


def test_a_tie_between_two_customers_is_refused() -> None:
    road = road_of()
    paid = sale("2", 50_00, click(-1, BO), person=TWO, session=True)
    tell(road, FIRST, paid, tie("session:2", "invoice:1"), at=1)
    assert [event.kind for event in road.refused] == ["tie"]
    assert pending(road) == {"ana": 20_00, "bo": 10_00}


def test_own_ids_that_are_said_to_be_one_are() -> None:
    for order in permutations([FIRST, OTHER]):
        road = road_of()
        tell(road, order[0], named(people=(ONE, TWO)), order[1], at=1)
        assert whose(road, ONE, TWO) == 1
        assert road.refused == []


UNITED: Sequence[Event] = [
    lead(click(-1, ANA), person=ONE),
    named(people=(ONE, MAIL)),
    named(people=(STRIPE, MAIL), days=0.1),
    sale("7", 100_00, person=STRIPE, days=0.2),
    refund("7", 10_00, days=0.3),
]


def test_equal_addresses_unite_in_every_order() -> None:
    for order in permutations(UNITED):
        road = road_of()
        tell(road, *order, at=1)
        assert whose(road, ONE, STRIPE, MAIL) == 1
        assert pending(road) == {"ana": 18_00}
        assert road.balances == owed(road)


@dear(80)
@given(stories(), st.data())
def test_whoever_shares_an_address_any_order_ends_equal(story: Story, data: st.DataObject) -> None:
    """Of Ann the own id is known, of the others none: nothing keeps them apart."""
    marked = st.lists(st.booleans(), min_size=len(story.events), max_size=len(story.events))
    told = [
        replace(event, people=(*event.people, MAIL)) if has_mail and event.people else event
        for event, has_mail in zip(story.events, data.draw(marked), strict=True)
    ]
    roads = []
    for order in (told, data.draw(st.permutations(told))):
        roads.append(PureRoad(story.world, own=frozenset({"a:ann"}), emails=frozenset({MAIL})))
        for event in heard(order):
            roads[-1].receive(event)
    one, other = roads
    assert one.balances == other.balances == owed(one)
    assert one.conversions.keys() == other.conversions.keys()
    assert one.refused == other.refused == []


def test_two_own_ids_with_one_address_stay_two_customers() -> None:
    both = (named(people=(ONE, MAIL)), named(people=(TWO, MAIL)))
    for order in permutations([*both, FIRST, sale("2", 50_00, click(-1, BO), person=TWO)]):
        road = road_of()
        tell(road, *order, at=1)
        assert whose(road, ONE, TWO) == 2
        assert road.refused == []
        assert pending(road) == {"ana": 20_00, "bo": 10_00}
