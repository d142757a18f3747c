"""`python -m bench storage`: what a stored click weighs, and how fast the drain stores the next.

Everything is switched on: visitor hashes, countries, reasons, networks on a tenth of the clicks,
sub-ids on a fifth. Journal rows go through the drain's own `unpack` and `ClickStore`. The drain's
speed is taken in turn on an empty table and on one with 10 million clicks.
"""

import os
import random
import statistics
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Final
from uuid import UUID

from sqlalchemy import make_url

from app.core.traffic import CLASSES
from app.db.engine import Database
from app.db.migrate import upgrade
from app.redirect.clicks import ClickStore
from app.redirect.drain import BATCH_CLICKS
from app.redirect.journal_rows import JournalRow, pack, unpack
from app.redirect.partitions import first_id, keep_partitions, name_of
from app.redirect.postgres import connect
from bench.table import table

if TYPE_CHECKING:
    from app.redirect.postgres import Connection

WEIGHED: Final = 1_000_000
PRESENT: Final = 10_000_000
ROUNDS: Final = 7
A_ROUND: Final = 100_000
LINKS: Final = 10_000
AGENTS: Final = 2_000
PAGES: Final = 5_000
DAYS: Final = 10
A_COMMIT: Final = 40
_COUNTRIES = (b"US", b"DE", b"GB", b"FR", b"IN", b"BR", b"ES", b"NL", b"PL", b"JP")

_HEADS = ("clicks present", "clicks/s", "Python µs", "Postgres µs", "rounds, clicks/s")
# As the drain would have left them, made by Postgres itself: evenly over each day.
_FILL = """
    INSERT INTO clicks (id, link_id, agent_id, referrer_id, traffic_class, class_reason, visitor,
                        country, subs)
    SELECT (lpad(to_hex(($1::bigint + n * 86400000 / $2)::bigint), 12, '0') || '7'
             || substr(random, 1, 3) || '8' || substr(random, 4, 15))::uuid,
           ('00000000-0000-7000-8000-' || lpad(to_hex((10000 ^ random())::bigint), 12, '0'))::uuid,
           1 + n % 2000, nullif(n % 5001, 0), 1, 0, ('x' || substr(random, 1, 16))::bit(64)::bigint,
           'DE', CASE WHEN n % 5 = 0 THEN 'sub1=place-' || n % 1000 END
    FROM generate_series(0, $2::bigint - 1) AS n, md5(n::text) AS random
"""
_COUNT = """
    INSERT INTO link_clicks SELECT link_id, $1::date, traffic_class, count(*) FROM clicks
    WHERE id >= $2 AND id < $3 GROUP BY 1, 3
"""
_SIZES = """
    SELECT pg_table_size($1::text::regclass) AS rows, pg_indexes_size($1::text::regclass) AS index,
           pg_total_relation_size('agents') + pg_total_relation_size('referrers') AS texts,
           (SELECT count(*) FROM clicks) AS clicks
"""


@dataclass(frozen=True, slots=True)
class Round:
    """One measured run of the drain's second half; the times are CPU a click."""

    rate: float
    python_us: float
    postgres_us: float


async def main(url: str) -> None:
    heads = ["sub-ids", "rows", "index", "dictionaries", "bytes a click"]
    print(table(heads, [await _weight(url, subs=subs) for subs in (0.0, 0.2)]), flush=True)
    async with _opened(url) as empty, _opened(await _second(url)) as full:
        await _fill(full)
        rounds: dict[str, list[Round]] = {"empty": [], f"{PRESENT:,} clicks": []}
        for turn in range(ROUNDS):
            for found, connection in zip(rounds.values(), (empty, full), strict=True):
                if connection is empty:
                    await _clear(empty)
                commits = _commits(random.Random(turn), A_ROUND, _now_ms(), 0.2)
                found.append(await _drain(connection, commits))
    print()
    print(table(_HEADS, [_line(name, found) for name, found in rounds.items()]))
    without, present = (statistics.median(one.rate for one in found) for found in rounds.values())
    print(f"\n{present / without:.2f} of the empty table's")


