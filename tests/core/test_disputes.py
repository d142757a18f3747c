"""Disputes by example: hold, then take back or release, in whatever order they are told."""

from collections.abc import Sequence
from itertools import permutations

import pytest

from app.core.events import Event
from app.core.sales import disputed, group
from tests.core.made_worlds import plan_with, world_of
from tests.core.pure_road import PureRoad, owed
from tests.core.telling import (
    ANA,
    click,
    day,
    dispute,
    lead,
    refund,
    refund_total,
    sale,
    tell,
)

SOLD = sale("1", 100_00, click(-1, ANA))
"""Earns 20.00."""


def road_with(*events: Event, at: float = 5) -> PureRoad:
    road = PureRoad(world_of(plan_with("fifth", hold_days=30)))
    tell(road, *events, at=at)
    return road


def left(road: PureRoad) -> dict[str, int]:
    """What a partner has, by account."""
    assert road.balances == owed(road)
    return {a.role: amount for a, amount in road.balances.items() if a.partner_id is not None}


def status(road: PureRoad) -> str:
    (only,) = road.statuses.values()
    return only


STORIES: list[tuple[str, Sequence[Event], dict[str, int], str]] = [
    ("open", [dispute("1", 100_00, "open")], {"held": 20_00}, "held"),
    ("a part", [dispute("1", 30_00, "open")], {"held": 6_00, "pending": 14_00}, "held"),
    ("a cent", [dispute("1", 1, "open")], {"pending": 20_00}, "pending"),
    ("more than was paid", [dispute("1", 500_00, "open")], {"held": 20_00}, "held"),
    ("lost", [dispute("1", 100_00, "lost")], {}, "void"),
    ("won", [dispute("1", 100_00, "won")], {"pending": 20_00}, "pending"),
    (
        "won at last",
        [
            dispute("1", 70_00, "open", days=1),
            dispute("1", 70_00, "lost", days=2),
            dispute("1", 70_00, "won", days=3),
        ],
        {"pending": 20_00},
        "pending",
    ),
    (
        "lost after all",
        [dispute("1", 70_00, "won", days=1), dispute("1", 70_00, "lost", days=3)],
        {"pending": 6_00},
        "pending",
    ),
    (
        "final in the second in which it opened",
        [dispute("1", 70_00, "lost", days=1), dispute("1", 70_00, "open", days=1)],
        {"pending": 6_00},
        "pending",
    ),
    (
        "won in the second in which it opened",
        [dispute("1", 70_00, "open", days=1), dispute("1", 70_00, "won", days=1)],
        {"pending": 20_00},
        "pending",
    ),
    (
        "two",
        [
            dispute("1", 30_00, "open", days=1),
            dispute("1", 20_00, "lost", days=1, dispute_id="d2"),
        ],
        {"held": 6_00, "pending": 10_00},
        "held",
    ),
    (
        "won after a refund",
        [
            refund("1", 30_00, days=1),
            dispute("1", 70_00, "open", days=2),
            dispute("1", 70_00, "won", days=4),
        ],
        {"pending": 14_00},
        "pending",
    ),
    (
        "the rest after a refund",
        [refund("1", 30_00, days=1), dispute("1", 70_00, "open", days=2)],
        {"held": 14_00},
        "held",
    ),
    (
        "refund and loss together take no more than was paid",
        [refund("1", 60_00, days=1), dispute("1", 100_00, "lost", days=2)],
        {},
        "void",
    ),
    (
        "a refund of what is disputed",
        [dispute("1", 100_00, "open", days=1), refund_total("1", 100_00, days=2)],
        {},
        "void",
    ),
    (
        "a refund that failed while it is disputed",
        [
            refund("1", 50_00, days=1),
            dispute("1", 50_00, "open", days=2),
            refund("1", 50_00, fails=True, days=3),
        ],
        {"held": 10_00, "pending": 10_00},
        "held",
    ),
    (
        "another currency",
        [dispute("1", 100_00, "open", currency="usd")],
        {"pending": 20_00},
        "pending",
    ),
]


