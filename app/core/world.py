"""What the fold must know besides events: links, terms and states, each with its dates."""

from collections.abc import Mapping, Sequence
from dataclasses import field
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from app.core.attribution_terms import TouchKind
from app.core.plans import Plan
from app.core.qualification import NONE, Qualification, Qualified, qualification_at
from app.core.records import record

Rank = TouchKind | Literal["binding"]
PRECEDENCE: Final[tuple[Rank, ...]] = (
    "binding", "code", "deal", "referrer", "click", "self_reported"
)  # fmt: skip
"""What goes before what, unless the workspace says otherwise: what was said of this customer goes
before what was only seen, and nobody takes over a customer who is somebody's.
"""


@record
class Dated:
    """A state and since when it holds."""

    since: datetime
    state: str


@record
class LinkFact:
    """Whose link it is."""

    id: UUID
    program_id: UUID
    partner_id: UUID


@record
class CodeFact:
    """Whose referral code it is. code: in normal form. states: `active` or `ended`, dated."""

    id: UUID
    code: str
    program_id: UUID
    partner_id: UUID
    states: tuple[Dated, ...]


@record
class PlanFact:
    """A published plan version. effective_from: None in the first, which covers all before.

    effective_until: when a partner's own terms end; None: not yet.
    """

    id: UUID
    version: int
    effective_from: datetime | None
    plan: Plan
    effective_until: datetime | None = None


@record
class ProgramFact:
    """states and plans in the order of their dates."""

    id: UUID
    states: tuple[Dated, ...]
    plans: tuple[PlanFact, ...]

    def plan_at(self, at: datetime) -> PlanFact:
        """The terms in force at an instant."""
        for plan in reversed(self.plans):
            if plan.effective_from is None or plan.effective_from <= at:
                return plan
        raise LookupError(f"no terms of program {self.id} are in force at {at}")


@record
class EnrollmentFact:
    """A partner's place in a program. countries: the partner's own, dated; may be none.

    qualified: what it has there, dated, where a plan asks for it. agreements: terms of its own, in
    the order of their dates; no two at a time.
    """

    program_id: UUID
    partner_id: UUID
    countries: tuple[Dated, ...]
    states: tuple[Dated, ...]
    qualified: tuple[Qualified, ...] = ()
    agreements: tuple[PlanFact, ...] = ()

    def qualification_at(self, at: datetime) -> Qualification:
        """A tier, a certificate, an accepted agreement; what no plan asks for is not told here."""
        return qualification_at(self.qualified, at) if self.qualified else NONE

    def agreement_at(self, at: datetime) -> PlanFact | None:
        """The terms of its own that are in force at an instant, if any are."""
        for own in self.agreements:
            begins, ends = own.effective_from, own.effective_until
            if begins is not None and begins <= at and (ends is None or at < ends):
                return own
        return None

    def country_at(self, at: datetime) -> str:
        """ISO 3166-1 alpha-2, or empty."""
        return state_at(self.countries, at) if self.countries else ""


@record
class World:
    """All that one customer's touches lead to."""

    links: Mapping[UUID, LinkFact]
    programs: Mapping[UUID, ProgramFact]
    enrollments: Mapping[tuple[UUID, UUID], EnrollmentFact]
    """By (program, partner)."""
    codes: Mapping[UUID, CodeFact] = field(default_factory=dict)
    code_names: Mapping[str, tuple[Dated, ...]] = field(default_factory=dict)
    """By a code in normal form, or a `provider:id`: the id of the code that it means, or empty."""
    referrers: Mapping[str, UUID] = field(default_factory=dict)
    """By the digest of a customer's alias: the partner that this customer is."""
    selves: frozenset[UUID] = frozenset()
    """Partners who are the customer that is decided on."""
    recruiters: Mapping[tuple[UUID, UUID], UUID] = field(default_factory=dict)
    """By (program, partner): who recruited it for the program; only where a plan asks for it."""
    companies: Mapping[UUID, tuple[Dated, ...]] = field(default_factory=dict)
    """By partner: the id of its company, or empty; only where a plan asks for it."""
    precedence: tuple[Dated, ...] = ()
    """What goes before what, by the words of PRECEDENCE with commas between, and behind them the
    ids of programs that go before others; before the first one, PRECEDENCE.
    """

    def code_at(self, name: str, at: datetime) -> CodeFact | None:
        """What a code meant at an instant; before the first, what it meant first."""
        states = self.code_names.get(name)
        meant = state_at(states, at) if states else ""
        return self.codes[UUID(meant)] if meant else None

    def precedence_at(self, at: datetime) -> tuple[Rank, ...]:
        """All ranks, the one that goes first in front."""
        said = self._said_at(at)
        return all_ranks(said) if said else PRECEDENCE

    def programs_at(self, at: datetime) -> tuple[UUID, ...]:
        """Programs that go before others, the one that goes first in front."""
        return all_programs(self._said_at(at))

    def _said_at(self, at: datetime) -> list[str]:
        said = [dated.state for dated in self.precedence if dated.since <= at]
        return said[-1].split(",") if said else []


def all_ranks(said: Sequence[str]) -> tuple[Rank, ...]:
    """What was said before a kind was known says nothing of it: it goes last."""
    known = [word for word in said if word in PRECEDENCE]
    return (*known, *(rank for rank in PRECEDENCE if rank not in known))


def all_programs(said: Sequence[str]) -> tuple[UUID, ...]:
    """The programs among the words of an order."""
    return tuple(UUID(word) for word in said if word not in PRECEDENCE)


def state_at(states: tuple[Dated, ...], at: datetime) -> str:
    """The state at an instant; before the first one, the first (imports come from before)."""
    current = states[0].state
    for dated in states:
        if dated.since <= at:
            current = dated.state
    return current
