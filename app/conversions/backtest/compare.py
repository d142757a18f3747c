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
from app.core.findings import Findings
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
        before, _, after = self._around(program)
        tried = replace(self.plan, effective_from=self.from_at if before else None)
        return replace(program, plans=(*before, tried, *after))

    def attributes_as(self, program: ProgramFact) -> bool:
        """Whether each conversion goes to the same by it as by the versions that it replaces."""
        before, within, _ = self._around(program)
        plan = self.plan.plan
        return all(plan.attributes_like(fact.plan) for fact in (*before[-1:], *within))

    def _around(
        self, program: ProgramFact
    ) -> tuple[list[PlanFact], list[PlanFact], list[PlanFact]]:
        """A program's versions from before, from within and from after the period."""
        since = [(_since(plan, self.from_at), plan) for plan in program.plans]
        return (
            [plan for at, plan in since if at < self.from_at],
            [plan for at, plan in since if self.from_at <= at < self.to_at],
            [plan for at, plan in since if at >= self.to_at],
        )


@dataclass(frozen=True, slots=True)
class Worlds:
    """As it is, and with `trial.instead`. attribute_alike: see `trial.attributes_as`."""

    present: World
    tried: World
    attribute_alike: bool


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
    worlds: Worlds,
    trial: Trial,
    totals: Totals,
) -> list[Compared]:
    """A customer's conversions of the period."""
    history = History(
        workspace=trial.workspace,
        events=tuple(events),
        prior=(),
        as_of=trial.now,
        now=trial.now,
        customer=customer,
    )
    told, found = told_by(history), Findings(worlds.attribute_alike)
    present = _decided(history, told, worlds.present, totals.present, found)
    tried = _decided(history, told, worlds.tried, totals.tried, found)
    return list(_both(present, tried, trial))


def _decided(
    history: History, told: Told, world: World, totals: dict[TallyKey, int], found: Findings
) -> tuple[Conversion, ...]:
    """All conversions of the history. told: by it; totals: go on with what they used of them.

    found: by the fold before.
    """
    if totals:
        history = replace(history, tallies=Tallies(totals))
    folded = fold(history, world, told, found)
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
