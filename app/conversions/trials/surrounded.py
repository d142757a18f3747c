"""A real partner for a made-up sale: its dated facts and totals, as a real sale would meet them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from app.conversions import qualified, summing, surroundings, upline
from app.conversions.surroundings import Wanted
from app.conversions.trials.made_up import LONG_AGO, Place
from app.core.periods import period_of
from app.core.queue import asks_of
from app.core.tallies import ANYTHING, Kept, Tallies, TallyKey
from app.core.world import PlanFact, World
from app.db.tx import Read
from app.errors import Conflict, unknown


@dataclass(frozen=True, slots=True)
class Surrounded:
    """Where a made-up sale happens."""

    place: Place
    world: World
    tallies: Tallies = ANYTHING


async def partner_here(
    read: Read, place: Place, instants: Iterable[datetime], own: PlanFact | None = None
) -> Surrounded:
    """The partner as it stands. instants: of all sales that are made up. own: terms of this
    partner that are tried, in the place of those that it has. NotFound if it is not in the program.
    """
    driver = await read.driver()
    pair = place.program_id, place.partner_id
    everything = await surroundings.gather(driver, place.workspace, Wanted(bound={pair}))
    world = everything.world
    if pair not in world.enrollments:
        raise unknown("body/partner/id", "The program has no such partner.")
    world = await _asked(driver, place, world, own)
    return Surrounded(place, world, await _totals(driver, place, world, instants))


async def _asked(
    driver: "asyncpg.Connection[Any]", place: Place, world: World, own: PlanFact | None
) -> World:
    """The world with the terms that are tried, and all that they ask for."""
    pair = place.program_id, place.partner_id
    program = replace(world.programs[place.program_id], plans=(place.terms,))
    programs = {**world.programs, place.program_id: program}
    agreements = {p: e.agreements for p, e in world.enrollments.items()}
    if own is not None:
        agreements[pair] = (replace(own, effective_from=LONG_AGO),)
    above = await upline.gather(driver, place.workspace, {pair}, programs, agreements)
    behind = Wanted(bound={pair, *above.pairs})
    enrollments = (await surroundings.gather(driver, place.workspace, behind)).world.enrollments
    wanted = qualified.asked(enrollments, programs, agreements)
    had = await qualified.qualified(driver, place.workspace, wanted)
    return replace(
        world,
        programs=programs,
        enrollments={
            p: replace(
                found,
                qualified=had.get(p, ()),
                agreements=agreements.get(p, found.agreements),
            )
            for p, found in enrollments.items()
        },
        recruiters=above.recruiters,
        companies=above.companies,
    )


async def _totals(
    driver: "asyncpg.Connection[Any]", place: Place, world: World, instants: Iterable[datetime]
) -> Tallies:
    """The totals that the terms ask for, as they stand now."""
    times = tuple(instants)
    asked = asks_of(world).get(place.program_id, frozenset())
    wanted = {(place.program_id, a.name, period_of(at, a.period)) for a in asked for at in times}
    if not wanted:
        return ANYTHING
    return Tallies(await _summed(driver, place, sorted({p for _, p in world.enrollments}), wanted))


async def _summed(
    driver: "asyncpg.Connection[Any]", place: Place, partners: list[UUID], wanted: set[Kept]
) -> Mapping[TallyKey, int]:
    found = await summing.summed_if_few(driver, place.workspace, place.program_id, wanted)
    if found is not None:
        return found
    rows = await driver.fetch(
        "SELECT program_id, name, period FROM tally_periods"
        " WHERE workspace_id = $1 AND program_id = $2 AND period = ANY($3)",
        place.workspace,
        place.program_id,
        sorted({period for _, _, period in wanted}),
    )
    if wanted - {(row["program_id"], row["name"], row["period"]) for row in rows}:
        raise Conflict(
            "These terms ask for totals that the program has not kept so far, and it has too many"
            " sales to sum them up for a preview. Back-test the plan, or leave the partner out."
        )
    return await _kept(driver, place, partners, sorted({period for _, _, period in wanted}))


async def _kept(
    driver: "asyncpg.Connection[Any]", place: Place, partners: list[UUID], periods: list[str]
) -> dict[TallyKey, int]:
    rows = await driver.fetch(
        "SELECT program_id, partner_id, name, period, currency, total FROM tallies"
        " WHERE workspace_id = $1 AND program_id = $2 AND partner_id = ANY($3)"
        " AND period = ANY($4)",
        place.workspace,
        place.program_id,
        partners,
        periods,
    )
    return {TallyKey(*list(row.values())[:5]): row["total"] for row in rows}
