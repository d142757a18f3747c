"""What customers say of how they came: the last to count, and only where a program asks for it."""

from dataclasses import replace
from itertools import permutations
from uuid import UUID

import pytest

from app.conversions.touching import touch_json, touch_of
from app.core.attribution import binding_of, by_touches
from app.core.codes import normal
from app.core.conversions import Credit
from app.core.events import DealTouch, ReferrerTouch, SelfReportedTouch, Touch
from app.core.occasions import TOUCHES
from app.core.world import PRECEDENCE, Dated, EnrollmentFact, World
from tests.core.made_worlds import LONG_AGO
from tests.core.test_attribution import (
    ANA,
    BO,
    CY,
    FIRST,
    SECOND,
    click,
    codes,
    conversion_at,
    day,
    occasion,
    partner,
    told,
    world,
)
from tests.core.test_told_touches import used, with_codes

THIRTY = {"self_reported": 30}


def said(days: float, partner_id: UUID | None = CY, code: str = "") -> SelfReportedTouch:
    return SelfReportedTouch(None if code else partner_id, code, day(days))


def asked(**windows: int) -> World:
    """The first program has these windows, the second one none; Bo has the code SPRING."""
    return with_codes(world(windows=tuple(windows.items())))


def deal(days: float, partner_id: UUID = BO) -> DealTouch:
    return DealTouch(UUID(int=0xDE), 1, FIRST, partner_id, day(days), None)


# By what was told: who earns, and the reason that tells the decisive thing.
EXAMPLES: tuple[tuple[str, tuple[Touch, ...], dict[str, int], UUID | None, str], ...] = (
    ("a partner's name", (said(-3),), THIRTY, CY, "touch_counted"),
    ("a code", (said(-3, code="SPRING"),), THIRTY, BO, "touch_counted"),
    ("at the sale", (said(0),), THIRTY, CY, "touch_counted"),
    ("the last day of the window", (said(-30),), THIRTY, CY, "touch_counted"),
    ("a second after it", (said(-30.00002),), THIRTY, None, "outside_window"),
    ("a window of nothing, said with the sale", (said(0),), {"self_reported": 0}, CY, "attributed"),
    ("a window of nothing, said before", (said(-1),), {"self_reported": 0}, None, "outside_window"),
    ("not asked for", (said(-3),), {}, None, "self_report_not_taken"),
    ("not asked for, by code", (said(-3, code="SPRING"),), {}, None, "self_report_not_taken"),
    ("other windows ask for nothing", (said(-3),), {"code": 9}, None, "self_report_not_taken"),
    ("a click goes before", (said(-1), click(-20)), THIRTY, ANA, "outranked"),
    ("a code used goes before", (said(-1), used(-9)), THIRTY, BO, "outranked"),
    ("a lead goes before", (said(-1), deal(-9)), THIRTY, BO, "outranked"),
    ("a click that is too old does not", (said(-1), click(-61)), THIRTY, CY, "outside_window"),
    ("a bot's click does not", (said(-1), click(-1, kind="bot")), THIRTY, CY, "attributed"),
    ("after the sale", (said(0.1),), THIRTY, None, "after_sale"),
    ("a code that nobody has", (said(-3, code="NOBODYS"),), THIRTY, None, "code_unknown"),
    (
        "free words are no code",
        (said(-3, None, normal("my friend")),),
        THIRTY,
        None,
        "code_unknown",
    ),
    ("somebody who is no partner", (said(-3, UUID(int=1)),), THIRTY, None, "referrer_unknown"),
    ("the latest of two", (said(-9), said(-3, BO)), THIRTY, BO, "touch_not_chosen"),
)


@pytest.mark.parametrize(
    ("touches", "windows", "earner", "reason"),
    [case[1:] for case in EXAMPLES],
    ids=[case[0] for case in EXAMPLES],
)
def test_what_was_said_counts_last_and_where_it_is_asked_for(
    touches: tuple[Touch, ...], windows: dict[str, int], earner: UUID | None, reason: str
) -> None:
    terms = asked(**windows)
    answers = [by_touches(told(*order), terms, occasion()) for order in permutations(touches)]
    assert {partner(answer) for answer in answers} == {earner}
    assert all(reason in codes(answer) for answer in answers)


def test_it_earns_in_the_first_program_that_asks_for_it() -> None:
    terms = asked(**THIRTY)
    first, second = (terms.enrollments[program, CY] for program in (FIRST, SECOND))
    early = replace(second, states=(Dated(LONG_AGO.replace(year=2019), "active"),))
    both = {(FIRST, CY): first, (SECOND, CY): early}
    answer = by_touches(told(said(-3)), replace(terms, enrollments=both), occasion())
    assert (answer.program_id, partner(answer)) == (FIRST, CY)


def test_an_order_of_before_has_it_last() -> None:
    assert PRECEDENCE[-1] == TOUCHES[-1] == "self_reported"
    old = replace(asked(), precedence=(Dated(LONG_AGO, "click,code,binding,deal,referrer"),))
    assert old.precedence_at(day(0)) == (
        "click", "code", "binding", "deal", "referrer", "self_reported",
    )  # fmt: skip
    first = replace(
        old, precedence=(Dated(LONG_AGO, "self_reported,binding,code,deal,referrer,click"),)
    )
    assert first.precedence_at(day(0))[0] == "self_reported"


def test_what_it_bound_is_read_back() -> None:
    answer = by_touches(told(said(-3, code="SPRING")), asked(**THIRTY), occasion())
    bound = replace(
        conversion_at(0, credits_=(Credit(BO, 10_000),)), reasons=answer.reasons, program_id=FIRST
    )
    assert binding_of(bound).brought == answer.brought
    assert answer.brought[BO].kind == "self_reported"


@pytest.mark.parametrize("touch", [said(-3), said(-3, code="SPRING"), said(-3, None)])
def test_it_is_stored_and_read_again(touch: SelfReportedTouch) -> None:
    assert touch_of(touch_json(touch)) == touch


# Whoever is the customer, or was put out, earns by no kind of touch.
OF_BO: tuple[Touch, ...] = (
    click(-3, BO), used(-3), deal(-3), ReferrerTouch(BO, "", day(-3)), said(-3, BO),
    said(-3, code="SPRING"),
)  # fmt: skip


def put_out(terms: World) -> World:
    def left(place: EnrollmentFact) -> EnrollmentFact:
        suspended = (*place.states, Dated(day(-1), "suspended"))
        return replace(place, states=suspended) if place.partner_id == BO else place

    return replace(terms, enrollments={k: left(v) for k, v in terms.enrollments.items()})


@pytest.mark.parametrize("touch", OF_BO, ids=lambda touch: type(touch).__name__)
def test_neither_oneself_nor_who_was_put_out_earns_by_any_touch(touch: Touch) -> None:
    terms = asked(**THIRTY)
    answer = by_touches(told(touch), terms, occasion())
    assert partner(answer) == BO
    oneself = by_touches(told(touch), replace(terms, selves=frozenset({BO})), occasion())
    assert (partner(oneself), codes(oneself)) == (None, ["self_referral", "no_eligible_touch"])
    assert oneself.reasons[0].params == {"partner_id": str(BO)}
    banned = by_touches(told(touch), put_out(terms), occasion())
    assert (partner(banned), codes(banned)) == (None, ["not_enrolled", "no_eligible_touch"])
    assert banned.reasons[0].params["partner_id"] == str(BO)
    before = by_touches(told(touch), put_out(terms), occasion(-2))
    assert partner(before) == BO
