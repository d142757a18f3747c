"""Whatever customers of one partner do, in whatever order it is heard: no cap is ever exceeded."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from app.core.events import Event
from app.core.plans import parse
from tests.core.examples import dear
from tests.core.made_worlds import HEARD, world_of
from tests.core.pure_road import PureRoad, owed
from tests.core.telling import ANA, BO, click, lead, named, refund, sale, tie
from tests.core.test_shared_examples import summed

LIMIT = 2_500
PLAN = parse(
    {
        "hold_days": 60,
        "attribution": {"model": "linear", "window_days": 3_650},
        "combine": "sum",
        "rules": [
            {
                "id": "base",
                "pay": {"percent_bps": 2_000},
                "cap": {
                    "per": "partner",
                    "amount": {"amount": LIMIT, "currency": "eur"},
                    "count": 3,
                    "period": "month",
                },
            },
            {
                "id": "volume",
                "pay": {
                    "bands": {
                        "by": "revenue",
                        "period": "quarter",
                        "mode": "graduated",
                        "steps": [
                            {"from": {"amount": 0, "currency": "eur"}, "percent_bps": 333},
                            {"from": {"amount": 7_777, "currency": "eur"}, "percent_bps": 777},
                        ],
                    }
                },
            },
            {
                "id": "second",
                "match": {"kind": "lead", "reaches": {"leads": 2, "period": "month"}},
                "pay": {"flat": {"amount": 77, "currency": "eur"}},
            },
            {
                "id": "bonus",
                "match": {"reaches": {"sales": 2, "period": "month"}},
                "pay": {"flat": {"amount": 111, "currency": "eur"}},
            },
        ],
    }
)
CUSTOMERS = ("ann", "ben", "cat")


@st.composite
def histories(draw: st.DrawFn) -> list[Event]:
    """Sales of a few customers of two partners, told once or as two payments that are one, and
    what goes back of them; refunds only grow.
    """
    events: list[Event] = []
    for n in range(draw(st.integers(2, 8))):
        who = draw(st.sampled_from(CUSTOMERS))
        days = draw(st.sampled_from((0, 1, 21, 22, 60)))
        partners = draw(st.lists(st.sampled_from((ANA, BO)), min_size=1, max_size=2, unique=True))
        clicks = [click(days - 30 - m, partner) for m, partner in enumerate(partners)]
        amount = draw(st.sampled_from((1, 999, 5_000, 10_000)))
        events.append(sale(f"i{n}", amount, *clicks, days=days, person=f"a:{who}"))
        if draw(st.integers(0, 3)) == 0:
            other = draw(st.sampled_from((max(1, amount // 5), amount + 1_000)))
            again = sale(f"i{n}", other, days=days, person=f"a:{who}", session=True)
            events += [again, tie(f"session:i{n}", f"invoice:i{n}")]
        for part in draw(st.lists(st.sampled_from((1, 2)), max_size=2)):
            back = refund(f"i{n}", max(1, amount // 2), refund_id=f"r{n}-{part}", days=days + 1)
            events.append(back)
        if draw(st.integers(0, 3)) == 0:
            by = click(days - 29, draw(st.sampled_from((ANA, BO))))
            events.append(lead(by, days=days, person=f"a:{who}", name=f"l{n}"))
        if draw(st.integers(0, 3)) == 0:
            late = click(days - 1, draw(st.sampled_from((ANA, BO))))
            events.append(named(late, days=days, people=(f"a:{who}",)))
    if draw(st.integers(0, 3)) == 0:
        events.append(named(people=("a:ann", "a:ben"), days=70))
    return list(draw(st.permutations(events)))


@dear(100)
@given(histories(), st.data())
def test_grants_never_exceed_a_cap_and_totals_are_the_sums_of_uses(
    history: list[Event], data: st.DataObject
) -> None:
    road = PureRoad(world_of(PLAN))
    left = [replace(e, received_at=HEARD + timedelta(seconds=n)) for n, e in enumerate(history)]
    while left:
        size = data.draw(st.integers(1, 4), label="batch")
        road.receive(*left[:size])
        left = left[size:]
        for key, total in road.totals.items():
            assert total >= 0
            if key.name == "rule:base":
                assert total <= (LIMIT if key.currency else 3)
            if key.name == "rule:second" and not key.currency:
                assert total <= 1
        assert {k: n for k, n in road.totals.items() if n} == {
            k: n for k, n in summed(road).items() if n
        }
        assert road.balances == owed(road)


@st.composite
def growing(draw: st.DrawFn) -> list[Event]:
    """A small sale that turns out to be larger once others have taken what was left of the cap."""
    small, large = draw(st.integers(1, 999)), draw(st.sampled_from((5_000, 10_000, 20_000)))
    others = [
        sale(f"i{n}", amount, click(-30 - n), person=f"a:{CUSTOMERS[1 + n % 2]}")
        for n, amount in enumerate(
            draw(st.lists(st.sampled_from((999, 5_000, 10_000)), min_size=1, max_size=3))
        )
    ]
    first = sale("grown", small, click(-40), person="a:ann", session=True)
    told = [tie("session:grown", "invoice:grown"), sale("grown", large, person="a:ann")]
    return [first, *others, *draw(st.permutations(told))]


@dear(50)
@given(growing())
def test_a_sale_that_grows_takes_no_more_than_is_left(history: list[Event]) -> None:
    road = PureRoad(world_of(PLAN))
    for n, event in enumerate(history):
        road.receive(replace(event, received_at=HEARD + timedelta(seconds=n)))
        for key, total in road.totals.items():
            if key.name == "rule:base":
                assert total <= (LIMIT if key.currency else 3)
        assert road.balances == owed(road)


@dear(50)
@given(histories(), st.data())
def test_news_of_something_else_changes_nobodys_cents(
    history: list[Event], data: st.DataObject
) -> None:
    road = PureRoad(world_of(PLAN))
    for n, event in enumerate(history):
        road.receive(replace(event, received_at=HEARD + timedelta(seconds=n)))
    before = awards(road)
    for n in range(3):
        who = data.draw(st.sampled_from(CUSTOMERS), label="who")
        event = named(people=(f"a:{who}",), days=n)
        road.receive(replace(event, received_at=HEARD + timedelta(hours=1, seconds=n)))
    assert awards(road) == before


def awards(road: PureRoad) -> dict[UUID, tuple[int, int]]:
    return {
        award.commission_id: (award.amount, award.reversed)
        for conversion in road.conversions.values()
        for award in conversion.awards
    }
