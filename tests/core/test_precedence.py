"""What goes before what, by the workspace's own dated order; sales one after the other."""

from dataclasses import replace
from uuid import UUID

import orjson

from app.conversions.world_canon import world_json, world_of
from app.core.attribution import by_touches
from app.core.drafts import History
from app.core.events import CodeTouch, Event, Payment, ReferrerTouch, Touch
from app.core.fold import Folded, fold
from app.core.world import PRECEDENCE, Dated, World
from tests.core.made_worlds import HEARD, LONG_AGO
from tests.core.pure_road import WORKSPACE
from tests.core.test_attribution import (
    ANA,
    BO,
    CY,
    FIRST,
    SECOND,
    click,
    day,
    occasion,
    partner,
    told,
    world,
)
from tests.core.test_told_touches import used, with_codes

CODE_FIRST = "code,binding,deal,referrer,click"
CLICK_FIRST = "click,binding,code,deal,referrer"


def by(ranks: str, since: float | None = None) -> World:
    start = LONG_AGO if since is None else day(since)
    return replace(with_codes(world()), precedence=(Dated(start, ranks),))


def sale(days: float, *touches: Touch) -> Event:
    name = f"{days:g}"
    body = Payment(authority=3, gross=100_00, base=100_00, currency="eur")
    return Event(
        id=UUID(int=int(days * 10) + 500),
        source="src",
        external_id=name,
        kind="payment",
        occurred_at=day(days),
        received_at=HEARD,
        body=body,
        people=("a:ann",),
        payments=(f"src::invoice:{name}",),
        touches=touches,
    )


def folded(known: World, *events: Event) -> Folded:
    return fold(History(WORKSPACE, events, (), as_of=HEARD, now=HEARD), known)


def earners(result: Folded) -> list[UUID | None]:
    return [c.credits[0].partner_id if c.credits else None for c in result.conversions]


FIRST_SALE, PLAIN = sale(0, click(-1, ANA)), sale(9)
CODED = sale(5, used(5))


def test_by_default_nobody_takes_over_who_is_bound() -> None:
    assert PRECEDENCE[0] == "binding"
    result = folded(with_codes(world()), FIRST_SALE, CODED, PLAIN)
    assert earners(result) == [ANA, ANA, ANA]
    assert [c.reasons[0].code for c in result.conversions[1:]] == ["bound", "bound"]


def test_a_code_that_goes_before_the_binding_takes_the_sale_and_not_the_customer() -> None:
    short = {"model": "last_click", "window": 3}
    known = replace(with_codes(world(**short)), precedence=(Dated(LONG_AGO, CODE_FIRST),))
    result = folded(known, FIRST_SALE, CODED, PLAIN)
    assert earners(result) == [ANA, BO, ANA]
    _, coded, plain = result.conversions
    assert coded.reasons[0].code == "binding_outranked"
    assert coded.reasons[0].params["winner"] == "code"
    assert (coded.bound_at, plain.bound_at) == (None, day(0))
    # It is still told that the code was used, and why it no longer counts.
    assert [r.code for r in plain.reasons][:2] == ["outside_window", "bound"]
    # While its window reaches the sale, it goes on.
    assert earners(folded(by(CODE_FIRST), FIRST_SALE, CODED, PLAIN)) == [ANA, BO, BO]


def test_what_came_before_the_binding_has_had_its_turn() -> None:
    first = sale(0, click(-1, ANA), click(-2, BO))
    later = sale(5, click(3, BO))
    assert earners(folded(by(CLICK_FIRST), first, PLAIN)) == [ANA, ANA]
    assert earners(folded(by(CLICK_FIRST), first, later)) == [ANA, BO]
    again = folded(by(CLICK_FIRST), first, PLAIN).conversions[1].reasons
    assert [r.code for r in again] == ["before_binding", "before_binding", "bound", *RULED]


RULED = ("rule_paid",)


def test_the_order_is_read_as_of_the_sale() -> None:
    known = by(CODE_FIRST, since=6)
    assert earners(folded(known, FIRST_SALE, CODED)) == [ANA, ANA]
    assert earners(folded(known, FIRST_SALE, sale(7, used(7)))) == [ANA, BO]


def test_the_order_of_touches_is_the_workspace_s_too() -> None:
    ranks = ("click", "binding", "code", "deal", "referrer")
    kinds = tuple(rank for rank in ranks if rank != "binding")
    touches = told(click(-1, ANA), CodeTouch("SPRING", day(-1)))
    known = with_codes(world())
    assert partner(by_touches(touches, known, occasion())) == BO
    assert partner(by_touches(touches, known, occasion(kinds=kinds))) == ANA
    first = sale(0, click(-1, ANA), used(0))
    assert earners(folded(by(CLICK_FIRST), first)) == [ANA]
    assert earners(folded(by(CODE_FIRST), first)) == [BO]


def ahead(*programs: UUID) -> World:
    """The workspace says of these programs that they go before others."""
    order = Dated(LONG_AGO, ",".join([*PRECEDENCE, *map(str, programs)]))
    return replace(with_codes(world()), precedence=(order,))


def test_a_program_may_go_before_others_whatever_was_clicked_last() -> None:
    touches = told(click(-1, ANA), click(-2, BO, SECOND), click(-3, CY, SECOND))
    assert partner(by_touches(touches, world(), occasion())) == ANA
    answer = by_touches(touches, ahead(SECOND), occasion())
    assert (answer.program_id, partner(answer)) == (SECOND, CY)
    assert [reason.code for reason in answer.reasons] == [
        "touch_counted",
        "touch_not_chosen",
        "program_outranked",
        "attributed",
    ]
    assert partner(by_touches(touches, ahead(FIRST, SECOND), occasion())) == ANA
    # Who stands in no order goes behind those who do, not away.
    assert partner(by_touches(told(click(-1, ANA)), ahead(SECOND), occasion())) == ANA
    assert partner(by_touches(touches, ahead(UUID(int=1)), occasion())) == ANA


def test_programs_compete_within_the_kind_that_goes_first() -> None:
    touches = told(CodeTouch("SPRING", day(-1)), click(-1, ANA, SECOND))
    answer = by_touches(touches, ahead(SECOND), occasion())
    assert (answer.program_id, partner(answer)) == (FIRST, BO)


def test_whom_a_partner_refers_to_goes_to_the_program_that_goes_before() -> None:
    touches = told(ReferrerTouch(BO, "", day(-1)))
    assert by_touches(touches, ahead(FIRST), occasion()).program_id == FIRST
    assert by_touches(touches, ahead(SECOND), occasion()).program_id == SECOND


def test_an_order_of_programs_is_read_as_of_the_sale_and_read_back() -> None:
    known = by(f"{CODE_FIRST},{SECOND}", since=3)
    assert known.programs_at(day(2)) == ()
    assert known.programs_at(day(3)) == (SECOND,)
    assert known.precedence_at(day(3)) == (*CODE_FIRST.split(","), "self_reported")
    plans = {plan.id: plan for program in known.programs.values() for plan in program.plans}
    stored = orjson.loads(orjson.dumps(world_json(known)))
    assert world_of(stored, plans).programs_at(day(3)) == (SECOND,)
