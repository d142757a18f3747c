"""Partners' totals of a batch: found, or summed up when a period is first asked for, and written.

What is tallied at all stands in `tally_periods`, so that terms that ask for a total in the middle
of a month find all that came before.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from app.conversions import summing
from app.conversions.facts import Counters, Known
from app.core.events import Event
from app.core.periods import PERIODS, period_of
from app.core.queue import asks_of
from app.core.tallies import Ask, Kept, Tallies, TallyKey
from app.core.world import World
from app.db import bulk
from app.db import tables as t

Customer = tuple[Known, Sequence[Event]]
"""What is recorded of a customer, and the news of it."""


async def gather(
    driver: "asyncpg.Connection[Any]",
    workspace: UUID,
    customers: Iterable[Customer],
    world: World,
    counters: Counters,
) -> Tallies:
    """All totals that deciding on these customers may look at or move. Not one query is made where
    no terms ask for any.
    """
    asks = asks_of(world)
    if not asks and not counters.keeps_tallies:
        return Tallies({}, frozenset())
    pairs, open_at, closed_at = set(world.enrollments), set[datetime](), set[datetime]()
    for known, news in customers:
        _look(known, news, pairs, open_at, closed_at)
    wanted = _wanted(asks, open_at)
    periods = {period_of(at, kind) for at in open_at | closed_at for kind in PERIODS}
    kept, totals = await _stored(driver, workspace, pairs, periods)
    if missing := wanted - kept:
        totals |= await _begin(driver, workspace, missing)
    return Tallies(totals, kept | missing)


async def write(
    driver: "asyncpg.Connection[Any]", workspace: UUID, totals: Mapping[TallyKey, int]
) -> None:
    """Totals as they stand now."""
    await bulk.upsert(
        driver,
        t.TallyRow,
        [{"workspace_id": workspace, **k._asdict(), "total": n} for k, n in totals.items()],
        conflict=" ON CONFLICT (workspace_id, program_id, partner_id, name, period, currency)"
        " DO UPDATE SET total = excluded.total",
    )


def _look(
    known: Known,
    news: Sequence[Event],
    pairs: set[tuple[UUID, UUID]],
    open_at: set[datetime],
    closed_at: set[datetime],
) -> None:
    """Whose totals matter for a customer, and in the periods of which instants."""
    since = min(event.received_at for event in news)
    closed: set[UUID] = set()
    for conversion in known.conversions.values():
        pairs |= {(award.program_id, award.partner_id) for award in conversion.awards}
        if conversion.hold_until is not None and conversion.hold_until < since:
            closed.add(conversion.id)
            closed_at.add(conversion.occurred_at)
        else:
            open_at.add(conversion.occurred_at)
    open_at |= {event.occurred_at for event in news}
    for event in known.events.values():
        # It may tell of an open conversion after this news.
        if known.states[event.id][1] not in closed:
            open_at.add(event.occurred_at)


def _wanted(asks: Mapping[UUID, frozenset[Ask]], instants: Iterable[datetime]) -> frozenset[Kept]:
    kinds = {ask.period for asked in asks.values() for ask in asked}
    periods = {kind: {period_of(at, kind) for at in instants} for kind in kinds}
    return frozenset(
        (program, ask.name, period)
        for program, asked in asks.items()
        for ask in asked
        for period in periods[ask.period]
    )


async def _stored(
    driver: "asyncpg.Connection[Any]",
    workspace: UUID,
    pairs: set[tuple[UUID, UUID]],
    periods: Iterable[str],
) -> tuple[frozenset[Kept], dict[TallyKey, int]]:
    """What is kept of these programs in these periods, and the totals of these partners."""
    ordered = sorted(pairs)
    # One look-up a partner, as in `bulk.fetch`.
    rows = await driver.fetch(
        """
        SELECT program_id, NULL::uuid AS partner_id, name, period, NULL AS currency, 0 AS total
        FROM tally_periods
        WHERE workspace_id = $1 AND program_id = ANY($2) AND period = ANY($4)
        UNION ALL
        SELECT k.program_id, k.partner_id, t.name, t.period, t.currency, t.total
        FROM unnest($2::uuid[], $3::uuid[]) AS k (program_id, partner_id)
        CROSS JOIN LATERAL (
          SELECT name, period, currency, total FROM tallies
          WHERE workspace_id = $1 AND program_id = k.program_id AND partner_id = k.partner_id
            AND period = ANY($4) OFFSET 0
        ) t
        """,
        workspace,
        [program for program, _ in ordered],
        [partner for _, partner in ordered],
        sorted(periods),
    )
    kept: set[Kept] = set()
    totals: dict[TallyKey, int] = {}
    for row in rows:
        if row["partner_id"] is None:
            kept.add((row["program_id"], row["name"], row["period"]))
        else:
            totals[TallyKey(*list(row.values())[:5])] = row["total"]
    return frozenset(kept), totals


async def _begin(
    driver: "asyncpg.Connection[Any]", workspace: UUID, missing: Iterable[Kept]
) -> dict[TallyKey, int]:
    """Sum up what is to be kept from now on."""
    by_program: dict[UUID, list[Kept]] = defaultdict(list)
    for kept in sorted(missing):
        by_program[kept[0]].append(kept)
    totals: dict[TallyKey, int] = {}
    for program, wanted in by_program.items():
        totals |= await summing.summed_at_once(driver, workspace, program, wanted)
    await write(driver, workspace, totals)
    await bulk.insert(
        driver,
        t.TallyPeriod,
        [
            {"workspace_id": workspace, "program_id": program, "name": name, "period": period}
            for program, wanted in by_program.items()
            for _, name, period in wanted
        ],
    )
    return totals