async def _weight(url: str, *, subs: float) -> list[str]:
    """Bytes a click in today's partition, all that belongs to it included."""
    async with _opened(url) as connection:
        await _clear(connection)
        chance, at_ms = random.Random(1), _now_ms() - 600_000
        for first in range(0, WEIGHED, A_ROUND):
            await _drain(connection, _commits(chance, A_ROUND, at_ms + first // 10, subs))
        found = await connection.fetchrow(_SIZES, name_of(datetime.now(UTC).date()))
    assert found is not None and found["clicks"] == WEIGHED
    parts = [found[part] / WEIGHED for part in ("rows", "index", "texts")]
    return [f"{subs:.0%}", *(f"{part:.1f}" for part in parts), f"{sum(parts):.1f}"]


async def _drain(connection: "Connection", commits: Sequence[bytes]) -> Round:
    """As `drain._store` does it, without the journal's file."""
    store = ClickStore(connection)
    pid = await connection.fetchval("SELECT pg_backend_pid()")
    await store.store(unpack(commits[0]))
    clicks, a_batch = len(commits[1:]) * A_COMMIT, BATCH_CLICKS // A_COMMIT
    began, python, postgres = time.perf_counter(), time.process_time(), _cpu_s(pid)
    for first in range(1, len(commits), a_batch):
        rows = [row for commit in commits[first : first + a_batch] for row in unpack(commit)]
        await store.store(rows)
    return Round(
        clicks / (time.perf_counter() - began),
        (time.process_time() - python) / clicks * 1e6,
        (_cpu_s(pid) - postgres) / clicks * 1e6,
    )


async def _fill(connection: "Connection") -> None:
    """The same number for each of the last days, today included."""
    for ago in range(1, DAYS):
        day = datetime.now(UTC).date() - timedelta(days=ago)
        await connection.execute(
            f"CREATE TABLE {name_of(day)} PARTITION OF clicks FOR VALUES"
            f" FROM ('{first_id(day)}') TO ('{first_id(day + timedelta(days=1))}')"
        )
    for ago in range(DAYS):
        day = datetime.now(UTC).date() - timedelta(days=ago)
        first, after = first_id(day), first_id(day + timedelta(days=1))
        await connection.execute(_FILL, first.int >> 80, PRESENT // DAYS)
        await connection.execute(_COUNT, day, first, after)
    await connection.execute("VACUUM ANALYZE clicks")
    await connection.execute("VACUUM ANALYZE link_clicks")
    await connection.execute("CHECKPOINT")


async def _clear(connection: "Connection") -> None:
    await connection.execute("TRUNCATE clicks, link_clicks, agents, referrers")


@asynccontextmanager
async def _opened(url: str) -> AsyncIterator["Connection"]:
    pools = Database(url)
    await keep_partitions(pools)
    await pools.close()
    async with connect(url, timeout_s=600) as connection:
        yield connection


async def _second(url: str) -> str:
    """Another database beside this one, migrated."""
    name = "bench_storage_full"
    async with connect(url, timeout_s=60) as connection:
        await connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        await connection.execute(f"CREATE DATABASE {name}")
    second = make_url(url).set(database=name).render_as_string(hide_password=False)
    await upgrade(second)
    return second


def _commits(chance: random.Random, count: int, first_ms: int, subs: float) -> list[bytes]:
    """As the journal holds them: 10 clicks a millisecond, 40 a group commit."""
    weights = list(accumulate(1 / rank for rank in range(1, LINKS + 1)))
    links = chance.choices(range(1, LINKS + 1), cum_weights=weights, k=count)
    rows = [pack(_row(chance, first_ms + n // 10, links[n], subs)) for n in range(count)]
    return [b"".join(rows[at : at + A_COMMIT]) for at in range(0, count, A_COMMIT)]


def _row(chance: random.Random, at_ms: int, link: int, subs: float) -> JournalRow:
    likely = chance.random
    bits = at_ms << 80 | 7 << 76 | chance.getrandbits(12) << 64 | 2 << 62 | chance.getrandbits(62)
    return JournalRow(
        traffic_class=CLASSES["human"] if likely() < 0.9 else CLASSES["bot"],
        click=bits.to_bytes(16),
        link=_link(link).bytes,
        agent=_agent(chance.randrange(AGENTS)),
        referrer=b"https://blog%d.example/post" % chance.randrange(PAGES)
        if likely() < 0.7
        else b"",
        subs=b"sub1=place-%d" % chance.randrange(1_000) if likely() < subs else b"",
        reason=0 if likely() < 0.9 else 3,
        visitor=chance.randbytes(8) if likely() < 0.98 else b"",
        country=chance.choice(_COUNTRIES),
        network=chance.randbytes(3) if likely() < 0.1 else b"",
    )


def _link(number: int) -> UUID:
    return UUID(int=7 << 76 | 2 << 62 | number)


def _agent(number: int) -> bytes:
    return (
        b"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
        b" Chrome/%d.0.%d.0 Safari/537.36" % (100 + number % 40, number)
    )


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _line(name: str, rounds: Sequence[Round]) -> list[str]:
    rate = statistics.median(one.rate for one in rounds)
    rates = " ".join(f"{one.rate:,.0f}" for one in rounds)
    python = statistics.median(one.python_us for one in rounds)
    postgres = statistics.median(one.postgres_us for one in rounds)
    return [name, f"{rate:,.0f}", f"{python:.1f}", f"{postgres:.1f}", rates]
