"""Day partitions of clicks, made ahead; what fell into the default one moves to its day."""

from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from uuid import UUID

import structlog
from sqlalchemy import text

from app.db.engine import Database
from app.db.tables.clicks import DAY_OF_ID
from app.db.tx import Read, Tx
from app.ids import first_at
from app.redirect.metrics import IN_DEFAULT_PARTITION

DAYS_AHEAD: Final = 7
LOCK: Final = f"SELECT pg_advisory_xact_lock({0x636C69636B73})"
"""One at a time makes or drops partitions. The number is the bytes of "clicks"."""
GIVE_WAY: Final = "SET LOCAL lock_timeout = '2s'"
"""A lock on clicks that has to wait holds up the drains behind it: better to try again later."""
_LONGEST_MOVE: Final = "SET LOCAL statement_timeout = '600s'"
_MOVED_AT_ONCE: Final = 100_000
_DAYS_AT_ONCE: Final = 31
_MOST_ROUNDS: Final = 200

log = structlog.get_logger()


async def keep_partitions(database: Database) -> None:
    """As `make_partitions`, until no stray is left that can be moved."""
    for _ in range(_MOST_ROUNDS):
        async with database.tx() as tx:
            if not await make_partitions(tx):
                return


async def make_partitions(tx: Tx) -> bool:
    """Have a partition for each day from today to a week ahead, and for stray clicks' days.

    Whether strays are left for another transaction: a day's move in one, since no click may be
    missing at any moment, but not many days'. Clicks of impossible days (a clock gone wrong) stay
    in the default partition, counted and alarmed.
    """
    await tx.execute(text(LOCK))
    await tx.execute(text(GIVE_WAY))
    await tx.execute(text(_LONGEST_MOVE))
    today = datetime.now(UTC).date()
    ahead = [today + timedelta(days=day) for day in range(DAYS_AHEAD + 1)]
    strays = await _stray_days(tx, today)
    moved = 0
    for day in [*ahead, *strays]:
        if moved >= _MOVED_AT_ONCE:
            return True
        if not await tx.scalar(text(f"SELECT to_regclass('{name_of(day)}') IS NOT NULL")):
            moved += await _make(tx, day)
    left: int = await tx.scalar(text("SELECT count(*) FROM clicks_default"))
    IN_DEFAULT_PARTITION.set(left)
    if left:
        # A full disk can refuse the log line, which must not cost the partitions.
        with suppress(OSError):
            log.error("clicks.in_default_partition", clicks=left)
    return len(strays) == _DAYS_AT_ONCE


async def days_with_partitions(tx: Read) -> list[date]:
    """In order, the default partition apart."""
    found = await tx.execute(
        text(
            "SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid"
            " WHERE inhparent = 'clicks'::regclass AND relname ~ '^clicks_[0-9]{8}$'"
            " ORDER BY relname"
        )
    )
    return [date.fromisoformat(row.relname.removeprefix("clicks_")) for row in found]


def name_of(day: date) -> str:
    return f"clicks_{day:%Y%m%d}"


def first_id(day: date) -> UUID:
    """The lowest UUIDv7 of a day (UTC)."""
    return first_at(datetime.combine(day, time(), UTC))


async def _stray_days(tx: Tx, today: date) -> list[date]:
    """Days of strays that some workspace may still keep; older ones wait for retention."""
    kept_days = await tx.scalar(text("SELECT max(click_retention_days) FROM workspaces"))
    oldest = today - timedelta(days=kept_days or DAYS_AHEAD)
    newest = today + timedelta(days=DAYS_AHEAD)
    found: Any = await tx.execute(
        text(
            f"SELECT DISTINCT {DAY_OF_ID} AS on_day"
            " FROM clicks_default WHERE id >= :first AND id < :after ORDER BY on_day LIMIT :days"
        ),
        {"first": first_id(oldest), "after": first_id(newest), "days": _DAYS_AT_ONCE},
    )
    return [row.on_day for row in found]


async def _make(tx: Tx, day: date) -> int:
    """Fill the table before it is attached: no click is missing at any moment. How many moved."""
    name = name_of(day)
    bounds = {"first": first_id(day), "after": first_id(day + timedelta(days=1))}
    await tx.execute(text(f"CREATE TABLE {name} (LIKE clicks INCLUDING DEFAULTS)"))
    # The planner's statistics are copies, which an erasure of their rows would not reach.
    for personal in ("subs", "network"):
        column = f"ALTER TABLE {name} ALTER COLUMN {personal} SET STATISTICS 0"
        await tx.execute(text(column))
    # New strays must not slip in between the move and the attaching.
    await tx.execute(text("LOCK TABLE clicks_default IN ACCESS EXCLUSIVE MODE"))
    moved = await tx.execute(
        text(
            "WITH moved AS (DELETE FROM clicks_default WHERE id >= :first AND id < :after"
            f" RETURNING *) INSERT INTO {name} SELECT * FROM moved"
        ),
        bounds,
    )
    await tx.execute(
        text(
            f"ALTER TABLE clicks ATTACH PARTITION {name}"
            f" FOR VALUES FROM ('{bounds['first']}') TO ('{bounds['after']}')"
        )
    )
    return moved.rowcount
