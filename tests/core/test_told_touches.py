"""Codes and referrers: what was said of a customer, beside what was seen of it."""

from dataclasses import replace
from datetime import datetime
from itertools import permutations
from uuid import UUID

from app.core.attribution import binding_of, by_binding, by_touches
from app.core.conversions import Credit
from app.core.events import CodeTouch, ReferrerTouch, Touch
from app.core.occasions import Brought
from app.core.world import CodeFact, Dated, World
from tests.core.made_worlds import LONG_AGO
from tests.core.test_attribution import (
    ANA,
    BO,
    BOUND,
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
    names: dict[str, tuple[Dated, ...]] = {
        fact.code: (Dated(LONG_AGO, str(fact.id)),) for fact in facts.values()
    }
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
        assert {b.kind for a in answers for b in a.brought.values()} == {kind}
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
    assert list(answer.brought.values()) == [Brought("code", day(40), "SPRING")]
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
    assert list(answer.brought.values()) == [Brought("code", day(-1), "SPRING")]
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
    assert made.brought == first.brought
    assert list(made.brought.values()) == [Brought("code", day(-1), "SPRING")]
    again = by_binding(made, terms, occasion(3))
    followed = replace(conversion_at(3, credits_=again.credits), reasons=again.reasons)
    assert binding_of(followed).brought == made.brought
