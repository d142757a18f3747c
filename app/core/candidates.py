"""Each touch of a customer on its own: whom it points to, and whether it may attribute."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, assert_never
from uuid import UUID

from app.core.attribution_terms import TouchKind
from app.core.events import (
    ClickTouch,
    CodeTouch,
    DealTouch,
    Event,
    InvalidToken,
    ReferrerTouch,
    SelfReportedTouch,
    Touch,
)
from app.core.occasions import CLOCK_SKEW, Brought, Occasion
from app.core.reasons import Param, Reason, because
from app.core.records import record
from app.core.touch_order import in_order, place_in
from app.core.world import PlanFact, World, state_at

COUNTING_CLASSES: Final = frozenset({"human", "duplicate"})

_KINDS: Final[Mapping[type[Touch], TouchKind]] = {
    InvalidToken: "click",
    ClickTouch: "click",
    CodeTouch: "code",
    ReferrerTouch: "referrer",
    DealTouch: "deal",
    SelfReportedTouch: "self_reported",
}


@record
class Candidate:
    """A touch that may attribute. plan: its program's terms then.

    name: how reasons call the touch. link_id: a click's.
    """

    brought: Brought
    name: Mapping[str, Param]
    program_id: UUID
    partner_id: UUID
    plan: PlanFact
    link_id: UUID | None = None

    @property
    def where(self) -> Mapping[str, Param]:
        """Name and place, for reasons that tell of one touch among others."""
        link: dict[str, Param] = {"link_id": self.link_id} if self.link_id else {}
        return {**self.name, **link, "partner_id": self.partner_id}


def candidates(
    events: Sequence[Event], world: World, occasion: Occasion
) -> tuple[list[Candidate], list[Reason]]:
    """The touches that may attribute, each kind in the order of its times; why others may not.

    Kinds that the occasion doesn't ask for are left out.
    """
    judge = _Judge(events, world, occasion)
    found: list[Candidate] = []
    reasons: list[Reason] = []
    for touch in _touches(events, occasion):
        verdict = _judge(touch, judge)
        if isinstance(verdict, Reason):
            reasons.append(verdict)
        else:
            found.append(verdict)
    return found, reasons


def may_earn(world: World, program: UUID, partner: UUID, occasion: Occasion) -> Reason | None:
    """Why this partner can't earn in this program at the time of the conversion, if so."""
    if occasion.program_ids and program not in occasion.program_ids:
        return because("program_filtered", program_id=program)
    if state_at(world.programs[program].states, occasion.read_at) != "active":
        return because("program_paused", program_id=program, at=occasion.read_at)
    enrollment = world.enrollments.get((program, partner))
    if enrollment is None or state_at(enrollment.states, occasion.read_at) != "active":
        return because("not_enrolled", program_id=program, partner_id=partner)
    if partner in world.selves:
        return because("self_referral", partner_id=partner)
    return None


def _touches(events: Sequence[Event], occasion: Occasion) -> Iterable[Touch]:
    """All that the events claim, of the kinds that are asked for."""
    kinds = occasion.kinds
    touches = [t for event in events for t in event.touches if _KINDS[type(t)] in kinds]
    return in_order(touches, occasion.at) if len(touches) > 1 else touches


@record
class _Judge:
    events: Sequence[Event]
    world: World
    occasion: Occasion


@record
class _Claim:
    """Whom a touch points to. until: the time back from which the window reaches; for a deal, only
    if its program gives deals a window, since its lock has ended it already.
    """

    brought: Brought
    name: Mapping[str, Param]
    program_id: UUID
    partner_id: UUID
    until: datetime
    link_id: UUID | None = None


def _judge(touch: Touch, judge: _Judge) -> Candidate | Reason:
    """Whether a touch may attribute this conversion, or why it may not."""
    match touch:
        case InvalidToken(position):
            return because("token_invalid", position=position)
        case ClickTouch():
            return _click(touch, judge)
        case CodeTouch():
            return _code(touch, judge)
        case ReferrerTouch():
            return _referrer(touch, judge)
        case DealTouch():
            return _deal(touch, judge)
        case SelfReportedTouch():
            return _self_reported(touch, judge)
        case _:
            assert_never(touch)


def _click(touch: ClickTouch, judge: _Judge) -> Candidate | Reason:
    click, occasion = touch.click_id, judge.occasion
    link = judge.world.links.get(touch.link_id)
    if link is None:
        return because("link_unknown", click_id=click)
    if touch.traffic_class not in COUNTING_CLASSES:
        return because("class_not_counted", click_id=click, traffic_class=touch.traffic_class)
    if touch.at > occasion.at + CLOCK_SKEW:
        return because("after_sale", click_id=click, at=touch.at, sale_at=occasion.at)
    if touch.at > occasion.first_at + CLOCK_SKEW:
        return because(
            "after_first_conversion", click_id=click, at=touch.at, first_at=occasion.first_at
        )
    claim = _Claim(
        brought=Brought("click", touch.at),
        name={"click_id": click},
        program_id=link.program_id,
        partner_id=link.partner_id,
        until=occasion.first_at,
        link_id=link.id,
    )
    return _weigh(claim, judge)


def _code(touch: CodeTouch, judge: _Judge) -> Candidate | Reason:
    late = _after_sale("code", touch.at, judge.occasion, code=touch.code)
    return late or _by_code("code", touch.code, touch.at, judge)


