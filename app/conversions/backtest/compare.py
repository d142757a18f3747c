"""One customer folded twice, by the terms in force and by those that are tried, sale by sale.

Both folds see the whole history as if it were decided at once, so that closes, steps and the order
of receipt make no difference between them: only the terms do.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from app.core.conversions import Conversion
from app.core.drafts import History
from app.core.events import Event
from app.core.fold import fold
from app.core.world import PlanFact, ProgramFact, World

Share = tuple[UUID, str]
"""(partner, currency)"""


@dataclass(frozen=True, slots=True)
class Trial:
    """A version that is tried on a program's sales from an instant on and before another.

    now: when all is decided, in both folds; not before any of it happened.
    """

    workspace: UUID
    program_id: UUID
    plan: PlanFact
    from_at: datetime
    to_at: datetime
    now: datetime

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


def compare(events: Sequence[Event], world: World, tried: World, trial: Trial) -> list[Compared]:
    """A customer's conversions of the period. tried: the world with `trial.instead`."""
    history = History(
        workspace=trial.workspace,
        events=tuple(events),
        prior=(),
        as_of=trial.now,
        now=trial.now,
    )
    return list(_both(fold(history, world).conversions, fold(history, tried).conversions, trial))


def paid_by(conversion: Conversion) -> dict[Share, Paid]:
    """Everybody's part of a conversion; who gets nothing is left out."""
    paid: dict[Share, Paid] = {}
    for award in conversion.awards:
        share = (award.partner_id, award.currency)
        before = paid.get(share, NOTHING)
        paid[share] = Paid(before.awarded + award.amount, before.reversed + award.reversed)
    return paid


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
