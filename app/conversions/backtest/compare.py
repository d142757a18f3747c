"""One customer folded twice, by the terms in force and by those that are tried, sale by sale.

Both folds see the whole history as if it were decided at once, so that closes, steps and the order
of receipt make no difference between them: only the terms do.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final
from uuid import UUID

from app.core.conversions import Award, Conversion, Given
from app.core.drafts import History, Told, told_by
from app.core.events import Event
from app.core.fold import fold
from app.core.tallies import Tallies, TallyKey
from app.core.world import PlanFact, ProgramFact, World

CUSTOMERS: Final = UUID(int=0)
"""Stands for whoever buys: what they are given is summed up as one partner's."""

Share = tuple[UUID, str]
"""(partner, or CUSTOMERS; unit, which for cash is the currency)"""


@dataclass(frozen=True, slots=True)
class Trial:
    """A version that is tried on a program's sales from an instant on and before another.

    now: when all is decided, in both folds; not before any of it happened. in_order: whether some
    terms look at totals that customers share.
    """

    workspace: UUID
    program_id: UUID
    plan: PlanFact
    from_at: datetime
    to_at: datetime
    now: datetime
    in_order: bool = False

    def covers(self, at: datetime) -> bool:
        return self.from_at <= at < self.to_at

    def instead(self, program: ProgramFact) -> ProgramFact:
        """The program as if this version had come into force at the period's begin, and none
        within it.
        """
        before = [p for p in program.plans if _since(p, self.from_at) < self.from_at]
        after = [p for p in program.plans if _since(p, self.from_at) >= self.to_at]
        tried = replace(self.plan, effective_from=self.from_at if before else None)
        return replace(program, plans=(*before, tried, *after))


@dataclass(slots=True)
class Totals:
    """Partners' running totals, which each of the two uses up on its own, customer by customer."""

    present: dict[TallyKey, int] = field(default_factory=dict)
    tried: dict[TallyKey, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Paid:
    """What a sale gives one partner: awarded, and of it what refunds and disputes took back."""

    awarded: int
    reversed: int

    @property
    def kept(self) -> int:
        return self.awarded - self.reversed


NOTHING = Paid(0, 0)


@dataclass(frozen=True, slots=True)
class Compared:
    """One conversion of the period by both. now, then: by partner and currency."""

    present: Conversion
    tried: Conversion
    now: Mapping[Share, Paid]
    then: Mapping[Share, Paid]

    @property
    def otherwise(self) -> bool:
        return self.now != self.then


def compare(
    customer: UUID,
    events: Sequence[Event],
    worlds: tuple[World, World],
    trial: Trial,
    totals: Totals,
) -> list[Compared]:
    """A customer's conversions of the period. worlds: as it is, and with `trial.instead`."""
    history = History(
        workspace=trial.workspace,
        events=tuple(events),
        prior=(),
        as_of=trial.now,
        now=trial.now,
        customer=customer,
    )
    told = told_by(history)
    present = _decided(history, told, worlds[0], totals.present)
    tried = _decided(history, told, worlds[1], totals.tried)
    return list(_both(present, tried, trial))


def _decided(
    history: History, told: Told, world: World, totals: dict[TallyKey, int]
) -> tuple[Conversion, ...]:
    """All conversions of the history. told: by it; totals: go on with what they used of them."""
    if totals:
        history = replace(history, tallies=Tallies(totals))
    folded = fold(history, world, told)
    for key, (_, after) in folded.tallies.items():
        totals[key] = after
    return folded.conversions


def paid_by(conversion: Conversion) -> dict[Share, Paid]:
    """Everybody's part of a conversion; who gets nothing is left out."""
    paid: dict[Share, Paid] = {}
    for award in conversion.awards:
        share = (earner(award), award.currency)
        before = paid.get(share, NOTHING)
        paid[share] = Paid(before.awarded + award.amount, before.reversed + award.reversed)
    return paid


def earner(award: Award) -> UUID:
    """The partner, or CUSTOMERS."""
    is_customer = isinstance(award, Given) and award.to == "customer"
    return CUSTOMERS if is_customer else award.partner_id


def _both(
    present: Sequence[Conversion], tried: Sequence[Conversion], trial: Trial
) -> Iterator[Compared]:
    # What the sales are does not depend on terms, so both folds have the same in the same order.
    for now, then in zip(present, tried, strict=True):
        if trial.covers(now.occurred_at):
            yield Compared(now, then, paid_by(now), paid_by(then))


def _since(plan: PlanFact, first: datetime) -> datetime:
    """When a version came into force; the first one before any period."""
    return plan.effective_from or datetime.min.replace(tzinfo=first.tzinfo)
