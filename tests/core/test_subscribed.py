"""Which subscription a payment is of, told apart from the payment."""

from itertools import permutations

from app.core.events import Event
from tests.core.made_worlds import plan_with, world_of
from tests.core.pure_road import PureRoad
from tests.core.telling import ANA, click, sale, subscribed, tell

A, B = "src::subscription:a", "src::subscription:b"


def sold(*events: Event) -> dict[str, tuple[str, str]]:
    """Each sale's kind and subscription, the same in every order of arrival."""
    answers = []
    for order in permutations(events):
        road = PureRoad(world_of(plan_with("fifth", hold_days=30)))
        tell(road, *order, at=100)
        answers.append(
            {
                c.key.rsplit(":", 1)[1]: (str(c.kind), c.subscription)
                for c in road.conversions.values()
            }
        )
        assert not road.parked
        assert answers[-1] == answers[0]
    return answers[0]


def test_a_later_payment_of_what_it_names_is_a_renewal() -> None:
    first, second = sale("1", 100_00, click(-1, ANA)), sale("2", 100_00, days=30)
    assert sold(first, second) == {"1": ("sale", ""), "2": ("sale", "")}
    assert sold(first, second, subscribed("1", A), subscribed("2", A, days=30)) == {
        "1": ("sale", A),
        "2": ("renewal", A),
    }
    assert sold(first, second, subscribed("1", A), subscribed("2", B, days=30)) == {
        "1": ("sale", A),
        "2": ("sale", B),
    }


def test_what_the_payment_says_itself_wins() -> None:
    assert sold(sale("1", 100_00, subscription=B), subscribed("1", A)) == {"1": ("sale", B)}


def test_of_two_that_say_otherwise_the_later_wins() -> None:
    told = (subscribed("1", A, days=1), subscribed("1", B, days=2))
    assert sold(sale("1", 100_00), *told) == {"1": ("sale", B)}


def test_alone_it_waits_for_its_payment() -> None:
    road = PureRoad(world_of(plan_with("fifth", hold_days=30)))
    tell(road, subscribed("1", A), at=1)
    assert len(road.parked) == 1
    assert not road.conversions
