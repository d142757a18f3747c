"""A registered lead attributes while its lock holds, and for good once it is won."""

from datetime import datetime, timedelta
from itertools import permutations
from uuid import UUID

import pytest

from app.core.attribution import Attribution, by_touches
from app.core.events import ClickTouch, CodeTouch, DealTouch, Event, Named, Touch
from app.core.occasions import Occasion
from app.core.world import CodeFact, Dated, World
from tests.core.made_worlds import LINKS, LONG_AGO, PARTNERS, PROGRAMS, START, plan_with, world_of

ANA, BO, CY = PARTNERS
FIRST, SECOND = PROGRAMS
DEAL = UUID(int=70)
LINK = {whose: link for link, whose in LINKS.items()}


def day(days: float) -> datetime:
    return START + timedelta(days=days)


def lead(at: float, until: float | None, *, number: int = 2, partner: UUID = BO) -> DealTouch:
    ends = None if until is None else day(until)
    return DealTouch(DEAL, number, FIRST, partner, day(at), ends)


def asked(*touches: Touch, at: float = 0, first: float | None = None) -> Attribution:
    """One event tells each touch. at, first: of the sale and of the first conversion, in days."""
    events = [
        Event(UUID(int=n), "api", f"e{n}", "named", START, START, Named(), ("a:ann",), touches=(t,))
        for n, t in enumerate(touches)
    ]
    first_at = day(at if first is None else first)
    occasion = Occasion(
        at=day(at), read_at=day(at), first_at=first_at, program_ids=(), prior=(), as_of=day(0)
    )
    return by_touches(events, world(), occasion)


def world() -> World:
    made = world_of(plan_with("base"), plan_with("base"))
    code = CodeFact(UUID(int=1), "SPRING", FIRST, CY, (Dated(LONG_AGO, "active"),))
    names = {"SPRING": (Dated(LONG_AGO, str(code.id)),)}
    return World(made.links, made.programs, made.enrollments, {code.id: code}, names)


def credited(answer: Attribution) -> UUID | None:
    return answer.credits[0].partner_id if answer.credits else None


@pytest.mark.parametrize(
    ("touch", "at", "first", "reason"),
    [
        (lead(-10, 80), 0, 0, None),
        (lead(-80, 10), 0, 0, None),  # older than the window of 60 days, but the lock holds
        (lead(-80, -1), 0, 0, "lock_ended"),
        (lead(-80, -1), 0, -2, None),  # the customer came in time
        (lead(-5, 80), 0, -6, "after_first_conversion"),
        (lead(1, 80), 0, 0, "after_sale"),
        (lead(-300, None), 0, 0, None),
        (lead(-5, None), 0, -6, None),  # people said that it was this customer
        (lead(1, None), 0, 0, "after_sale"),
    ],
)
def test_a_lead_counts_while_it_is_kept_and_once_it_is_won(
    touch: DealTouch, at: float, first: float, reason: str | None
) -> None:
    answer = asked(touch, at=at, first=first)
    assert credited(answer) == (None if reason else BO)
    assert (reason or "touch_counted") in [one.code for one in answer.reasons]


def test_a_code_goes_before_it_and_it_goes_before_a_click() -> None:
    click = ClickTouch(UUID(int=5), LINK[FIRST, ANA], "human", day(-0.1))
    code = CodeTouch("SPRING", day(0))
    seen: list[Touch] = [click, lead(-10, 80)]
    for order in permutations(seen):
        assert credited(asked(*order)) == BO
    for order in permutations([*seen, code]):
        answer = asked(*order)
        assert credited(answer) == CY
        told = [(one.code, one.params.get("kind")) for one in answer.reasons]
        assert ("outranked", "deal") in told


def test_of_one_deal_the_latest_entry_counts_whatever_came_first() -> None:
    accepted, rejected, won = lead(-10, 80, number=2), lead(-10, -10, number=3), lead(-10, None)
    for order in permutations([accepted, rejected]):
        assert credited(asked(*order)) is None
    for order in permutations([rejected, lead(-10, None, number=4), accepted]):
        assert credited(asked(*order)) == BO
    assert credited(asked(won)) == BO
