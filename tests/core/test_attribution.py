"""Whose touch counts: program, model, window, class, states, and the close."""

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import permutations
from typing import Any
from uuid import UUID

from app.core.attribution import Attribution, Binding, binding_of, by_binding, by_touches
from app.core.conversions import Conversion, Credit
from app.core.events import (
    ClickTouch,
    CodeTouch,
    Event,
    InvalidToken,
    Named,
    ReferrerTouch,
    Touch,
)
from app.core.occasions import Brought, Occasion
from app.core.world import CodeFact, Dated, World
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
    assert answer.brought == Brought("click", day(-9))
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


BOUND = Binding(FIRST, (Credit(ANA, 10_000),), since=day(-5), brought=Brought("click", day(-6)))


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


SPRING, WINTER = UUID(int=0xE0), UUID(int=0xE1)


def with_codes(plain: World, **ended: datetime) -> World:
    """SPRING is Bo's code and WINTER Cy's, both in the first program; `stripe:promo_1` is SPRING.

    ended: when a code stopped to be valid, by its name in lower case.
    """

    def states(name: str) -> tuple[Dated, ...]:
        end = [Dated(ended[name], "ended")] if name in ended else []
        return (Dated(LONG_AGO, "active"), *end)

    facts = {
        SPRING: CodeFact(SPRING, "SPRING", FIRST, BO, states("spring")),
        WINTER: CodeFact(WINTER, "WINTER", FIRST, CY, states("winter")),
    }
    names = {fact.code: (Dated(LONG_AGO, str(fact.id)),) for fact in facts.values()}
    names["stripe:promo_1"] = (Dated(LONG_AGO, str(SPRING)), Dated(day(10), ""))
    return replace(plain, codes=facts, code_names=names)


def used(days: float, code: str = "SPRING") -> CodeTouch:
    return CodeTouch(code, day(days))


def referred(days: float, partner_id: UUID | None = CY, person: str = "") -> ReferrerTouch:
    return ReferrerTouch(partner_id, person, day(days))


def test_what_was_said_goes_before_what_was_seen() -> None:
    terms = with_codes(world())
    cases: tuple[tuple[tuple[Touch, ...], UUID, str], ...] = (
        ((click(-1), used(-9)), BO, "code"),
        ((click(-1), referred(-9)), CY, "referrer"),
        ((referred(-1), used(-9), click(-2)), BO, "code"),
        ((click(-1), used(-9, "NOBODYS")), ANA, "click"),
    )
    for touches, earner, kind in cases:
        answers = [by_touches(told(*t), terms, occasion()) for t in permutations(touches)]
        assert {partner(answer) for answer in answers} == {earner}
        assert {a.brought.kind for a in answers if a.brought} == {kind}
    outranked = by_touches(told(click(-1), used(-9)), terms, occasion()).reasons[0]
    assert (outranked.code, outranked.params["winner"]) == ("outranked", "code")


def test_codes_compete_among_each_other_by_the_model() -> None:
    touches = told(used(-3, "WINTER"), used(-9, "SPRING"), used(-5, "SPRING"))
    last, first = with_codes(world()), with_codes(world(model="first_click"))
    assert partner(by_touches(touches, last, occasion())) == CY
    assert partner(by_touches(touches, first, occasion())) == BO
    assert partner(by_touches([*touches, *told(used(-1))], last, occasion())) == BO


def test_a_code_counts_at_the_sale_where_it_is_used() -> None:
    """A click can't bring somebody who was there already; a code is told at the sale itself."""
    at = occasion(40, first=0)
    terms = with_codes(world(window=60))
    answer = by_touches(told(used(40)), terms, at)
    assert partner(answer) == BO
    assert answer.brought == Brought("code", day(40), "SPRING")
    assert codes(by_touches(told(used(41)), terms, at)) == ["after_sale", "no_eligible_touch"]
    assert codes(by_touches(told(used(-21)), terms, at))[0] == "outside_window"
    assert partner(by_touches(told(used(-20)), terms, at)) == BO


