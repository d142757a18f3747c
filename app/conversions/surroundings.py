"""What the touches of a batch lead to: links, programs with their terms, enrollments."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from app.core.conversions import Conversion
from app.core.events import ClickTouch, Event
from app.core.plans import Plan, parse
from app.core.world import Dated, EnrollmentFact, LinkFact, PlanFact, ProgramFact, World

Pair = tuple[UUID, UUID]
"""(program, partner)"""


async def gather(
    driver: "asyncpg.Connection[Any]",
    workspace: UUID,
    links: Iterable[UUID],
    bound: Iterable[Pair],
) -> World:
    """Everything that links lead to in this workspace, and the pairs that customers are bound to.

    Another workspace's link is left out, like one that never was.
    """
    wanted = sorted(links)
    rows = await driver.fetch(
        "SELECT id, program_id, partner_id FROM links WHERE workspace_id = $1 AND id = ANY($2)",
        workspace,
        wanted,
    )
    facts = {r["id"]: LinkFact(r["id"], r["program_id"], r["partner_id"]) for r in rows}
    pairs = {(link.program_id, link.partner_id) for link in facts.values()} | set(bound)
    if not pairs:
        return World(facts, {}, {})
    return World(
        links=facts,
        programs=await _programs(driver, workspace, sorted({program for program, _ in pairs})),
        enrollments=await _enrollments(driver, workspace, pairs),
    )


def links_of(events: Iterable[Event]) -> set[UUID]:
    return {t.link_id for e in events for t in e.touches if isinstance(t, ClickTouch)}


def bound_to(conversions: Iterable[Conversion]) -> set[Pair]:
    """Whom recorded conversions credit; a later one may follow them without a touch."""
    return {(c.program_id, d.partner_id) for c in conversions if c.program_id for d in c.credits}


def part_for(everything: World, links: set[UUID], bound: set[Pair]) -> World:
    """What of a batch's world concerns one customer."""
    own = {i: everything.links[i] for i in sorted(links) if i in everything.links}
    pairs = sorted({(link.program_id, link.partner_id) for link in own.values()} | bound)
    enrolled = everything.enrollments
    return World(
        links=own,
        programs={program: everything.programs[program] for program, _ in pairs},
        enrollments={pair: enrolled[pair] for pair in pairs if pair in enrolled},
    )


@lru_cache(maxsize=10_000)
def compiled(_plan_version: UUID, document: bytes) -> Plan:
    """A published plan, compiled once a process."""
    return parse(orjson.loads(document))


def compiled_fact(row: Mapping[str, Any]) -> PlanFact:
    """A row of plan_versions as the core takes it."""
    plan = compiled(row["id"], orjson.dumps(row["document"]))
    return PlanFact(row["id"], row["version"], row["effective_from"], plan)


async def _programs(
    driver: "asyncpg.Connection[Any]", workspace: UUID, programs: Sequence[UUID]
) -> dict[UUID, ProgramFact]:
    states: dict[UUID, list[Dated]] = defaultdict(list)
    for row in await driver.fetch(
        "SELECT program_id, since, state FROM program_states"
        " WHERE workspace_id = $1 AND program_id = ANY($2) ORDER BY since",
        workspace,
        programs,
    ):
        states[row["program_id"]].append(Dated(row["since"], row["state"]))
    plans: dict[UUID, list[PlanFact]] = defaultdict(list)
    for row in await driver.fetch(
        "SELECT id, program_id, version, document, effective_from FROM plan_versions"
        " WHERE workspace_id = $1 AND program_id = ANY($2) AND published_at IS NOT NULL"
        " ORDER BY effective_from NULLS FIRST, version",
        workspace,
        programs,
    ):
        plans[row["program_id"]].append(compiled_fact(row))
    return {i: ProgramFact(i, tuple(states[i]), tuple(plans[i])) for i in programs}


async def _enrollments(
    driver: "asyncpg.Connection[Any]", workspace: UUID, pairs: set[tuple[UUID, UUID]]
) -> dict[tuple[UUID, UUID], EnrollmentFact]:
    programs, partners = sorted({p for p, _ in pairs}), sorted({p for _, p in pairs})
    states: dict[tuple[UUID, UUID], list[Dated]] = defaultdict(list)
    for row in await driver.fetch(
        "SELECT program_id, partner_id, since, state FROM enrollment_states"
        " WHERE workspace_id = $1 AND program_id = ANY($2) AND partner_id = ANY($3)"
        " ORDER BY since",
        workspace,
        programs,
        partners,
    ):
        states[row["program_id"], row["partner_id"]].append(Dated(row["since"], row["state"]))
    countries: dict[UUID, list[Dated]] = defaultdict(list)
    for row in await driver.fetch(
        "SELECT partner_id, since, country FROM partner_countries"
        " WHERE workspace_id = $1 AND partner_id = ANY($2) ORDER BY since",
        workspace,
        partners,
    ):
        countries[row["partner_id"]].append(Dated(row["since"], row["country"]))
    return {
        pair: EnrollmentFact(*pair, tuple(countries[pair[1]]), tuple(states[pair]))
        for pair in sorted(pairs)
        if pair in states
    }
