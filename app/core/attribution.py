"""Who brought the customer: touches and policy in, one program's credits and reasons out."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID

from app.core.conversions import Conversion, Credit
from app.core.events import ClickTouch, Event, InvalidToken
from app.core.money import BPS
from app.core.reasons import Param, Reason, because
from app.core.world import LinkFact, PlanFact, World, state_at

CLOCK_SKEW: Final = timedelta(seconds=5)
"""A touch counts up to this long after the conversion: clocks differ."""

COUNTING_CLASSES: Final = frozenset({"human", "duplicate"})


@dataclass(frozen=True, slots=True)
class Binding:
    """The customer belongs to these partners of this program.

    since: the conversion that made it. touch_at: the click that brought the customer.
    """

    program_id: UUID
    credits: tuple[Credit, ...]
    since: datetime
    touch_at: datetime | None


@dataclass(frozen=True, slots=True)
class Occasion:
    """The conversion that is asked about.

    read_at: as of when terms and states count: its own time, or when it was recorded if that is
    earlier. first_at: the customer's first known conversion of any kind. prior: it as recorded,
    under whatever keys; empty while it is new. as_of: the receipt of the earliest news in this
    decision.
    """

    at: datetime
    read_at: datetime
    first_at: datetime
    program_ids: tuple[UUID, ...]
    prior: tuple[Conversion, ...]
    as_of: datetime

    def closed_at(self, terms: PlanFact, prior: Iterable[Conversion]) -> datetime | None:
        """When it closed for those who claim it only now under these terms, if it has."""
        recorded_at = min((conversion.recorded_at for conversion in prior), default=None)
        if recorded_at is None:
            return None
        closed_at = closes_at(terms, at=self.at, recorded_at=recorded_at)
        return closed_at if closed_at < self.as_of else None


@dataclass(frozen=True, slots=True)
class Attribution:
    """The answer. program_id is None and credits are empty when nobody earns."""

    program_id: UUID | None
    credits: tuple[Credit, ...]
    touch_at: datetime | None
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class _Candidate:
    touch: ClickTouch
    link: LinkFact
    plan: PlanFact


def by_touches(events: Sequence[Event], world: World, occasion: Occasion) -> Attribution:
    """The program of the latest eligible touch, and the touch that its model picks there."""
    candidates: list[_Candidate] = []
    reasons: list[Reason] = []
    for touch in _touches(events):
        verdict = _judge(touch, world, occasion)
        if isinstance(verdict, Reason):
            reasons.append(verdict)
        else:
            candidates.append(verdict)
    if not candidates:
        reasons.append(because("no_eligible_touch" if reasons else "no_touch"))
        return Attribution(None, (), None, tuple(reasons))
    latest = candidates[-1]
    program = latest.link.program_id
    own = [c for c in candidates if c.link.program_id == program]
    model = latest.plan.plan.model
    chosen = own[-1] if model == "last_click" else own[0]
    reasons += [_told(c, chosen=chosen, program=program, model=model) for c in candidates]
    partner = chosen.link.partner_id
    reasons.append(because("attributed", partner_id=partner, program_id=program, model=model))
    return Attribution(program, (Credit(partner, BPS),), chosen.touch.at, tuple(reasons))


def by_binding(binding: Binding, world: World, occasion: Occasion) -> Attribution:
    """Later conversions follow the binding, as far as its program and partners may earn then."""
    program = binding.program_id
    brought: dict[str, Param] = {"touch_at": binding.touch_at} if binding.touch_at else {}
    reasons = [
        because(
            "bound", partner_id=c.partner_id, program_id=program, since=binding.since, **brought
        )
        for c in binding.credits
    ]
    # What somebody earned may change hands while it is open; what nobody did has closed by the
    # terms of whoever claims it.
    unearned = [conversion for conversion in occasion.prior if not conversion.credits]
    closed_at = occasion.closed_at(world.programs[program].plan_at(occasion.read_at), unearned)
    if closed_at is not None:
        late = because("bound_after_close", program_id=program, closed_at=closed_at)
        return Attribution(None, (), None, (*reasons, late))
    for credit in binding.credits:
        refusal = _may_earn(world, program, credit.partner_id, occasion)
        if refusal is not None:
            return Attribution(None, (), None, (*reasons, refusal))
    return Attribution(program, binding.credits, binding.touch_at, tuple(reasons))


def closes_at(plan: PlanFact, *, at: datetime, recorded_at: datetime) -> datetime:
    """When a conversion closes under these terms."""
    return max(
        at + timedelta(days=plan.plan.hold_days),
        recorded_at + timedelta(days=plan.plan.late_days),
    )


def _touches(events: Sequence[Event]) -> list[ClickTouch | InvalidToken]:
    """All that the events claim, each click once, by their own times; invalid tokens first."""
    invalid = [t for e in events for t in e.touches if isinstance(t, InvalidToken)]
    clicks = {t.click_id: t for e in events for t in e.touches if isinstance(t, ClickTouch)}
    return [*invalid, *sorted(clicks.values(), key=lambda t: (t.at, t.click_id))]


def _judge(
    touch: ClickTouch | InvalidToken, world: World, occasion: Occasion
) -> _Candidate | Reason:
    """Whether a touch may attribute this conversion, or why it may not."""
    if isinstance(touch, InvalidToken):
        return because("token_invalid", position=touch.position)
    click = touch.click_id
    link = world.links.get(touch.link_id)
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
    refusal = _may_earn(world, link.program_id, link.partner_id, occasion)
    if refusal is not None:
        return refusal
    plan = world.programs[link.program_id].plan_at(occasion.read_at)
    return _in_time(_Candidate(touch, link, plan), occasion)


def _in_time(candidate: _Candidate, occasion: Occasion) -> _Candidate | Reason:
    click, plan = candidate.touch.click_id, candidate.plan
    age = occasion.first_at - candidate.touch.at
    if age > timedelta(days=plan.plan.window_days):
        return because(
            "outside_window",
            click_id=click,
            age_s=int(age.total_seconds()),
            window_days=plan.plan.window_days,
        )
    closed_at = occasion.closed_at(plan, occasion.prior)
    if closed_at is not None:
        return because("received_after_close", click_id=click, closed_at=closed_at)
    return candidate


def _may_earn(world: World, program: UUID, partner: UUID, occasion: Occasion) -> Reason | None:
    """Why this partner can't earn in this program at the time of the conversion, if so."""
    if occasion.program_ids and program not in occasion.program_ids:
        return because("program_filtered", program_id=program)
    if state_at(world.programs[program].states, occasion.read_at) != "active":
        return because("program_paused", program_id=program, at=occasion.read_at)
    enrollment = world.enrollments.get((program, partner))
    if enrollment is None or state_at(enrollment.states, occasion.read_at) != "active":
        return because("not_enrolled", program_id=program, partner_id=partner)
    return None


def _told(
    candidate: _Candidate,
    *,
    chosen: _Candidate,
    program: UUID,
    model: Literal["last_click", "first_click"],
) -> Reason:
    click, link = candidate.touch.click_id, candidate.link
    if link.program_id != program:
        return because(
            "other_program",
            click_id=click,
            program_id=link.program_id,
            chosen_program_id=program,
        )
    if candidate is not chosen:
        return because(
            "touch_not_chosen",
            click_id=click,
            link_id=link.id,
            partner_id=link.partner_id,
            model=model,
        )
    return because(
        "touch_counted",
        click_id=click,
        link_id=link.id,
        partner_id=link.partner_id,
        at=candidate.touch.at,
    )