@pytest.mark.parametrize(
    ("events", "balance", "word"), [s[1:] for s in STORIES], ids=[s[0] for s in STORIES]
)
def test_every_order_ends_equal(
    events: Sequence[Event], balance: dict[str, int], word: str
) -> None:
    for order in permutations((SOLD, *events)):
        road = road_with(*order)
        assert (left(road), status(road), road.parked) == (balance, word, [])
    together = PureRoad(world_of(plan_with("fifth", hold_days=30)))
    together.receive(SOLD, *events)
    assert (left(together), status(together)) == (balance, word)


def test_a_dispute_waits_for_its_sale() -> None:
    road = road_with(dispute("1", 100_00, "open"), at=1)
    assert (len(road.parked), road.balances) == (1, {})
    tell(road, SOLD, at=2)
    assert (road.parked, left(road)) == ([], {"held": 20_00})


def test_whoever_the_partner_is_then_is_held() -> None:
    """A late touch within the window moves the sale, held as it is, to another partner."""
    road = road_with(sale("1", 100_00), dispute("1", 100_00, "open", days=1))
    assert road.balances == {}
    tell(road, lead(click(-1, ANA), days=-0.5), at=6)
    assert left(road) == {"held": 20_00}


def test_what_is_stopped_is_rounded_as_the_reversal_will_be() -> None:
    """A third of 33.33 three times: each holds what its loss then takes of the cumulative sum."""
    road = road_with(sale("1", 33_33, click(-1, ANA)))
    stands = []
    for n in range(3):
        name = f"d{n}"
        tell(road, dispute("1", 11_11, "open", days=1 + n, dispute_id=name), at=6 + n)
        held = left(road)["held"]
        tell(road, dispute("1", 11_11, "lost", days=1.5 + n, dispute_id=name), at=6.5 + n)
        assert "held" not in left(road)
        stands.append((held, left(road).get("pending", 0)))
    # 20 % are 6.67; a third of it is 2.223, two thirds are 4.447.
    assert stands == [(2_22, 4_45), (2_23, 2_22), (2_22, 0)]


def test_a_closed_sale_is_moved_by_disputes_alone() -> None:
    road = road_with(SOLD)
    road.mature(day(40))
    tell(road, dispute("1", 50_00, "open", days=41), at=41)
    assert left(road) == {"held": 10_00, "payable": 10_00}
    tell(road, refund("1", 60_00, days=42), at=42)
    # 50.00 are disputed, but only 40.00 of the payment are left.
    assert left(road) == {"held": 8_00}
    tell(road, dispute("1", 50_00, "won", days=43), at=43)
    assert left(road) == {"payable": 8_00}
    assert status(road) == "payable"


def test_the_reasons_name_each_state() -> None:
    road = road_with(
        SOLD,
        dispute("1", 10_00, "open", dispute_id="a"),
        dispute("1", 20_00, "won", dispute_id="b"),
        dispute("1", 30_00, "lost", dispute_id="c"),
        dispute("1", 40_00, "lost", dispute_id="d", currency="usd"),
    )
    (conversion,) = road.conversions.values()
    told = {r.code: dict(r.params) for r in conversion.reasons if r.code.startswith("dispute")}
    of: dict[str, object] = {"gross": 100_00, "currency": "eur"}
    assert told == {
        "dispute_open": {"disputed": 10_00, **of},
        "dispute_won": {"disputed": 20_00, **of},
        "dispute_lost": {"disputed": 30_00, **of},
        "dispute_currency_differs": {"currency": "usd", "sale_currency": "eur"},
    }
    assert conversion.refunded == 30_00


def test_sums_by_newest_state() -> None:
    (sold,) = group(
        [
            SOLD,
            dispute("1", 10, "open", days=1),
            dispute("1", 20, "open", days=2),
            dispute("1", 7, "open", days=2, dispute_id="d2"),
            dispute("1", 5, "lost", days=2, dispute_id="d3"),
        ]
    )
    found = disputed(sold, currency="eur")
    assert (found.open, found.won, found.lost) == (27, 0, 5)
