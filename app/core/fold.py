"""A customer's events → what should stand: conversions, credits, awards and why.

A pure function of the whole event set, in `(occurred_at, kind, source, external id)` order. What
has closed is taken as recorded; only refunds and disputes still move it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field, replace
from functools import partial
from typing import Final
from uuid import UUID

from app.core import duplicates, occasions, sales
from app.core.attribution import Attribution
from app.core.awards import awards_for
from app.core.buyers import Buyer
from app.core.conversions import Award, Conversion
from app.core.drafts import Draft, History, Told, told_by
from app.core.findings import Findings
from app.core.following import answers
from app.core.money import share
from app.core.queue import Queue
from app.core.reasons import Reason, because
from app.core.records import complete, record
from app.core.tallies import Places, Positions, TallyKey
from app.core.world import World

ENGINE: Final = 1
"""Raised by any change that alters a decision of the frozen corpus; old ones stay runnable."""


@record
class Folded:
    """conversions: what should stand, in deciding order. superseded: prior ones that should not,
    with the one each turned out to be. waiting: events about a payment that no sale names yet.
    told: the conversion that each event is about. disputed: by conversion, gross that is not
    refunded and under an open dispute, or suspected of being another sale told again; only those
    with some. tallies: partners' totals that mattered, before and after. positions: by conversion,
    the totals that it was decided at, where there are some.
    """

    conversions: tuple[Conversion, ...]
    superseded: Mapping[UUID, UUID]
    waiting: frozenset[UUID]
    told: Mapping[UUID, UUID]
    disputed: Mapping[UUID, int]
    tallies: Mapping[TallyKey, tuple[int, int]] = field(default_factory=dict)
    positions: Mapping[UUID, Positions] = field(default_factory=dict)


def fold(
    history: History, world: World, told: Told | None = None, found: Findings | None = None
) -> Folded:
    """Decide a customer anew from all that is known.

    told: `told_by(history)`, if it is at hand. found: by a fold of the same by other terms, or
    empty for one that follows.
    """
    told = told or told_by(history)
    groups, drafts = told.groups, told.drafts
    queue = Queue.of(drafts, history, world)
    conversions = _decide(told, history, world, queue, found)
    suspected = _suspected(drafts, conversions)
    if suspected or history.prior:
        conversions = _flagged(conversions, suspected)
    return Folded(
        conversions=conversions,
        superseded=_superseded(drafts, conversions, history),
        waiting=frozenset(
            [event.id for group in groups if not group.payments for event in group.messages]
        ),
        told=_told(drafts, conversions),
        disputed=_disputed(drafts, conversions, suspected),
        tallies=queue.changes if queue else {},
        positions=queue.places if queue else {},
    )


def _decide(
    told: Told, history: History, world: World, queue: Queue | None, found: Findings | None
) -> tuple[Conversion, ...]:
    attributed = found.answers if found else None
    if attributed is None:
        attributed = answers(told, history, world)
        if found and found.attribute_alike:
            found.answers = attributed
    buyer = Buyer.of(told.events, history.customer, found)
    decided: list[Conversion] = []
    for draft in told.drafts:
        if draft.final is not None:
            decided.append(_refresh(draft.final, draft.sale))
            if queue:
                queue.moved(draft.final, decided[-1])
            buyer.bought(decided[-1], draft.sale)
            continue
        answer = attributed[draft.id]
        if queue:
            opened = partial(_open, draft, answer, buyer, history, world)
            conversion = queue.decide(draft.prior, opened)
        else:
            conversion = _open(draft, answer, buyer, history, world, None)
        decided.append(conversion)
        buyer.bought(conversion, draft.sale)
    return tuple(decided)


def _open(
    draft: Draft,
    answer: Attribution,
    buyer: Buyer,
    history: History,
    world: World,
    places: Places | None,
) -> Conversion:
    buyer.places = places
    sold = draft.sold
    recorded_at = draft.recorded_at or history.now
    read_at = min(draft.at, recorded_at)
    plan = world.programs[answer.program_id].plan_at(read_at) if answer.program_id else None
    # What it earns is worked out on the conversion itself, so it comes last.
    conversion = Conversion(
        id=draft.id,
        key=draft.key,
        kind=buyer.kind_of(sold),
        source=draft.event.source,
        new=sold is not None and buyer.paid == 0,
        occurred_at=draft.at,
        gross=sold.gross if sold else 0,
        base=sold.base if sold else 0,
        currency=sold.currency if sold else "",
        refunded=0,
        subscription=sold.subscription if sold else "",
        program_id=answer.program_id,
        credits=answer.credits,
        awards=(),
        reasons=answer.reasons,
        bound_at=answer.bound_at,
        hold_until=occasions.closes_at(plan, at=draft.at, recorded_at=recorded_at)
        if plan
        else None,
        recorded_at=recorded_at,
    )
    awards: tuple[Award, ...] = ()
    reasons = answer.reasons
    if draft.settled:
        reasons += (because("imported_as_paid"),)
    elif plan:
        awards, tried = awards_for(conversion, sold, plan, buyer, world, answer.brought)
        reasons += tried
    if sold and not sold.lines_complete:
        reasons += (because("lines_incomplete"),)
    complete(conversion, awards=awards, reasons=reasons)
    return _refresh(conversion, draft.sale)


def _refresh(conversion: Conversion, sale: sales.Sale | None) -> Conversion:
    """The conversion with what went back until now: all that still moves after the close.

    What is taken back is proportional to what was earned, rounded once on the cumulative figure.
    """
    if sale is None or not (sale.may_be_reversed or conversion.refunded):
        return conversion
    gross, currency = conversion.gross, conversion.currency
    returned = sales.refunded(sale, gross=gross, currency=currency)
    disputed = sales.disputed(sale, currency=currency)
    refunded = sales.taken_back(sale, gross=gross, returned=returned, disputed=disputed)
    reasons = [r for r in conversion.reasons if r.code not in _MOVING_REASONS]
    return replace(
        conversion,
        refunded=refunded,
        reasons=(*reasons, *_why_it_moved(sale, returned, disputed, gross, currency)),
        awards=tuple(
            replace(award, reversed=share(award.amount, refunded, gross) if refunded else 0)
            for award in conversion.awards
        ),
    )


def _why_it_moved(
    sale: sales.Sale, returned: int, disputed: sales.Disputed, gross: int, currency: str
) -> Iterable[Reason]:
    if returned:
        yield because("refunded", refunded=returned, gross=gross, currency=currency)
    if disputed.open:
        yield because("dispute_open", disputed=disputed.open, gross=gross, currency=currency)
    if disputed.won:
        yield because("dispute_won", disputed=disputed.won, gross=gross, currency=currency)
    if disputed.lost:
        yield because("dispute_lost", disputed=disputed.lost, gross=gross, currency=currency)
    verdict = sales.is_duplicate(sale)
    if verdict is not None:
        yield because("duplicate_sale" if verdict else "not_duplicate_sale")
    foreign = {r.currency for _, r in sale.refunds} | {t.currency for _, t in sale.totals}
    for other in sorted(foreign - {currency}):
        yield because("refund_currency_differs", currency=other, sale_currency=currency)
    for other in sorted({d.currency for _, d in sale.disputes} - {currency}):
        yield because("dispute_currency_differs", currency=other, sale_currency=currency)


_SUSPECTED: Final = "possible_duplicate_sale"
_MOVING_REASONS: Final = frozenset(
    {
        "refunded",
        "refund_currency_differs",
        "dispute_open",
        "dispute_won",
        "dispute_lost",
        "dispute_currency_differs",
        "duplicate_sale",
        "not_duplicate_sale",
    }
)


def _superseded(
    drafts: Sequence[Draft], conversions: Sequence[Conversion], history: History
) -> dict[UUID, UUID]:
    """Recorded conversions that no longer stand, each with the one that it turned out to be."""
    if not history.prior:
        return {}
    standing = {conversion.id for conversion in conversions}
    by_key = {
        key: conversion.id
        for draft, conversion in zip(drafts, conversions, strict=True)
        for key in draft.keys
    }
    return {old.id: by_key[old.key] for old in history.prior if old.id not in standing}


def _suspected(drafts: Sequence[Draft], conversions: Sequence[Conversion]) -> dict[UUID, UUID]:
    """Sales that may be others told again, with those, unless a person has decided it."""
    if len(conversions) < 2:
        return {}
    decided = {
        conversion.id: verdict
        for draft, conversion in zip(drafts, conversions, strict=True)
        if draft.sale is not None and (verdict := sales.is_duplicate(draft.sale)) is not None
    }
    void = {conversion for conversion, is_duplicate in decided.items() if is_duplicate}
    told_again = duplicates.suspected(conversions, void=void)
    if not told_again:
        return {}
    settled = {
        conversion.id
        for draft, conversion in zip(drafts, conversions, strict=True)
        if draft.settled
    }
    found: dict[UUID, UUID] = {}
    for suspect, first in told_again.items():
        # Of the two the one that could be paid again is held, not the one that was paid elsewhere.
        is_paid = suspect in settled and first not in settled
        found |= {first: suspect} if is_paid else {suspect: first}
    return {suspect: first for suspect, first in found.items() if suspect not in decided}


def _flagged(
    conversions: Sequence[Conversion], suspected: Mapping[UUID, UUID]
) -> tuple[Conversion, ...]:
    """The conversions, each with the reason that it is suspected, if it is."""
    flagged: list[Conversion] = []
    for conversion in conversions:
        reasons = tuple(r for r in conversion.reasons if r.code != _SUSPECTED)
        if first := suspected.get(conversion.id):
            gross, currency = conversion.gross, conversion.currency
            reasons += (because(_SUSPECTED, by=first, gross=gross, currency=currency),)
        same = reasons == conversion.reasons
        flagged.append(conversion if same else replace(conversion, reasons=reasons))
    return tuple(flagged)


def _disputed(
    drafts: Sequence[Draft], conversions: Sequence[Conversion], suspected: Mapping[UUID, UUID]
) -> dict[UUID, int]:
    """Gross that is held, of what was not refunded anyway."""
    found: dict[UUID, int] = {}
    for draft, conversion in zip(drafts, conversions, strict=True):
        if conversion.id in suspected:
            if left := conversion.gross - conversion.refunded:
                found[conversion.id] = left
        elif draft.sale is not None and draft.sale.disputes:
            disputed = sales.disputed(draft.sale, currency=conversion.currency)
            left = conversion.gross - conversion.refunded
            if stopped := min(left, disputed.open):
                found[conversion.id] = stopped
    return found


def _told(drafts: Sequence[Draft], conversions: Sequence[Conversion]) -> dict[UUID, UUID]:
    told: dict[UUID, UUID] = {}
    for draft, conversion in zip(drafts, conversions, strict=True):
        for event_id in draft.about:
            told.setdefault(event_id, conversion.id)
    return told
