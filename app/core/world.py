"""What the fold must know besides events: links, terms and states, each with its dates."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.core.plans import Plan


@dataclass(frozen=True, slots=True)
class Dated:
    """A state and since when it holds."""

    since: datetime
    state: str


@dataclass(frozen=True, slots=True)
class LinkFact:
    """Whose link it is."""

    id: UUID
    program_id: UUID
    partner_id: UUID


@dataclass(frozen=True, slots=True)
class PlanFact:
    """A published plan version. effective_from: None in the first, which covers all before."""

    id: UUID
    version: int
    effective_from: datetime | None
    plan: Plan


@dataclass(frozen=True, slots=True)
class ProgramFact:
    """states and plans in the order of their dates."""

    id: UUID
    states: tuple[Dated, ...]
    plans: tuple[PlanFact, ...]

    def plan_at(self, at: datetime) -> PlanFact:
        """The terms in force at an instant."""
        in_force = [p for p in self.plans if p.effective_from is None or p.effective_from <= at]
        return in_force[-1]


@dataclass(frozen=True, slots=True)
class EnrollmentFact:
    """A partner's place in a program. countries: the partner's own, dated; may be none."""

    program_id: UUID
    partner_id: UUID
    countries: tuple[Dated, ...]
    states: tuple[Dated, ...]

    def country_at(self, at: datetime) -> str:
        """ISO 3166-1 alpha-2, or empty."""
        return state_at(self.countries, at) if self.countries else ""


@dataclass(frozen=True, slots=True)
class World:
    """All that one customer's touches lead to."""

    links: Mapping[UUID, LinkFact]
    programs: Mapping[UUID, ProgramFact]
    enrollments: Mapping[tuple[UUID, UUID], EnrollmentFact]
    """By (program, partner)."""


def state_at(states: tuple[Dated, ...], at: datetime) -> str:
    """The state at an instant; before the first one, the first (imports come from before)."""
    current = states[0].state
    for dated in states:
        if dated.since <= at:
            current = dated.state
    return current
