"""The conversion that attribution is asked about, and when it closes."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from app.core.attribution_terms import TouchKind
from app.core.conversions import Conversion
from app.core.records import record
from app.core.world import PRECEDENCE, PlanFact

TOUCHES: Final[tuple[TouchKind, ...]] = tuple(kind for kind in PRECEDENCE if kind != "binding")
CLOCK_SKEW: Final = timedelta(seconds=5)
"""A touch counts up to this long after the conversion: clocks differ."""


@record
class Brought:
    """The touch that brought a customer. code: in normal form, if it is one."""

    kind: TouchKind
    at: datetime
    code: str = ""


@record
class Occasion:
    """The conversion that is asked about.

    read_at: as of when terms and states count: its own time, or when it was recorded if that is
    earlier. first_at: the customer's first known conversion of any kind. prior: it as recorded,
    under whatever keys; empty while it is new. as_of: the receipt of the earliest news in this
    decision. kinds: of touches that may attribute, the one that goes first in front. after: only
    touches later than that may, if it is given.
    """

    at: datetime
    read_at: datetime
    first_at: datetime
    program_ids: tuple[UUID, ...]
    prior: tuple[Conversion, ...]
    as_of: datetime
    kinds: tuple[TouchKind, ...] = TOUCHES
    after: datetime | None = None

    def closed_at(self, terms: PlanFact, prior: Iterable[Conversion]) -> datetime | None:
        """When it closed for those who claim it only now under these terms, if it has."""
        recorded_at = min((conversion.recorded_at for conversion in prior), default=None)
        if recorded_at is None:
            return None
        closed_at = closes_at(terms, at=self.at, recorded_at=recorded_at)
        return closed_at if closed_at < self.as_of else None


def closes_at(plan: PlanFact, *, at: datetime, recorded_at: datetime) -> datetime:
    """When a conversion closes under these terms."""
    return max(
        at + timedelta(days=plan.plan.hold_days),
        recorded_at + timedelta(days=plan.plan.late_days),
    )
