"""Clicks past their workspace's retention: days that nobody keeps are dropped whole.

The counters stay. A day with clicks of a workspace that keeps them longer loses the others' rows.
Each round looks only at what went out since the last, and at what came late
(`click_retention`); one that is broken off is done again.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.db.engine import Database
from app.db.tx import Tx
from app.ids import made_at
from app.redirect.partitions import (
    DAYS_AHEAD,
    GIVE_WAY,
    LOCK,
    days_with_partitions,
    first_id,
    name_of,
)

_CHUNK: Final = 10_000
_BUSY: Final = ("55P03", "40P01")
"""A lock was not to be had in time; or a drain waited for one of ours, and we for its."""
_LONG: Final = "SET LOCAL statement_timeout = '120s'"
_TEXT_MARGIN_DAYS: Final = DAYS_AHEAD + 2
"""A click's day may be a week after the day of its text, where a clock is ahead; the drain looks
at a text's day once a day."""

# What a broken round has begun is begun again, and where a late click was stored, from there.
_BEGIN: Final = """
    WITH begun AS (
        INSERT INTO click_retention AS old (workspace_id, cleared_to, clearing_from)
        SELECT id, CURRENT_DATE - click_retention_days, DATE '0001-01-01'
        FROM workspaces ORDER BY id
        ON CONFLICT (workspace_id) DO UPDATE
            SET clearing_from = least(old.clearing_from, old.cleared_to),
                cleared_to = greatest(old.cleared_to, excluded.cleared_to)
            WHERE old.cleared_to < excluded.cleared_to OR old.clearing_from IS NOT NULL
        RETURNING workspace_id, clearing_from
    )
    SELECT begun.workspace_id, begun.clearing_from AS since,
           CURRENT_DATE - workspaces.click_retention_days AS until
    FROM begun JOIN workspaces ON workspaces.id = begun.workspace_id
"""
_END: Final = "UPDATE click_retention SET clearing_from = NULL WHERE workspace_id = ANY(:out)"

# The lowest UUIDv7 of a day is its milliseconds, then zeros. Nobody's clicks go with the last.
_REMOVE_STRAYS: Final = """
    DELETE FROM clicks_default WHERE id IN (
        SELECT stray.id FROM clicks_default AS stray
        LEFT JOIN links ON links.id = stray.link_id
        LEFT JOIN workspaces ON workspaces.id = links.workspace_id
        WHERE stray.id < (
            lpad(to_hex(extract(epoch FROM CURRENT_DATE - coalesce(
                click_retention_days, (SELECT max(click_retention_days) FROM workspaces)
            ))::bigint * 1000), 12, '0') || repeat('0', 20)
        )::uuid
        LIMIT :size
    )
"""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Round:
    """workspace: its clicks of days before `until` go; before `since` there are none."""

    workspace: UUID
    since: date
    until: date


async def remove_old_clicks(database: Database) -> None:
    """One round; what a busy table does not let through now is left to the next."""
    async with database.tx() as tx:
        begun = await tx.execute(text(_BEGIN))
        rounds = [_Round(row.workspace_id, row.since, row.until) for row in begun]
    postponed = False
    for day in await _days(database, rounds):
        out = [one.workspace for one in rounds if one.since <= day < one.until]
        if out and not await _remove_day(database, day, out):
            log.warning("retention.postponed", day=day.isoformat())
            postponed = True
    await _remove_strays(database)
    if not postponed:
        async with database.tx() as tx:
            await tx.execute(text(_END), {"out": [one.workspace for one in rounds]})
    await _remove_quarantined(database)
    for table in ("agents", "referrers"):
        await _remove_texts(database, table)


async def _days(database: Database, rounds: Collection[_Round]) -> list[date]:
    until = max((one.until for one in rounds), default=date.min)
    async with database.read() as read:
        return [day for day in await days_with_partitions(read) if day < until]


