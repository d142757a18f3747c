"""Who decisions knew behind partners, recruiters and companies, against the rows."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from app.conversions.canon import Json
from app.conversions.proof.finding import Finding
from app.conversions.upline import companies_of
from app.core.world import Dated

Row = Mapping[str, Any]


async def findings(
    driver: "asyncpg.Connection[Any]", workspace: UUID, decisions: Sequence[Row]
) -> list[Finding]:
    """Decisions that knew other recruiters or companies than there are.

    Who recruited a partner never changes; a company is held as far as it had begun.
    """
    told = [(row, world) for row in decisions if (world := _upline(row["facts"])) is not None]
    if not told:
        return []
    partners = {partner for _, world in told for partner in world["partners"]}
    recruited = {
        (str(row["program_id"]), str(row["partner_id"])): str(row["recruited_by"])
        for row in await driver.fetch(
            "SELECT program_id, partner_id, recruited_by FROM enrollments"
            " WHERE workspace_id = $1 AND partner_id = ANY($2)",
            workspace,
            list(partners),
        )
    }
    companies = await companies_of(driver, workspace, sorted(partners))
    found: list[Finding] = []
    for row, world in told:
        now = datetime.fromisoformat(row["facts"]["now"])
        same = all(recruited.get((p, i)) == by for p, i, by in world["recruiters"]) and all(
            _begun(companies.get(UUID(i), ()), now) == _begun(_dated(states), now)
            for i, states in world["companies"].items()
        )
        if not same:
            problem = "it knew another recruiter or company of a partner than there is"
            found.append(Finding(f"decision {row['decision_no']}", problem))
    return found


def _upline(facts: Json) -> Json | None:
    """None: there is none, or it can't be read, which is told where it is decided again."""
    try:
        world = facts["world"]
        recruiters, companies = world.get("recruiters", []), world.get("companies", {})
        partners = {UUID(i) for _, i, _ in recruiters} | {UUID(i) for i in companies}
        [_dated(states) for states in companies.values()]
    except (AttributeError, KeyError, TypeError, ValueError):
        return None
    if not partners:
        return None
    return {"recruiters": recruiters, "companies": companies, "partners": partners}


def _dated(states: Sequence[Sequence[str]]) -> tuple[Dated, ...]:
    return tuple(Dated(datetime.fromisoformat(since), state) for since, state in states)


def _begun(states: Sequence[Dated], now: datetime) -> list[Dated]:
    return [dated for dated in states if dated.since <= now]
