"""What is in Postgres of the clicks that were answered."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import asyncpg

from app.core.click_token import verify
from app.core.traffic import NAMES
from app.secret_keys import SecretKeys

SECRET = "a secret for benchmarks and tests alone"
CLICK_KEYS = SecretKeys([SECRET]).click_keys
DRAIN_S = 60
_QUIET_S = 1


@asynccontextmanager
async def connected(url: str) -> AsyncIterator["asyncpg.Connection[Any]"]:
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


async def drained(url: str, *, least: int = 0) -> int:
    """How many clicks there are, once there are as many and for a second no more have come."""
    before, since, began = -1, 0.0, time.monotonic()
    async with connected(url) as database:
        while before < least or time.monotonic() - since < _QUIET_S:
            if time.monotonic() - began > DRAIN_S:
                raise SystemExit(f"after {DRAIN_S} s {before} of {least} clicks are in Postgres")
            await asyncio.sleep(0.1)
            stored = int(await database.fetchval("SELECT count(*) FROM clicks"))
            if stored != before:
                before, since = stored, time.monotonic()
    return before


async def counted(url: str) -> int:
    """The sum of the links' counters."""
    async with connected(url) as database:
        return int(await database.fetchval("SELECT coalesce(sum(clicks), 0) FROM link_clicks"))


async def kinds(url: str) -> str:
    """What was found out of the clicks, to see that it was all switched on."""
    async with connected(url) as database:
        classes = await database.fetch(
            "SELECT traffic_class, count(*) AS clicks FROM clicks GROUP BY 1 ORDER BY 2 DESC"
        )
        known = await database.fetchrow(
            "SELECT count(visitor) AS visitors, count(country) AS countries FROM clicks"
        )
    total = sum(row["clicks"] for row in classes)
    parts = [f"{row['clicks'] / total:.0%} {NAMES[row['traffic_class']]}" for row in classes]
    assert known is not None  # it counts
    hashed, placed = known["visitors"] / total, known["countries"] / total
    return f"{', '.join(parts)}; {hashed:.0%} with a visitor hash, {placed:.0%} with a country."


async def all_stored(url: str, tokens: Sequence[str]) -> None:
    """Look for the click of each token, by its id; ends the benchmark if one is missing."""
    ids = [click_of(token) for token in tokens]
    async with connected(url) as database:
        found = await database.fetch("SELECT id FROM clicks WHERE id = ANY($1)", ids)
    stored = {row["id"] for row in found}
    if missing := set(ids) - stored:
        raise SystemExit(f"{len(missing)} of {len(ids)} answered clicks are not in Postgres")
    if len(stored) != len(tokens):
        raise SystemExit(f"{len(tokens)} answers have {len(stored)} different clicks")


def click_of(token: str) -> UUID:
    read = verify(token, CLICK_KEYS)
    if read is None:
        raise SystemExit(f"an answer has no valid token: {token!r}")
    return read.click_id
