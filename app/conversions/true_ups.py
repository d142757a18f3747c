"""Settle partners' periods by bands of mode whole: one decision for each, under the lane.

Periods that have sales paid so stand in `tallies`, and are marked when they are settled; so each is
settled once, whoever does it, and again only if a crash undid it all.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import asyncpg
from sqlalchemy import text

from app.conversions import facts, surroundings
from app.conversions.canon import dumps, json_text
from app.conversions.decided import DecisionRow, next_decision
from app.conversions.facts import Counters
from app.conversions.recording.numbered import write_counters, write_decisions, write_transfers
from app.conversions.surroundings import Wanted
from app.conversions.true_up_canon import Settling, commission_row, digest, facts_json
from app.core.periods import PERIODS, ends_at, period_of, starts_at
from app.core.tallies import BASE, TallyKey, base_of
from app.core.transfers import Transfer
from app.core.true_up import Period, TrueUp, award, closing_terms, settles_at, terms_of, true_up
from app.core.world import World
from app.db import bulk
from app.db import tables as t
from app.db.engine import Database
from app.errors import LaneBusy
from app.ledger.mature import GRACE_S

BATCH: Final = 100
"""Periods that are settled in one transaction."""
_NOBODY: Final = UUID(int=0)
# As the index on them says.
_UNSETTLED: Final = "settled_no IS NULL AND name LIKE 'base:%' AND currency <> ''"

Span = tuple[UUID, str]
"""A program and a period."""


@dataclass(slots=True)
class _Batch:
    """What one lane transaction settles. marks: which totals are settled by which decision."""

    workspace: UUID
    counters: Counters
    decisions: list[DecisionRow] = field(default_factory=list)
    commissions: list[dict[str, Any]] = field(default_factory=list)
    transfers: list[tuple[Transfer, datetime]] = field(default_factory=list)
    """Each with the time that it is about."""
    marks: list[dict[str, Any]] = field(default_factory=list)


async def settle_due(database: Database) -> int:
    """One batch of every workspace that has periods to settle; gives how many were settled."""
    now, settled = datetime.now(UTC), 0
    async with database.read() as read:
        found = await read.all(
            text(
                "SELECT workspace_id, period FROM tallies"
                f" WHERE {_UNSETTLED} AND period <> ALL(:open)"
                # So that one workspace that fails keeps none behind it for good.
                " GROUP BY workspace_id, period ORDER BY random()"
            ).bindparams(open=_open(now))
        )
    for workspace in dict.fromkeys(row.workspace_id for row in found if _ended(row.period, now)):
        try:
            settled += await settle_workspace(database, workspace)
        except LaneBusy:
            continue
    return settled


async def settle_workspace(database: Database, workspace: UUID) -> int:
    """Settle what is due in one workspace, in its lane."""
    async with database.lane(workspace) as tx:
        driver = await tx.driver()
        batch = _Batch(workspace, await facts.counters(driver, workspace, []))
        spans = await _due_spans(driver, workspace, batch.counters.now)
        periods = await _due(driver, workspace, spans) if spans else []
        if not periods:
            return 0
        pairs = {(period.program_id, period.partner_id) for period in periods}
        world = (await surroundings.gather(driver, workspace, Wanted(bound=pairs))).world
        totals = await _totals(driver, workspace, periods)
        for period in periods:
            _settle(batch, period, world, totals)
        await _write(driver, batch)
    return len(periods)


def _open(now: datetime) -> list[str]:
    """Where most of what is unsettled lies, and nothing that is due."""
    return [period_of(now, kind) for kind in PERIODS]


def _ended(period: str, now: datetime) -> bool:
    end = ends_at(period)
    return end is not None and end < now


async def _due_spans(
    driver: "asyncpg.Connection[Any]", workspace: UUID, now: datetime
) -> list[Span]:
    """Those that have closed, and before whose close no event waits to be decided."""
    rows = await driver.fetch(
        "SELECT DISTINCT program_id, period FROM tallies"
        f" WHERE workspace_id = $1 AND {_UNSETTLED} AND period <> ALL($2)",
        workspace,
        _open(now),
    )
    spans = sorted((row["program_id"], row["period"]) for row in rows)
    ended = [span for span in spans if _ended(span[1], now)]
    if not ended:
        return []
    waiting = await driver.fetchval(
        "SELECT min(received_at) FROM events WHERE workspace_id = $1 AND state = 'received'",
        workspace,
    )
    # The hold is the program's, whoever the partner is.
    wanted = Wanted(bound={(program, _NOBODY) for program, _ in ended})
    programs = (await surroundings.gather(driver, workspace, wanted)).world.programs
    until = min(now - timedelta(seconds=GRACE_S), waiting or now)
    return [
        (program, within)
        for program, within in ended
        if settles_at(closing_terms(programs[program], within).plan, within) < until
    ]


async def _due(
    driver: "asyncpg.Connection[Any]", workspace: UUID, spans: Sequence[Span]
) -> list[Period]:
    """Partners' periods, but for those with a sale under an open dispute: it may still be lost."""
    rows = await driver.fetch(
        f"""
        SELECT u.program_id, u.partner_id, u.name, u.period, u.currency
        FROM (SELECT * FROM tallies WHERE workspace_id = $1 AND {_UNSETTLED}) u
        JOIN unnest($2::uuid[], $3::text[], $4::timestamptz[], $5::timestamptz[])
          AS k (program_id, period, starts_at, ends_at) USING (program_id, period)
        WHERE NOT EXISTS (
          SELECT FROM commissions c
          WHERE c.workspace_id = $1 AND c.partner_id = u.partner_id AND c.held > 0
            AND c.program_id = u.program_id AND 'base:' || c.rule_id = u.name
            AND c.occurred_at >= k.starts_at AND c.occurred_at < k.ends_at
        )
        ORDER BY u.period, u.program_id, u.partner_id, u.name, u.currency LIMIT {BATCH}
        """,
        workspace,
        [program for program, _ in spans],
        [within for _, within in spans],
        [starts_at(within) for _, within in spans],
        [ends_at(within) for _, within in spans],
    )
    return [
        Period(
            program_id=row["program_id"],
            partner_id=row["partner_id"],
            rule_id=row["name"].removeprefix(BASE),
            within=row["period"],
            currency=row["currency"],
        )
        for row in rows
    ]


