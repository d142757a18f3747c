"""Whose touch counts: program, model, window, class, states, and the close."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from app.core.attribution import Attribution, Binding, binding_of, by_binding, by_touches
from app.core.conversions import Conversion, Credit
from app.core.events import (
    ClickTouch,
    Event,
    InvalidToken,
    Named,
    Touch,
)
from app.core.occasions import Brought, Occasion
from app.core.plans import parse
from app.core.world import Dated, World
from tests.core.documents import plan_of, rule
from tests.core.made_worlds import LINKS, LONG_AGO, PARTNERS, PROGRAMS, START, plan_with, world_of

ANA, BO, CY = PARTNERS
FIRST, SECOND = PROGRAMS
LINK = {whose: link for link, whose in LINKS.items()}


def day(days: float) -> datetime:
    return START + timedelta(days=days)


def click(
    days: float, partner: UUID = ANA, program: UUID = FIRST, kind: str = "human"
) -> ClickTouch:
    number = int((days + 1_000) * 1_000) * 10 + PARTNERS.index(partner)
    return ClickTouch(UUID(int=number), LINK[program, partner], kind, day(days))


def told(*touches: Touch) -> list[Event]:
    return [
        Event(UUID(int=1), "src", "e", "named", START, START, Named(), ("a:ann",), touches=touches)
    ]


def occasion(days: float = 0, first: float | None = None, **more: Any) -> Occasion:
    rest: dict[str, Any] = {"program_ids": (), "prior": (), "as_of": day(0), **more}
    rest.setdefault("read_at", day(days))
    return Occasion(at=day(days), first_at=day(days if first is None else first), **rest)


def conversion_at(
    days: float, *, recorded: float = 0, credits_: tuple[Credit, ...] = ()
) -> Conversion:
    return Conversion(
        id=UUID(int=9),
        key="src::invoice:1",
        kind="sale",
        source="src",
        new=True,
        occurred_at=day(days),
        gross=100_00,
        base=100_00,
        currency="eur",
        refunded=0,
        subscription="",
        program_id=FIRST if credits_ else None,
        credits=credits_,
        awards=(),
        reasons=(),
        bound_at=None,
        hold_until=None,
        recorded_at=day(recorded),
    )


def world(**terms: Any) -> World:
    return world_of(plan_with("base", **terms), plan_with("base", model="first_click"))


def partner(answer: Attribution) -> UUID | None:
    if not answer.credits:
        assert answer.program_id is None
        return None
    (credit,) = answer.credits
    assert credit.bps == 10_000
    return credit.partner_id


def codes(answer: Attribution) -> list[str]:
    return [reason.code for reason in answer.reasons]


def test_last_click_takes_the_latest_and_first_click_the_earliest() -> None:
    touches = told(click(-3, BO), click(-9, ANA), click(-5, CY))
    assert partner(by_touches(touches, world(), occasion())) == BO
    assert partner(by_touches(touches, world(model="first_click"), occasion())) == ANA


def test_the_latest_touch_picks_the_program_and_its_model_the_touch() -> None:
    touches = told(click(-9, ANA, SECOND), click(-5, BO, FIRST), click(-3, CY, SECOND))
    answer = by_touches(touches, world(), occasion())
    assert (answer.program_id, partner(answer)) == (SECOND, ANA)
    assert answer.brought == {ANA: Brought("click", day(-9))}
    assert codes(answer) == ["touch_counted", "other_program", "touch_not_chosen", "attributed"]


def test_ties_of_touches_fall_the_same_way_in_every_order() -> None:
    one, other = click(-3, ANA), click(-3, BO)
    answers = {
        partner(by_touches(told(*t), world(), occasion())) for t in ((one, other), (other, one))
    }
    assert len(answers) == 1


def test_the_window_reaches_from_the_first_conversion_back_to_the_second() -> None:
    for days, counts in ((-60, True), (-60.00002, False), (0.00005, True), (0.00007, False)):
        answer = by_touches(told(click(days)), world(window=60), occasion())
        assert (partner(answer) == ANA) is counts, days


def test_a_later_sale_looks_back_from_the_first_conversion() -> None:
    at = occasion(40, first=0)
    assert codes(by_touches(told(click(20)), world(), at))[0] == "after_first_conversion"
    assert codes(by_touches(told(click(41)), world(), at))[0] == "after_sale"
    assert partner(by_touches(told(click(-50)), world(window=60), at)) == ANA


def test_only_people_count_and_each_refusal_is_told() -> None:
    unknown = ClickTouch(UUID(int=5), UUID(int=6), "human", day(-1))
    touches = told(InvalidToken(0), click(-1, kind="bot"), unknown, click(-2, BO, kind="duplicate"))
    answer = by_touches(touches, world(), occasion())
    assert partner(answer) == BO
    assert sorted(codes(answer)) == [
        "attributed", "class_not_counted", "link_unknown", "token_invalid", "touch_counted",
    ]  # fmt: skip


def test_nobody_is_an_answer_with_its_reason() -> None:
    assert codes(by_touches(told(), world(), occasion())) == ["no_touch"]
    answer = by_touches(told(click(-1, kind="bot")), world(), occasion())
    assert (answer.program_id, answer.credits) == (None, ())
    assert codes(answer) == ["class_not_counted", "no_eligible_touch"]


def test_states_are_read_as_of_the_sale() -> None:
    plain = world()
    paused = (Dated(LONG_AGO, "active"), Dated(day(-1), "paused"), Dated(day(1), "active"))
    program = replace(plain.programs[FIRST], states=paused)
    halted = replace(plain, programs={**plain.programs, FIRST: program})
    enrollment = replace(plain.enrollments[FIRST, ANA], states=paused)
    left = replace(plain, enrollments={**plain.enrollments, (FIRST, ANA): enrollment})
    for changed, code in ((halted, "program_paused"), (left, "not_enrolled")):
        assert codes(by_touches(told(click(-2)), changed, occasion(0)))[0] == code
        assert partner(by_touches(told(click(-2)), changed, occasion(-1.5))) == ANA
        assert partner(by_touches(told(click(-2)), changed, occasion(1))) == ANA


def test_the_request_may_say_which_programs_earn() -> None:
    touches = told(click(-3, ANA, FIRST), click(-1, BO, SECOND))
    answer = by_touches(touches, world(), occasion(program_ids=(FIRST,)))
    assert partner(answer) == ANA
    assert "program_filtered" in codes(answer)


def test_a_touch_counts_until_its_own_programs_close() -> None:
    terms = world(hold_days=30, late_days=1)
    prior = (conversion_at(0, recorded=0),)
    on_time = occasion(prior=prior, as_of=day(30))
    late = occasion(prior=prior, as_of=day(30) + timedelta(microseconds=1))
    assert partner(by_touches(told(click(-1)), terms, on_time)) == ANA
    assert codes(by_touches(told(click(-1)), terms, late))[0] == "received_after_close"
    # A sale that is new has not closed, however long ago it was.
    assert partner(by_touches(told(click(-1)), terms, occasion(as_of=day(99)))) == ANA


def test_a_close_is_never_before_the_first_record_plus_the_late_days() -> None:
    terms = world(hold_days=0, late_days=2)
    prior = (conversion_at(0, recorded=5),)
    assert partner(by_touches(told(click(-1)), terms, occasion(prior=prior, as_of=day(7)))) == ANA
    late = by_touches(told(click(-1)), terms, occasion(prior=prior, as_of=day(7.1)))
    assert partner(late) is None


BOUND = Binding(
    FIRST, (Credit(ANA, 10_000),), since=day(-5), brought={ANA: Brought("click", day(-6))}
)


def test_a_binding_is_followed_and_keeps_the_time_of_its_touch() -> None:
    answer = by_binding(BOUND, world(), occasion())
    assert (answer.program_id, partner(answer)) == (FIRST, ANA)
    assert answer.brought == BOUND.brought
    assert codes(answer) == ["bound"]
    assert answer.reasons[0].params["touch_at"] == day(-6).isoformat()


def test_a_binding_does_not_reach_what_closed_with_nobody_earning() -> None:
    late = occasion(prior=(conversion_at(0),), as_of=day(31))
    answer = by_binding(BOUND, world(), late)
    assert partner(answer) is None
    assert codes(answer) == ["bound", "bound_after_close"]
    assert (
        partner(by_binding(BOUND, world(), occasion(prior=(conversion_at(0),), as_of=day(30))))
        == ANA
    )


def test_a_binding_pays_nobody_while_its_program_may_not_earn() -> None:
    answer = by_binding(BOUND, world(), occasion(program_ids=(SECOND,)))
    assert partner(answer) is None
    assert codes(answer) == ["bound", "program_filtered"]


def test_several_partners_share_and_each_touch_tells_what_became_of_it() -> None:
    touches = told(click(-9, ANA), click(-5, BO), click(-3, CY), click(-2, BO))
    terms = world(model="linear", min_share_bps=3_500)
    answer = by_touches(touches, terms, occasion())
    assert answer.credits == (Credit(BO, 10_000),)
    assert codes(answer) == [
        "share_too_small", "touch_counted", "share_too_small", "touch_counted", "attributed",
    ]  # fmt: skip
    assert answer.reasons[0].params["share_bps"] == 2_500
    answer = by_touches(touches, world(model="linear"), occasion())
    assert answer.credits == (Credit(ANA, 2_500), Credit(BO, 5_000), Credit(CY, 2_500))
    assert answer.brought[BO] == Brought("click", day(-2))
    assert [r.params["bps"] for r in answer.reasons if r.code == "attributed"] == [
        2_500, 5_000, 2_500,
    ]  # fmt: skip


def test_a_kind_may_have_a_window_of_its_own() -> None:
    own = {"model": "last_click", "window_days": 60, "windows": {"click": 5}}
    terms = world_of(parse(plan_of(rule(), attribution=own)))
    assert codes(by_touches(told(click(-6)), terms, occasion()))[0] == "outside_window"
    assert partner(by_touches(told(click(-5)), terms, occasion())) == ANA


def test_what_a_suspended_partner_would_have_had_the_others_share() -> None:
    shares = (Credit(ANA, 2_000), Credit(BO, 3_000), Credit(CY, 5_000))
    brought = {ANA: Brought("click", day(-6)), CY: Brought("click", day(-7))}
    bound = Binding(FIRST, shares, since=day(-5), brought=brought)
    plain = world()
    suspended = (Dated(LONG_AGO, "active"), Dated(day(-1), "suspended"))
    out = {
        key: replace(place, states=suspended) if key == (FIRST, ANA) else place
        for key, place in plain.enrollments.items()
    }
    answer = by_binding(bound, replace(plain, enrollments=out), occasion())
    assert answer.credits == (Credit(BO, 3_750), Credit(CY, 6_250))
    assert codes(answer) == ["bound", "bound", "bound", "not_enrolled"]
    assert answer.brought == {CY: Brought("click", day(-7))}
    # The whole binding is still told, for when Ana is back.
    followed = replace(
        conversion_at(0, credits_=answer.credits), reasons=answer.reasons, bound_at=day(-5)
    )
    assert binding_of(followed) == bound
    paused = replace(plain.programs[FIRST], states=(Dated(LONG_AGO, "paused"),))
    halted = replace(plain, programs={**plain.programs, FIRST: paused})
    assert codes(by_binding(bound, halted, occasion()))[3:] == ["program_paused"]
