"""What single partners have in a program, and own terms: gathered only where a plan asks for it."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

import asyncpg

from app.core.qualification import Qualified
from app.core.world import PlanFact, ProgramFact

Pair = tuple[UUID, UUID]
"""(program, partner)"""


def asked(
    pairs: Iterable[Pair],
    programs: Mapping[UUID, ProgramFact],
    agreements: Mapping[Pair, tuple[PlanFact, ...]],
) -> set[Pair]:
    """The partners of whom some version of their terms asks what they have."""
    asking = {i for i, program in programs.items() if _ask(program.plans)}
    return {pair for pair in pairs if pair[0] in asking or _ask(agreements.get(pair, ()))}


async def qualified(
    driver: "asyncpg.Connection[Any]", workspace: UUID, pairs: set[Pair]
) -> dict[Pair, tuple[Qualified, ...]]:
    """By partner in a program, in the order of their dates; those who never had anything are not
    in it.
    """
    if not pairs:
        return {}
    found: dict[Pair, list[Qualified]] = defaultdict(list)
    for row in await driver.fetch(
        "SELECT * FROM partner_qualifications"
        " WHERE workspace_id = $1 AND program_id = ANY($2) AND partner_id = ANY($3)"
        " ORDER BY since",
        workspace,
        sorted({program for program, _ in pairs}),
        sorted({partner for _, partner in pairs}),
    ):
        pair = row["program_id"], row["partner_id"]
        if pair in pairs:
            found[pair].append(qualified_of(row))
    return {pair: tuple(states) for pair, states in found.items()}


def qualified_of(row: Mapping[str, Any]) -> Qualified:
    """A row of partner_qualifications as the core takes it."""
    return Qualified(
        since=row["since"],
        tier=row["tier"],
        certified=row["certified"],
        certified_until=row["certified_until"],
        agreement=row["agreement"],
    )


def _ask(plans: Iterable[PlanFact]) -> bool:
    return any(version.plan.asks_qualification for version in plans)