async def _totals(
    driver: "asyncpg.Connection[Any]", workspace: UUID, periods: Sequence[Period]
) -> dict[TallyKey, int]:
    keys = sorted({key for period in periods for key in period.reads})
    columns = [list(column) for column in zip(*keys, strict=True)]
    rows = await driver.fetch(
        """
        SELECT program_id, partner_id, name, period, currency, t.total
        FROM unnest($2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[])
          AS k (program_id, partner_id, name, period, currency)
        JOIN tallies t USING (program_id, partner_id, name, period, currency)
        WHERE t.workspace_id = $1
        """,
        workspace,
        *columns,
    )
    return {TallyKey(*list(row.values())[:5]): row["total"] for row in rows}


def _settle(batch: _Batch, period: Period, world: World, totals: Mapping[TallyKey, int]) -> None:
    """Decide on one period and note what follows."""
    program = world.programs[period.program_id]
    enrollment = world.enrollments[period.program_id, period.partner_id]
    found = terms_of(program, enrollment, period)
    if found is None:
        # Another version asks for the total; what was in force here settles nothing.
        batch.marks.append(_mark(batch, period, 0))
        return
    terms, bands = found
    closing = closing_terms(program, period.within)
    settling = Settling(period, terms, closing, settles_at(closing.plan, period.within))
    rest = true_up(bands, period, totals)
    number = _decide(batch, settling, rest, totals)
    batch.marks.append(_mark(batch, period, number))
    if not rest.amount:
        return
    _, transfers = award(period, rest)
    batch.transfers += [(transfer, period.last_at) for transfer in transfers]
    batch.commissions.append(
        {
            "workspace_id": batch.workspace,
            **commission_row(settling, rest),
            "status": "pending",
            "explanation": json_text((rest.reason,)),
            "transfers": len(transfers),
            "decision_no": number,
            "recorded_at": batch.counters.now,
        }
    )


def _mark(batch: _Batch, period: Period, number: int) -> dict[str, Any]:
    key = period.key(base_of(period.rule_id), period.currency)
    return {"workspace_id": batch.workspace, **key._asdict(), "settled_no": number}


def _decide(batch: _Batch, settling: Settling, rest: TrueUp, totals: Mapping[TallyKey, int]) -> int:
    read = dumps(facts_json(settling, totals, batch.counters.now))
    outcome = digest(settling.period, rest)
    decision = next_decision(batch.counters, batch.workspace, None, read, outcome)
    batch.decisions.append(decision)
    return decision.number


async def _write(driver: "asyncpg.Connection[Any]", batch: _Batch) -> None:
    counters = batch.counters
    await write_decisions(driver, batch.workspace, batch.decisions, counters)
    await bulk.insert(driver, t.Commission, batch.commissions)
    await bulk.update(driver, t.TallyRow, batch.marks, keys=("workspace_id", *TallyKey._fields))
    await write_transfers(driver, batch.workspace, batch.transfers, counters)
    await write_counters(driver, batch.workspace, counters)
