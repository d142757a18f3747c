"""Day partitions of clicks, made ahead; what fell into the default one moves to its day."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from app.db.tx import Tx
from app.redirect.metrics import IN_DEFAULT_PARTITION

DAYS_AHEAD: Final = 7
_OLDEST_DAYS: Final = 400
_DAYS_A_RUN: Final = 31
_LOCK: Final = 0x636C69636B73  # "clicks"


async def make_partitions(tx: Tx) -> None:
    """Have a partition for each day from today to a week ahead, and for stray clicks' days.

    Clicks of impossible days (a clock gone wrong) stay in the default partition and are counted.
    """
    await tx.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
    # Attaching locks the default partition: give way rather than queue up the drains.
    await tx.execute(text("SET LOCAL lock_timeout = '2s'"))
    today = datetime.now(UTC).date()
    ahead = {today + timedelta(days=day) for day in range(DAYS_AHEAD + 1)}
    for day in sorted(ahead | await _stray_days(tx, today)):
        if not await tx.scalar(text(f"SELECT to_regclass('{_name(day)}') IS NOT NULL")):
            await _make(tx, day)
    left = await tx.scalar(text("SELECT count(*) FROM clicks_default"))
    IN_DEFAULT_PARTITION.set(left)


async def _stray_days(tx: Tx, today: date) -> set[date]:
    oldest, newest = today - timedelta(days=_OLDEST_DAYS), today + timedelta(days=DAYS_AHEAD)
    found: Any = await tx.execute(
        # A UUIDv7 begins with 48 bits of milliseconds; Postgres reads hexadecimal as bits.
        text(
            "SELECT DISTINCT (to_timestamp(('x' || translate(left(id::text, 13), '-', ''))"
            "::bit(48)::bigint / 1000.0) AT TIME ZONE 'UTC')::date AS on_day"
            " FROM clicks_default WHERE id >= :first AND id < :after ORDER BY on_day LIMIT :days"
        ),
        {"first": _bound(oldest), "after": _bound(newest), "days": _DAYS_A_RUN},
    )
    return {row.on_day for row in found}


async def _make(tx: Tx, day: date) -> None:
    """Fill the table before it is attached: no click is missing at any moment."""
    name = _name(day)
    bounds = {"first": _bound(day), "after": _bound(day + timedelta(days=1))}
    await tx.execute(text(f"CREATE TABLE {name} (LIKE clicks INCLUDING DEFAULTS)"))
    # New strays must not slip in between the move and the attaching.
    await tx.execute(text("LOCK TABLE clicks_default IN ACCESS EXCLUSIVE MODE"))
    await tx.execute(
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


def _name(day: date) -> str:
    return f"clicks_{day:%Y%m%d}"


def _bound(day: date) -> UUID:
    """The lowest UUIDv7 of a day (UTC)."""
    midnight = datetime.combine(day, time(), UTC)
    return UUID(int=round(midnight.timestamp() * 1000) << 80)
