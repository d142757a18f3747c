"""Whatever a plan says: what sales earn is owed as it was decided, in any batch, to the cent."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid5

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from app.core.events import (
    Churn,
    CodeTouch,
    DealTouch,
    Event,
    InvalidToken,
    Line,
    Payment,
    Reassigned,
    ReferrerTouch,
    SelfReportedTouch,
    Touch,
)
from app.core.plans import Plan, PlanError, parse
from app.core.qualification import Qualified
from app.core.sales import DUPLICATE
from app.core.world import CodeFact, Dated, World
from tests.core.made_documents import documents
from tests.core.made_worlds import CODES, HEARD, LONG_AGO, REFERRERS, START, world_of
from tests.core.pure_road import PureRoad, owed
from tests.core.telling import (
    ANA,
    BO,
    CY,
    FIRST,
    _event,
    click,
    day,
    dispute,
    lead,
    named,
    refund,
    refund_total,
    sale,
    subscribed,
    tie,
)
from tests.core.test_shared_examples import summed

SPRING = next(iter(CODES))
LINES = (
    (),
    (("pro", 1),),
    (("seat", 3), ("pro", 1)),
    (("seat", 2), ("seat", 5), ("other", 1)),
)


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """Any document about what is sold here: in euros, of these products, to these tiers."""
    document = _tamed(draw(documents))
    document["attribution"]["window_days"] = draw(st.sampled_from((40, 3_650)))
    document["hold_days"] = draw(st.sampled_from((0, 30, 400)))
    document["rules"].append({"id": "rest_of_all", "pay": {"percent_bps": 1_234}})
    try:
        return parse(document)
    except PlanError:
        assume(False)
        raise


def _tamed(value: Any, name: str = "") -> Any:
    if isinstance(value, dict):
        if value.keys() == {"amount", "currency"}:
            amount = value["amount"] if name == "from" else value["amount"] % 9_999 + 1
            return {"amount": amount, "currency": "eur"}
        return {key: _tamed(inner, key) for key, inner in value.items()}
    if name == "product_ids":
        return ["pro", "seat"][: len(value)]
    if name == "tiers":
        return ["gold"]
    if isinstance(value, list):
        return [_tamed(inner, name) for inner in value]
    if name in {"sales", "leads", "nth", "payments", "months"}:
        return value % 3 + 1
    return value


@st.composite
def histories(draw: st.DrawFn) -> list[Event]:
    events: list[Event] = []
    for n in range(draw(st.integers(1, 6))):
        who, days = draw(st.sampled_from(("a:ann", "a:ben"))), draw(st.sampled_from((0, 1, 31, 95)))
        touches = draw(st.lists(_touches(days), max_size=3))
        kind = draw(st.sampled_from(("lead", "other", "sale", "sale", "sale", "returned")))
        if kind == "lead":
            events.append(lead(*touches, days=days, person=who, name=f"l{n}"))
        elif kind == "other":
            events.append(draw(_others(who, days)))
        else:
            amount = draw(st.sampled_from((1, 999, 5_000, 123_457, 10**12)))
            subscription = draw(st.sampled_from(("", f"s::subscription:{who}")))
            told: dict[str, Any] = {
                "base": amount,
                "days": days,
                "person": who,
                "subscription": subscription,
            }
            made = sale(f"i{n}", amount * 119 // 100, *touches, **told)
            events.append(replace(_lined(made, draw(st.sampled_from(LINES))), country="DE"))
        if kind == "returned":
            events.append(draw(_returns(n, max(1, amount // 3), days + 1)))
        if draw(st.integers(0, 9)) == 0:
            events += [_again(events[-1], n), tie(f"session:i{n}", f"invoice:i{n}")]
    if draw(st.integers(0, 4)) == 0:
        events.append(named(people=("a:ann", "a:ben"), days=96))
    return events


def _touches(days: float) -> st.SearchStrategy[Touch]:
    """Of every kind, told that day; the clicks lie before it."""
    at = day(days)
    partners = st.sampled_from((ANA, BO, CY))
    clicks = st.builds(click, st.sampled_from((days - 3, days - 2, days - 45)), partners)
    codes = st.sampled_from(("SPRING", "NOBODYS")).map(lambda code: CodeTouch(code, at))
    people = st.sampled_from(("a:ben", "a:dan", "a:eve"))
    deals = st.builds(
        lambda partner, until: DealTouch(UUID(int=70), 2, FIRST, partner, day(days - 9), until),
        partners,
        st.sampled_from((None, day(days + 9), day(days - 1))),
    )
    return st.one_of(
        clicks,
        clicks,
        clicks,
        codes,
        people.map(lambda person: ReferrerTouch(None, person, at)),
        deals,
        partners.map(lambda partner: SelfReportedTouch(partner, "", at)),
        st.just(InvalidToken(0)),
    )


def _others(who: str, days: float) -> st.SearchStrategy[Event]:
    """What is neither bought nor given back."""
    people = (who,)
    given = Reassigned(FIRST, BO, UUID(int=0xF0))
    taken = Reassigned(None, None, UUID(int=0xF0))
    return st.sampled_from(
        (
            _event("churn", Churn(f"s::subscription:{who}"), days, people=people),
            _event("reassigned", given, days, people=people),
            _event("reassigned", taken, days, people=people),
            subscribed("i0", f"s::subscription:{who}", days=days),
            named(days=days, people=people),
        )
    )


def _returns(n: int, amount: int, days: float) -> st.SearchStrategy[Event]:
    return st.sampled_from(
        (
            refund(f"i{n}", amount, days=days),
            refund(f"i{n}", amount, days=days, fails=True),
            refund_total(f"i{n}", amount, days=days),
            *(dispute(f"i{n}", amount, state, days=days) for state in ("open", "won", "lost")),
            # A person's word on whether it is another sale told again.
            dispute(f"i{n}", 0, "lost", days=days, dispute_id=DUPLICATE),
            dispute(f"i{n}", 0, "won", days=days, dispute_id=DUPLICATE),
        )
    )


def _again(event: Event, n: int) -> Event:
    """The same payment by another of its names, where it is one."""
    names = (f"src::session:i{n}",)
    return replace(event, id=uuid5(event.id, "again"), external_id=f"again{n}", payments=names)


def _lined(event: Event, items: tuple[tuple[str, int], ...]) -> Event:
    body = event.body
    assert isinstance(body, Payment)
    part = body.base // len(items) if items else 0
    lines = [Line(product, part, quantity) for product, quantity in items]
    if lines:
        lines[0] = replace(lines[0], amount=body.base - part * (len(lines) - 1))
    quantity = sum(line.quantity for line in lines) or 1
    return replace(event, body=replace(body, lines=tuple(lines), quantity=quantity))


def world_under(plan: Plan) -> World:
    """Bo recruited Ana, Cy recruited Bo, Ana belongs to Cy's company and is gold for a while; Cy is
    suspended later.
    """
    world = world_of(plan)
    gold = (
        Qualified(LONG_AGO, "gold", certified=True, certified_until=None, agreement="v1"),
        Qualified(
            START + timedelta(days=50), "", certified=False, certified_until=None, agreement=""
        ),
    )
    places = {
        (FIRST, partner): replace(world.enrollments[FIRST, partner], qualified=has)
        for partner, has in ((ANA, gold), (BO, gold[:1]), (CY, ()))
    }
    always = (Dated(LONG_AGO, "active"),)
    gone = (*always, Dated(START + timedelta(days=60), "suspended"))
    places[FIRST, CY] = replace(places[FIRST, CY], states=gone)
    return replace(
        world,
        enrollments={**world.enrollments, **places},
        recruiters={(FIRST, ANA): BO, (FIRST, BO): CY},
        companies={ANA: (Dated(LONG_AGO, str(CY)),)},
        codes={SPRING: CodeFact(SPRING, "SPRING", FIRST, BO, always)},
        code_names={"SPRING": (Dated(LONG_AGO, str(SPRING)),)},
        referrers=REFERRERS,
    )


@settings(max_examples=150)
@given(plans(), histories(), st.data())
def test_what_stands_is_what_is_owed_whatever_the_plan(
    plan: Plan, history: list[Event], data: st.DataObject
) -> None:
    road = PureRoad(world_under(plan))
    is_partner = data.draw(st.sampled_from((None, None, ANA, CY)), label="a customer is")
    left = [replace(e, received_at=HEARD + timedelta(seconds=n)) for n, e in enumerate(history)]
    while left:
        size = data.draw(st.integers(1, 4), label="batch")
        road.receive(*left[:size])
        left = left[size:]
        if is_partner and road.customers:
            road.owners[is_partner] = min(road.customers)
    assert road.balances == owed(road)
    assert {k: n for k, n in road.totals.items() if n} == {
        k: n for k, n in summed(road).items() if n
    }
    for conversion in road.conversions.values():
        assert sum(credit.bps for credit in conversion.credits) in {0, 10_000}
        assert all(0 <= award.reversed <= award.amount for award in conversion.awards)
