"""Who stands behind credited partners: who recruited them, and the companies they belong to.

Only where some terms pay such: all other sales ask nothing and know nothing of it.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

import asyncpg

from app.core.rewards import MAX_LEVEL
from app.core.world import Dated, PlanFact, ProgramFact, World

Pair = tuple[UUID, UUID]
"""(program, partner)"""


@dataclass(frozen=True, slots=True)
class Upline:
    """As a world has it; pairs: the places of all who are named in it."""

    recruiters: Mapping[Pair, UUID] = field(default_factory=dict)
    companies: Mapping[UUID, tuple[Dated, ...]] = field(default_factory=dict)
    pairs: frozenset[Pair] = frozenset()


NONE: Final = Upline()


async def gather(
    driver: "asyncpg.Connection[Any]",
    workspace: UUID,
    pairs: set[Pair],
    programs: Mapping[UUID, ProgramFact],
    agreements: Mapping[Pair, tuple[PlanFact, ...]],
) -> Upline:
    """Of those pairs whose terms ask for it."""
    asking = {program for program, fact in programs.items() if _ask(fact.plans)}
    asked = {pair for pair in pairs if pair[0] in asking or _ask(agreements.get(pair, ()))}
    if not asked:
        return NONE
    recruiters = await _recruiters(driver, workspace, sorted(asked))
    companies = await companies_of(driver, workspace, sorted({partner for _, partner in asked}))
    return Upline(recruiters, companies, _behind(asked, recruiters, companies))


def part_for(whole: World, pairs: set[Pair]) -> Upline:
    """What of a batch's upline is behind some pairs."""
    if not (whole.recruiters or whole.companies):
        return NONE
    asked = {
        pair
        for pair in pairs
        if (place := whole.enrollments.get(pair)) is not None
        and (_ask(whole.programs[pair[0]].plans) or _ask(place.agreements))
    }
    recruiters: dict[Pair, UUID] = {}
    above = asked
    for _ in range(MAX_LEVEL):
        found = {pair: whole.recruiters[pair] for pair in above if pair in whole.recruiters}
        recruiters |= found
        above = {(program, recruiter) for (program, _), recruiter in found.items()}
    partners = {partner for _, partner in asked}
    companies = {i: whole.companies[i] for i in sorted(partners) if i in whole.companies}
    ordered = {pair: recruiters[pair] for pair in sorted(recruiters)}
    return Upline(ordered, companies, _behind(asked, ordered, companies))


def _ask(plans: Iterable[PlanFact]) -> bool:
    return any(fact.plan.groups is not None and fact.plan.groups.ask_upline for fact in plans)


def _behind(
    asked: set[Pair],
    recruiters: Mapping[Pair, UUID],
    companies: Mapping[UUID, tuple[Dated, ...]],
) -> frozenset[Pair]:
    behind = {(program, recruiter) for (program, _), recruiter in recruiters.items()}
    for program, partner in asked:
        states = companies.get(partner, ())
        behind |= {(program, UUID(dated.state)) for dated in states if dated.state}
    return frozenset(behind)


async def _recruiters(
    driver: "asyncpg.Connection[Any]", workspace: UUID, pairs: list[Pair]
) -> dict[Pair, UUID]:
    rows = await driver.fetch(
        """
        WITH RECURSIVE above AS (
          SELECT e.program_id, e.partner_id, e.recruited_by, 1 AS level
          FROM unnest($2::uuid[], $3::uuid[]) AS k (program_id, partner_id)
          JOIN enrollments e ON e.workspace_id = $1 AND e.program_id = k.program_id
            AND e.partner_id = k.partner_id
          UNION
          SELECT e.program_id, e.partner_id, e.recruited_by, a.level + 1
          FROM above a
          JOIN enrollments e ON e.workspace_id = $1 AND e.program_id = a.program_id
            AND e.partner_id = a.recruited_by
          WHERE a.level < $4
        )
        SELECT DISTINCT program_id, partner_id, recruited_by FROM above
        WHERE recruited_by IS NOT NULL
        """,
        workspace,
        [program for program, _ in pairs],
        [partner for _, partner in pairs],
        MAX_LEVEL,
    )
    return {(row["program_id"], row["partner_id"]): row["recruited_by"] for row in rows}


async def companies_of(
    driver: "asyncpg.Connection[Any]", workspace: UUID, partners: list[UUID]
) -> dict[UUID, tuple[Dated, ...]]:
    """By partner, whom it belonged to since when."""
    states: dict[UUID, list[Dated]] = defaultdict(list)
    for row in await driver.fetch(
        "SELECT partner_id, since, company_id FROM partner_companies"
        " WHERE workspace_id = $1 AND partner_id = ANY($2) ORDER BY since",
        workspace,
        partners,
    ):
        company = str(row["company_id"]) if row["company_id"] else ""
        states[row["partner_id"]].append(Dated(row["since"], company))
    return {partner: tuple(dated) for partner, dated in states.items()}
