"""Who brought the customer: touches and policy in, one program's credits and reasons out."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, cast
from uuid import UUID

from app.core.candidates import Candidate, candidates, may_earn
from app.core.conversions import Conversion, Credit
from app.core.events import Event
from app.core.money import BPS
from app.core.occasions import Brought, Occasion, TouchKind
from app.core.reasons import Param, Reason, because
from app.core.world import World

PRECEDENCE: Final[tuple[TouchKind, ...]] = ("code", "deal", "referrer", "click")
"""Which kind of touch goes before which, if nothing binds the customer yet: what was said of this
customer goes before what was only seen.
"""


@dataclass(frozen=True, slots=True)
class Binding:
    """The customer belongs to these partners of this program.

    since: the conversion that made it. brought: the touch behind it, if one is known.
    """

    program_id: UUID
    credits: tuple[Credit, ...]
    since: datetime
    brought: Brought | None


@dataclass(frozen=True, slots=True)
class Attribution:
    """The answer. program_id is None and credits are empty when nobody earns."""

    program_id: UUID | None
    credits: tuple[Credit, ...]
    brought: Brought | None
    reasons: tuple[Reason, ...]


def by_touches(events: Sequence[Event], world: World, occasion: Occasion) -> Attribution:
    """Of the kind that goes first, the latest eligible touch picks the program, and that program's
    model the touch.
    """
    eligible, reasons = candidates(events, world, occasion)
    if not eligible:
        reasons.append(because("no_eligible_touch" if reasons else "no_touch"))
        return Attribution(None, (), None, tuple(reasons))
    kind = min((c.brought.kind for c in eligible), key=PRECEDENCE.index)
    ranked = [c for c in eligible if c.brought.kind == kind]
    program = ranked[-1].program_id
    own = [c for c in ranked if c.program_id == program]
    model = ranked[-1].plan.plan.model
    chosen = own[-1] if model == "last_click" else own[0]
    reasons += [_told(c, chosen=chosen, model=model) for c in eligible]
    partner = chosen.partner_id
    reasons.append(because("attributed", partner_id=partner, program_id=program, model=model))
    return Attribution(program, (Credit(partner, BPS),), chosen.brought, tuple(reasons))


def by_binding(binding: Binding, world: World, occasion: Occasion) -> Attribution:
    """Later conversions follow the binding, as far as its program and partners may earn then."""
    program = binding.program_id
    brought = _named(binding.brought) if binding.brought else {}
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
        refusal = may_earn(world, program, credit.partner_id, occasion)
        if refusal is not None:
            return Attribution(None, (), None, (*reasons, refusal))
    return Attribution(program, binding.credits, binding.brought, tuple(reasons))


def binding_of(conversion: Conversion) -> Binding:
    """What a conversion with credits makes of its customer."""
    assert conversion.program_id is not None
    return Binding(
        program_id=conversion.program_id,
        credits=conversion.credits,
        since=conversion.bound_at or conversion.occurred_at,
        brought=next(filter(None, map(_brought, conversion.reasons)), None),
    )


_TOUCHED: Final = {"touch_counted": "at", "bound": "touch_at"}
"""Where a reason tells when the touch was that brought the customer."""


def _brought(reason: Reason) -> Brought | None:
    """The touch that a reason tells of. Only a click needs no word for its kind."""
    at = reason.params.get(_TOUCHED.get(reason.code, ""))
    if at is None:
        return None
    kind = cast("TouchKind", reason.params.get("kind", "click"))
    return Brought(kind, datetime.fromisoformat(str(at)), str(reason.params.get("code", "")))


def _named(brought: Brought) -> dict[str, Param]:
    """What `_brought` reads back."""
    named: dict[str, Param] = {"touch_at": brought.at}
    if brought.kind != "click":
        named["kind"] = brought.kind
    if brought.code:
        named["code"] = brought.code
    return named


def _told(candidate: Candidate, *, chosen: Candidate, model: str) -> Reason:
    if candidate is chosen:
        return because("touch_counted", **candidate.where, at=candidate.brought.at)
    if candidate.brought.kind != chosen.brought.kind:
        return because("outranked", **candidate.where, winner=chosen.brought.kind)
    if candidate.program_id != chosen.program_id:
        return because(
            "other_program",
            **candidate.name,
            program_id=candidate.program_id,
            chosen_program_id=chosen.program_id,
        )
    return because("touch_not_chosen", **candidate.where, model=model)
