"""Who brought the customer: touches and policy in, one program's credits and reasons out."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final, cast
from uuid import UUID

from app.core.attribution_terms import TouchKind
from app.core.candidates import Candidate, candidates, may_earn
from app.core.conversions import Conversion, Credit
from app.core.events import Event
from app.core.money import BPS
from app.core.occasions import Brought, Occasion
from app.core.reasons import Param, Reason, because
from app.core.records import record
from app.core.shares import Shares, share_out, weights
from app.core.touch_order import place_in
from app.core.world import World


@record
class Binding:
    """The customer belongs to these partners of this program.

    since: the conversion that made it. brought: by partner, the touch behind it, where known.
    assigned: people made it, and since is when they did.
    """

    program_id: UUID
    credits: tuple[Credit, ...]
    since: datetime
    brought: Mapping[UUID, Brought]
    assigned: bool = False


@record
class Attribution:
    """The answer. program_id is None and credits are empty when nobody earns.

    brought: by partner, the latest of its touches that counted. bound_at: since when the binding
    holds that it follows or makes.
    """

    program_id: UUID | None
    credits: tuple[Credit, ...]
    brought: Mapping[UUID, Brought]
    reasons: tuple[Reason, ...]
    bound_at: datetime | None = None


def by_touches(events: Sequence[Event], world: World, occasion: Occasion) -> Attribution:
    """Of the kind that goes first, the latest eligible touch picks the program, of those programs
    that go before others; that program's model shares among its touches of that kind. They bind the
    customer from then on.
    """
    eligible, reasons = candidates(events, world, occasion)
    if not eligible:
        reasons.append(because("no_eligible_touch" if reasons else "no_touch"))
        return nobody(reasons)
    if len(eligible) == 1:
        return _by_one(eligible[0], reasons, occasion)
    kind = min((c.brought.kind for c in eligible), key=occasion.kinds.index)
    ranked = [c for c in eligible if c.brought.kind == kind]
    latest, ahead = _picks(ranked, world.programs_at(occasion.read_at))
    own = [c for c in ranked if c.program_id == latest.program_id]
    terms = latest.plan.plan.attribution
    weighed = weights(terms, [c.brought.at for c in own])
    shares = share_out([c.partner_id for c in own], weighed, min_share_bps=terms.min_share_bps)
    counted = [c for c, weight in zip(own, weighed, strict=True) if weight]
    reasons += [_told(c, _Chosen(latest, ahead, counted, shares)) for c in eligible]
    reasons += _attributed(latest, shares)
    credited = {credit.partner_id for credit in shares.credits}
    brought = {c.partner_id: c.brought for c in counted if c.partner_id in credited}
    return Attribution(
        latest.program_id, shares.credits, brought, tuple(reasons), bound_at=occasion.at
    )


def _by_one(touch: Candidate, reasons: list[Reason], occasion: Occasion) -> Attribution:
    """The same for one touch, as most customers have: every model credits it alone."""
    shares = Shares((Credit(touch.partner_id, BPS),), {})
    reasons.append(because("touch_counted", **touch.where, at=touch.brought.at))
    reasons += _attributed(touch, shares)
    brought = {touch.partner_id: touch.brought}
    return Attribution(
        touch.program_id, shares.credits, brought, tuple(reasons), bound_at=occasion.at
    )


def _picks(ranked: Sequence[Candidate], order: Sequence[UUID]) -> tuple[Candidate, bool]:
    """The touch that picks the program, and whether its program goes before others."""
    if not order:
        return ranked[-1], False
    first = min(place_in(order, c.program_id) for c in ranked)
    latest = [c for c in ranked if place_in(order, c.program_id) == first][-1]
    return latest, first < len(order)


def by_binding(binding: Binding, world: World, occasion: Occasion) -> Attribution:
    """Later conversions follow the binding, as far as its program and partners may earn then.

    What a partner who may not earn would have had, the others share as they compare.
    """
    program = binding.program_id
    reasons = [
        because(
            "reassigned" if binding.assigned else "bound",
            partner_id=c.partner_id,
            program_id=program,
            since=binding.since,
            **({"bps": c.bps} if len(binding.credits) > 1 else {}),
            **_named(binding.brought.get(c.partner_id)),
        )
        for c in binding.credits
    ]
    # What somebody earned may change hands while it is open; what nobody did has closed by the
    # terms of whoever claims it.
    unearned = [conversion for conversion in occasion.prior if not conversion.credits]
    closed_at = occasion.closed_at(world.programs[program].plan_at(occasion.read_at), unearned)
    if closed_at is not None:
        late = because("bound_after_close", program_id=program, closed_at=closed_at)
        return nobody((*reasons, late))
    refusals = {
        credit.partner_id: refusal
        for credit in binding.credits
        if (refusal := may_earn(world, program, credit.partner_id, occasion))
    }
    for refusal in refusals.values():
        # What refuses the program refuses all of its partners, and is told once.
        reasons += [refusal] if refusal not in reasons else []
    earning = [credit for credit in binding.credits if credit.partner_id not in refusals]
    if not earning:
        return nobody(reasons)
    shares = share_out([c.partner_id for c in earning], [c.bps for c in earning])
    brought = {c.partner_id: b for c in shares.credits if (b := binding.brought.get(c.partner_id))}
    return Attribution(program, shares.credits, brought, tuple(reasons), bound_at=binding.since)


def binding_of(conversion: Conversion) -> Binding:
    """What a conversion with credits makes of its customer, or what it followed itself.

    Of several partners one may have had no part in it; the reasons still tell all shares.
    """
    assert conversion.program_id is not None
    bound = tuple(
        Credit(UUID(str(reason.params["partner_id"])), int(str(reason.params["bps"])))
        for reason in conversion.reasons
        if reason.code == "bound" and "bps" in reason.params
    )
    return Binding(
        program_id=conversion.program_id,
        credits=bound or conversion.credits,
        since=conversion.bound_at or conversion.occurred_at,
        brought=dict(filter(None, map(_brought, conversion.reasons))),
    )


_TOUCHED: Final = {"touch_counted": "at", "bound": "touch_at"}
"""Where a reason tells when the touch was that brought the customer."""


def _brought(reason: Reason) -> tuple[UUID, Brought] | None:
    """The touch that a reason tells of, and whose. Only a click needs no word for its kind."""
    at = reason.params.get(_TOUCHED.get(reason.code, ""))
    if at is None:
        return None
    kind = cast("TouchKind", reason.params.get("kind", "click"))
    brought = Brought(kind, datetime.fromisoformat(str(at)), str(reason.params.get("code", "")))
    return UUID(str(reason.params["partner_id"])), brought


def _named(brought: Brought | None) -> dict[str, Param]:
    """What `_brought` reads back."""
    if brought is None:
        return {}
    named: dict[str, Param] = {"touch_at": brought.at}
    if brought.kind != "click":
        named["kind"] = brought.kind
    if brought.code:
        named["code"] = brought.code
    return named


def nobody(reasons: Iterable[Reason]) -> Attribution:
    """The answer that nobody earns."""
    return Attribution(None, (), {}, tuple(reasons))


def _attributed(latest: Candidate, shares: Shares) -> Iterable[Reason]:
    """Who is credited. A model that credits one touch needs no word for the share."""
    terms = latest.plan.plan.attribution
    for credit in shares.credits:
        bps: dict[str, Param] = {"bps": credit.bps} if terms.shares else {}
        yield because(
            "attributed",
            partner_id=credit.partner_id,
            program_id=latest.program_id,
            model=terms.model,
            **bps,
        )


@record
class _Chosen:
    """latest: the touch that picked kind and program. ahead: whether its program goes before others
    by the workspace's order. counted: the touches that its model counts.
    """

    latest: Candidate
    ahead: bool
    counted: Sequence[Candidate]
    shares: Shares


def _told(candidate: Candidate, chosen: _Chosen) -> Reason:
    """What became of an eligible touch."""
    latest, shares = chosen.latest, chosen.shares
    terms = latest.plan.plan.attribution
    if candidate.brought.kind != latest.brought.kind:
        return because("outranked", **candidate.where, winner=latest.brought.kind)
    if candidate.program_id != latest.program_id:
        return because(
            "program_outranked" if chosen.ahead else "other_program",
            **candidate.name,
            program_id=candidate.program_id,
            chosen_program_id=latest.program_id,
        )
    if not any(candidate is one for one in chosen.counted):
        return because("touch_not_chosen", **candidate.where, model=terms.model)
    if candidate.partner_id in shares.too_small:
        return because(
            "share_too_small",
            **candidate.where,
            share_bps=shares.too_small[candidate.partner_id],
            min_share_bps=terms.min_share_bps,
        )
    return because("touch_counted", **candidate.where, at=candidate.brought.at)