def test_a_code_is_valid_or_not_when_it_is_used() -> None:
    terms = with_codes(world(), spring=day(-2))
    for days, counts in ((-3, True), (-2.1, True), (-2, False), (0, False)):
        answer = by_touches(told(used(days)), terms, occasion())
        assert (partner(answer) == BO) is counts, days
        assert counts or codes(answer)[0] == "code_not_valid"
    # A sale that a fast clock dates ahead is read as of its recording, and so is its code.
    ahead = occasion(0, read_at=day(-2.1))
    assert partner(by_touches(told(used(0)), terms, ahead)) == BO


def test_a_discount_at_a_provider_means_the_code_that_it_belonged_to_then() -> None:
    answer = by_touches(told(used(-1, "stripe:promo_1")), with_codes(world()), occasion())
    assert partner(answer) == BO
    assert answer.brought == Brought("code", day(-1), "SPRING")
    later = by_touches(told(used(11, "stripe:promo_1")), with_codes(world()), occasion(11))
    assert codes(later) == ["code_unknown", "no_eligible_touch"]


def test_a_referrer_earns_in_the_first_of_its_programs_that_may_pay() -> None:
    plain = world()
    paused = (Dated(LONG_AGO, "paused"),)
    halted = replace(
        plain,
        programs={**plain.programs, FIRST: replace(plain.programs[FIRST], states=paused)},
    )
    assert by_touches(told(referred(-1)), plain, occasion()).program_id == FIRST
    assert by_touches(told(referred(-1)), halted, occasion()).program_id == SECOND
    only = occasion(program_ids=(SECOND,))
    assert by_touches(told(referred(-1)), plain, only).program_id == SECOND


def test_a_customer_refers_once_it_is_a_partner() -> None:
    touches = told(referred(-1, None, "a:ben"))
    unknown = by_touches(touches, world(), occasion())
    assert codes(unknown) == ["referrer_unknown", "no_eligible_touch"]
    known = replace(world(), referrers={"a:ben": BO})
    assert partner(by_touches(touches, known, occasion())) == BO


def test_nobody_earns_on_oneself() -> None:
    ann = replace(with_codes(world()), referrers={"a:ann": BO})
    assert codes(by_touches(told(referred(-1, None, "a:ann")), ann, occasion())) == [
        "self_referral", "no_eligible_touch",
    ]  # fmt: skip
    selves = replace(ann, selves=frozenset({BO}))
    for touch in (used(-1), click(-1, BO), referred(-1, BO)):
        answer = by_touches(told(touch), selves, occasion())
        assert codes(answer) == ["self_referral", "no_eligible_touch"]
    assert codes(by_binding(replace(BOUND, credits=(Credit(BO, 10_000),)), selves, occasion())) == [
        "bound", "self_referral",
    ]  # fmt: skip


def test_what_closes_a_sale_to_clicks_closes_it_to_codes() -> None:
    terms = with_codes(world(hold_days=30, late_days=1))
    late = occasion(prior=(conversion_at(0),), as_of=day(31))
    assert codes(by_touches(told(used(0)), terms, late))[0] == "received_after_close"
    paused = replace(
        terms,
        programs={
            **terms.programs,
            FIRST: replace(terms.programs[FIRST], states=(Dated(LONG_AGO, "paused"),)),
        },
    )
    assert codes(by_touches(told(used(0)), paused, occasion()))[0] == "program_paused"


def test_a_binding_remembers_by_which_code_the_customer_came() -> None:
    terms = with_codes(world())
    first = by_touches(told(used(-1)), terms, occasion())
    made = binding_of(
        replace(conversion_at(0, credits_=first.credits), reasons=first.reasons, bound_at=day(0))
    )
    assert made.brought == first.brought == Brought("code", day(-1), "SPRING")
    again = by_binding(made, terms, occasion(3))
    followed = replace(conversion_at(3, credits_=again.credits), reasons=again.reasons)
    assert binding_of(followed).brought == made.brought
