"""People say whose a customer is: what is open and what comes, and nothing that has closed."""

from dataclasses import replace
from datetime import timedelta
from itertools import permutations
from uuid import UUID

from app.core.events import Event, Reassigned
from app.core.world import Dated
from tests.core.made_worlds import HEARD, LONG_AGO, plan_with, world_of
from tests.core.pure_road import PureRoad, owed
from tests.core.test_attribution import ANA, BO, CY, FIRST, click, day, world
from tests.core.test_binding import known
from tests.core.test_precedence import CODE_FIRST, by, earners, folded, sale
from tests.core.test_told_touches import used

KEY = UUID(int=0xF0)
FOUNDING = sale(0, click(-1, ANA))


def given(days: float, partner: UUID | None) -> Event:
    body = Reassigned(FIRST if partner else None, partner, KEY)
    return Event(
        id=UUID(int=int(days * 10) + 5_000),
        source="api",
        external_id=f"reassign:{days}",
        kind="reassigned",
        occurred_at=day(days),
        received_at=HEARD,
        body=body,
        people=("a:ann",),
    )


def test_open_and_later_sales_are_whom_it_was_given_to() -> None:
    result = folded(world(), FOUNDING, given(5, BO), sale(9))
    assert earners(result) == [BO, BO]
    assert [c.reasons[0].code for c in result.conversions] == ["reassigned", "reassigned"]
    assert result.conversions[1].bound_at == day(5)
    assert earners(folded(world(), sale(0), given(5, BO))) == [BO]


def test_the_latest_word_counts_in_every_order() -> None:
    said = (FOUNDING, given(5, BO), given(7, CY), sale(9))
    assert {tuple(earners(folded(world(), *order))) for order in permutations(said)} == {(CY, CY)}


def test_nobody_s_is_nobody_s_until_it_is_given_to_somebody() -> None:
    result = folded(world(), FOUNDING, given(5, None), sale(9, click(8, CY)))
    assert earners(result) == [None, None]
    assert result.conversions[1].reasons[0].code == "reassigned_to_nobody"
    assert earners(folded(world(), FOUNDING, given(5, None), given(6, BO), sale(9))) == [BO, BO]


def test_what_has_closed_stays() -> None:
    road = PureRoad(world_of(plan_with("fifth", hold_days=30)))
    for n, event in enumerate((FOUNDING, given(35, BO), sale(36))):
        # Each is heard a day after it happened.
        late = event.occurred_at + timedelta(days=1)
        road.receive(replace(event, id=UUID(int=n + 1), received_at=late))
    first, second = sorted(road.conversions.values(), key=lambda c: c.occurred_at)
    assert [first.credits[0].partner_id, second.credits[0].partner_id] == [ANA, BO]
    assert road.balances == owed(road)
    earned = {ref.partner_id: n for ref, n in road.balances.items() if ref.partner_id}
    assert earned == {ANA: 20_00, BO: 20_00}


def test_it_is_a_binding_like_others() -> None:
    # Its term runs from the day of the word.
    assert earners(folded(known(1), FOUNDING, given(5, BO), sale(35), sale(37, click(36, CY)))) == [
        BO, BO, CY,
    ]  # fmt: skip
    # A kind that goes before bindings goes before this one.
    coded = sale(9, used(9))
    assert earners(folded(by(CODE_FIRST), FOUNDING, given(5, CY), coded)) == [CY, BO]
    # Who is suspended earns nothing.
    plain = world()
    out = replace(
        plain.enrollments[FIRST, BO],
        states=(Dated(LONG_AGO, "active"), Dated(day(7), "suspended")),
    )
    gone = replace(plain, enrollments={**plain.enrollments, (FIRST, BO): out})
    assert earners(folded(gone, FOUNDING, given(5, BO), sale(9))) == [BO, None]
