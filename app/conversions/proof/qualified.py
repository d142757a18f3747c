"""What decisions knew of single partners: their qualification and own terms, against the rows."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from app.conversions.canon import Json
from app.conversions.proof.finding import Finding
from app.conversions.qualified import Pair, asked, qualified
from app.conversions.world_canon import world_of
from app.core.world import EnrollmentFact, PlanFact, World

Row = Mapping[str, Any]
Owned = Mapping[Pair, Sequence[Row]]


async def findings(
    driver: "asyncpg.Connection[Any]",
    workspace: UUID,
    decisions: Sequence[Row],
    plans: Mapping[UUID, PlanFact],
) -> list[Finding]:
    """Decisions that knew more or less than what held by then.

    What lay ahead of a decision doesn't matter to it, and may have been written anew since.
    """
    own = await _own_terms(driver, workspace)
    if not own and not any(version.plan.asks_qualification for version in plans.values()):
        return []
    worlds = [(row, world) for row in decisions if (world := _world(row["facts"], plans))]
    pairs = {pair for _, world in worlds for pair in world.enrollments}
    held = await qualified(driver, workspace, pairs)
    found: list[Finding] = []
    for row, world in worlds:
        now = datetime.fromisoformat(row["facts"]["now"])
        agreements = {pair: place.agreements for pair, place in world.enrollments.items()}
        asking = asked(world.enrollments, world.programs, agreements)
        for pair, place in world.enrollments.items():
            wrong = _terms_differ(place, own.get(pair, ()), now)
            if pair in asking and not wrong:
                then = [one for one in held.get(pair, ()) if one.since <= now]
                wrong = then != [one for one in place.qualified if one.since <= now]
            if wrong:
                problem = "it knew another qualification or other terms of a partner than there are"
                found.append(Finding(f"decision {row['decision_no']}", problem))
                break
    return found


def _world(facts: Json, plans: Mapping[UUID, PlanFact]) -> World | None:
    """None: they can't be read, which is told where they are decided again."""
    try:
        return world_of(facts["world"], plans)
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


def _terms_differ(place: EnrollmentFact, own: Sequence[Row], now: datetime) -> bool:
    begun = {version.id for version in place.agreements if _began(version.effective_from, now)}
    then = {row["id"] for row in own if _began(row["effective_from"], now)}
    return begun != then


def _began(at: datetime | None, now: datetime) -> bool:
    return at is not None and at <= now


async def _own_terms(driver: "asyncpg.Connection[Any]", workspace: UUID) -> Owned:
    """Partners' own terms in the workspace, drafts left out."""
    rows = await driver.fetch(
        "SELECT id, program_id, partner_id, effective_from FROM plan_versions"
        " WHERE workspace_id = $1 AND partner_id IS NOT NULL AND published_at IS NOT NULL",
        workspace,
    )
    own: dict[Pair, list[Row]] = defaultdict(list)
    for row in rows:
        own[row["program_id"], row["partner_id"]].append(row)
    return own