def _by_code(kind: TouchKind, code: str, at: datetime, judge: _Judge) -> Candidate | Reason:
    """A code is valid, or not, at the time of its use; its window runs back from the sale."""
    used_at = min(at, judge.occasion.read_at)
    fact = judge.world.code_at(code, used_at)
    if fact is None:
        return because("code_unknown", code=code)
    if state_at(fact.states, used_at) != "active":
        return because("code_not_valid", code=fact.code, at=used_at)
    claim = _Claim(
        brought=Brought(kind, at, fact.code),
        name={"kind": kind, "code": fact.code},
        program_id=fact.program_id,
        partner_id=fact.partner_id,
        until=judge.occasion.at,
    )
    return _weigh(claim, judge)


def _referrer(touch: ReferrerTouch, judge: _Judge) -> Candidate | Reason:
    late = _after_sale("referrer", touch.at, judge.occasion)
    if late is not None:
        return late
    if any(touch.person in event.people for event in judge.events):
        return because("self_referral", kind="referrer")
    partner = touch.partner_id or judge.world.referrers.get(touch.person)
    return _by_partner("referrer", partner, touch.at, judge)


def _by_partner(
    kind: TouchKind, partner: UUID | None, at: datetime, judge: _Judge
) -> Candidate | Reason:
    """A partner earns in the first that may pay of its programs, by the workspace's order, and
    else in the order of joining them.
    """
    order = judge.world.programs_at(judge.occasion.read_at)
    places = sorted(
        (place for place in judge.world.enrollments.values() if place.partner_id == partner),
        key=lambda place: (
            place_in(order, place.program_id),
            place.states[0].since,
            place.program_id,
        ),
    )
    if partner is None or not places:
        return because("referrer_unknown", kind=kind)
    verdicts = [
        _weigh(
            _Claim(
                brought=Brought(kind, at),
                name={"kind": kind},
                program_id=place.program_id,
                partner_id=partner,
                until=judge.occasion.at,
            ),
            judge,
        )
        for place in places
    ]
    return next((v for v in verdicts if isinstance(v, Candidate)), verdicts[0])


def _self_reported(touch: SelfReportedTouch, judge: _Judge) -> Candidate | Reason:
    """Somebody's mere word for it: only where the program asks for it by a window."""
    late = _after_sale("self_reported", touch.at, judge.occasion)
    if late is not None:
        return late
    if touch.partner_id is None:
        return _by_code("self_reported", touch.code, touch.at, judge)
    return _by_partner("self_reported", touch.partner_id, touch.at, judge)


def _deal(touch: DealTouch, judge: _Judge) -> Candidate | Reason:
    """While a lead is open it must be there before the customer, who must come before its lock
    ends. Once it is won, people have said that it brought the customer: each later sale counts.
    """
    occasion = judge.occasion
    name: dict[str, Param] = {"kind": "deal", "deal_id": touch.deal_id}
    late = _after_sale("deal", touch.at, occasion, deal_id=touch.deal_id)
    if late is not None:
        return late
    if touch.until is not None:
        first_at = occasion.first_at
        if touch.at > first_at + CLOCK_SKEW:
            return because("after_first_conversion", **name, at=touch.at, first_at=first_at)
        if first_at > touch.until:
            return because("lock_ended", **name, until=touch.until, first_at=first_at)
    claim = _Claim(
        brought=Brought("deal", touch.at),
        name=name,
        program_id=touch.program_id,
        partner_id=touch.partner_id,
        until=occasion.first_at,
    )
    return _weigh(claim, judge)


def _after_sale(kind: TouchKind, at: datetime, occasion: Occasion, **name: Param) -> Reason | None:
    if at <= occasion.at + CLOCK_SKEW:
        return None
    return because("after_sale", kind=kind, **name, at=at, sale_at=occasion.at)


def _weigh(claim: _Claim, judge: _Judge) -> Candidate | Reason:
    """Whether whom a touch points to may earn, and the touch is neither too old nor too late."""
    world, occasion = judge.world, judge.occasion
    if occasion.after is not None and claim.brought.at <= occasion.after:
        return because("before_binding", **claim.name, at=claim.brought.at, since=occasion.after)
    refusal = may_earn(world, claim.program_id, claim.partner_id, occasion)
    if refusal is not None:
        return refusal
    terms = world.programs[claim.program_id].plan_at(occasion.read_at)
    attribution = terms.plan.attribution
    if claim.brought.kind == "self_reported" and not attribution.takes_self_reports:
        ids = {"program_id": claim.program_id, "partner_id": claim.partner_id}
        return because("self_report_not_taken", **ids)
    window_days = attribution.window_of(claim.brought.kind)
    age = claim.until - claim.brought.at
    if window_days is not None and age > timedelta(days=window_days):
        age_s = int(age.total_seconds())
        return because("outside_window", **claim.name, age_s=age_s, window_days=window_days)
    closed_at = occasion.closed_at(terms, occasion.prior)
    if closed_at is not None:
        return because("received_after_close", **claim.name, closed_at=closed_at)
    return Candidate(
        brought=claim.brought,
        name=claim.name,
        program_id=claim.program_id,
        partner_id=claim.partner_id,
        plan=terms,
        link_id=claim.link_id,
    )