async def _remove_day(database: Database, day: date, out: Collection[UUID]) -> bool:
    """Whether the workspaces' clicks of that day are gone."""
    try:
        async with database.tx() as tx:
            dropped = await _drop_if_nobody_keeps(tx, day)
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", "") in _BUSY:
            return False
        raise
    if dropped:
        log.info("retention.dropped", day=day.isoformat())
    else:
        await _delete(database, name_of(day), out)
    return True


async def _drop_if_nobody_keeps(tx: Tx, day: date) -> bool:
    name = name_of(day)
    await tx.execute(text(LOCK))
    await tx.execute(text(GIVE_WAY))
    await tx.execute(text(_LONG))
    # Late clicks of somebody who keeps them longer must not come between the look and the drop.
    await tx.execute(text(f"LOCK TABLE {name} IN SHARE MODE"))
    kept = await tx.scalar(
        text(
            f"SELECT EXISTS (SELECT FROM (SELECT DISTINCT link_id FROM {name}) AS opened"
            " JOIN links ON links.id = opened.link_id"
            " JOIN workspaces ON workspaces.id = links.workspace_id"
            " WHERE CAST(:day AS date) >= CURRENT_DATE - workspaces.click_retention_days)"
        ).bindparams(day=day)
    )
    if kept:
        return False
    # Not detached first: a table that is left when this is broken off would keep its day's name.
    await tx.execute(text(f"DROP TABLE {name}"))
    return True


async def _delete(database: Database, table: str, out: Collection[UUID]) -> None:
    """Chunk by chunk in the order of ids, so that no row is passed twice."""
    after: UUID | None = UUID(int=0)
    while after is not None:
        async with database.tx() as tx:
            last = await tx.scalar(
                text(
                    f"SELECT id FROM {table} WHERE id > :after ORDER BY id OFFSET :size LIMIT 1"
                ).bindparams(after=after, size=_CHUNK)
            )
            await tx.execute(
                text(
                    f"DELETE FROM {table} USING links WHERE links.id = link_id"
                    " AND links.workspace_id = ANY(:out)"
                    f" AND {table}.id > :after AND (CAST(:last AS uuid) IS NULL"
                    f" OR {table}.id <= :last)"
                ),
                {"out": list(out), "after": after, "last": last},
            )
        after = last


async def _remove_strays(database: Database) -> None:
    """The default partition is small: looked at wholly, without a memory."""
    removed = _CHUNK
    while removed == _CHUNK:
        async with database.tx() as tx:
            gone = await tx.execute(text(_REMOVE_STRAYS), {"size": _CHUNK})
            removed = gone.rowcount


async def _remove_quarantined(database: Database) -> None:
    """They name no workspace: the longest retention is theirs."""
    async with database.tx() as tx:
        await tx.execute(
            text(
                "DELETE FROM quarantined_clicks WHERE quarantined_at"
                " < CURRENT_DATE - (SELECT max(click_retention_days) FROM workspaces)"
            )
        )


async def _remove_texts(database: Database, table: str) -> None:
    """Those that were last used before every day of which clicks are left."""
    async with database.read() as read:
        days = await days_with_partitions(read)
        stray: UUID | None = await read.scalar(
            text("SELECT id FROM clicks_default WHERE id < :today ORDER BY id LIMIT 1").bindparams(
                today=first_id(_today())
            )
        )
    if stray is not None:
        days.append(made_at(stray).date())
    before = min([*days, _today()]) - timedelta(days=_TEXT_MARGIN_DAYS)
    removed = _CHUNK
    while removed == _CHUNK:
        async with database.tx() as tx:
            gone = await tx.execute(
                text(
                    f"DELETE FROM {table} WHERE seen_on < :before AND id IN (SELECT id FROM {table}"
                    " WHERE seen_on < :before ORDER BY id LIMIT :size FOR UPDATE)"
                ),
                {"before": before, "size": _CHUNK},
            )
            removed = gone.rowcount


def _today() -> date:
    return datetime.now(UTC).date()
