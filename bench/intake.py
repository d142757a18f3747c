"""Webhooks acknowledged: how many, how soon at a steady rate, and when the commission is there.

First beside a plain FastAPI insert, in turns, at 64 connections; then the whole `serve` at a steady
rate, while somebody looks each few milliseconds for commissions that have become visible.
"""

import asyncio
import gc
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from uuid import UUID

import orjson
from sqlalchemy import text

from app.db.engine import Database
from app.ids import decode
from bench import clicks, wrk
from bench.open_loop import Load
from bench.rounds import compared, percentile
from bench.table import table
from bench.webhooks import SIGNING_SECRET, make_source, make_webhooks, write
from bench.wrk import Round
from tests.making import Shop, make_shop, percent
from tests.service import Service, free_port, serve

OURS = "Finderfee"
INSERT = "FastAPI + SQLAlchemy, an INSERT per webhook"
PARTNERS = tuple(f"p{number}" for number in range(50))
RATE = 200
_LOOK_S = 0.01
_WARM_S = 3
_RIVAL_TABLE = """
    CREATE TABLE rival_events (id uuid PRIMARY KEY, source text NOT NULL, external_id text NOT NULL,
                               type text NOT NULL, body bytea NOT NULL, state text NOT NULL,
                               received_at timestamptz NOT NULL, UNIQUE (source, external_id))
"""


@dataclass(frozen=True, slots=True)
class Scale:
    """most_s: webhooks a second that are made for a round; nobody may be faster."""

    rounds: int = 4
    seconds: int = 5
    steady_s: int = 60
    most_s: int = 8_000


@dataclass(frozen=True, slots=True)
class Steady:
    """Sorted, in milliseconds. visible_ms: from the acknowledgment to the visible commission."""

    acknowledged_ms: list[float]
    visible_ms: list[float]
    most_late_ms: float


async def main(database_url: str) -> None:
    await measure(database_url, Scale())


async def measure(database_url: str, scale: Scale) -> None:
    """url: a migrated, empty database. Measures, checks that nothing was lost, and prints."""
    database = Database(database_url)
    shop = await make_shop(database, percent(2000), PARTNERS)
    source = await make_source(shop)
    print(compared("webhooks", OURS, await _in_turns(shop, source, scale)))
    print(f"\n{_delays(await _steadily(shop, source, scale))}")
    await database.close()


async def _in_turns(shop: Shop, source: UUID, scale: Scale) -> dict[str, list[Round]]:
    """Several rounds, each begun by the other; every acknowledgment of ours is looked for."""
    rounds: dict[str, list[Round]] = {INSERT: [], OURS: []}
    async with clicks.connected(shop.database.url) as connection:
        await connection.execute(_RIVAL_TABLE)
    with tempfile.TemporaryDirectory(prefix="ff-bench-") as name, ExitStack() as running:
        folder = Path(name)
        ports = {INSERT: free_port()}
        running.enter_context(_rival(ports[INSERT], shop.database.url))
        service = running.enter_context(_serve(folder, shop, "--role", "api"))
        service.ready("api")
        ports[OURS] = service.port
        for number in range(scale.rounds + 1):
            for contender in (INSERT, OURS) if number % 2 else (OURS, INSERT):
                # The first round only warms up.
                seconds = scale.seconds if number else 1
                write(folder, number, make_webhooks(shop, source, seconds * scale.most_s))
                os.sync()
                rounds[contender].append(
                    wrk.load(
                        ports[contender], folder, seconds=seconds, seed=number, script=wrk.WEBHOOKS
                    )
                )
        await _all_stored(shop, rounds)
    return {name: found[1:] for name, found in rounds.items()}


@contextmanager
def _rival(port: int, database_url: str) -> Iterator[None]:
    words = ["bench.rivals.webhook", str(port), database_url, SIGNING_SECRET]
    process = subprocess.Popen([sys.executable, "-m", *words])
    try:
        _wait_for(port)
        yield
    finally:
        process.terminate()
        process.wait(10)


def _wait_for(port: int) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit(f"nothing listens on port {port}")


@contextmanager
def _serve(folder: Path, shop: Shop, *arguments: str) -> Iterator[Service]:
    environment = {
        "DATABASE_URL": shop.database.url,
        "FINDERFEE_SECRET_KEYS": clicks.SECRET,
    }
    with serve(folder / "ours" / "data", *arguments, environment=environment) as service:
        yield service


async def _all_stored(shop: Shop, rounds: dict[str, list[Round]]) -> None:
    """wrk leaves out what a round's end cut off: at most as many as it has connections."""
    for name, table_name in ((OURS, "events"), (INSERT, "rival_events")):
        answered = sum(one.requests for one in rounds[name])
        (row,) = await shop.rows(f"SELECT count(*) AS n FROM {table_name}, (SELECT :workspace) w")
        if not answered <= row.n <= answered + len(rounds[name]) * wrk.CONNECTIONS:
            raise SystemExit(f"{name}: {answered} acknowledged, {row.n} stored")


async def _steadily(shop: Shop, source: UUID, scale: Scale) -> Steady:
    """The whole `serve`: web process and worker, the load from this process."""
    # What the rounds left undecided would keep the worker busy.
    async with shop.database.tx() as tx:
        await tx.execute(text("UPDATE events SET state = 'dead' WHERE state = 'received'"))
    with (
        tempfile.TemporaryDirectory(prefix="ff-bench-") as name,
        _serve(Path(name), shop) as service,
    ):
        service.ready("api")
        service.ready("worker")
        count = RATE * (_WARM_S + scale.steady_s)
        requests = [one.request for one in make_webhooks(shop, source, count)]
        seen: dict[UUID, float] = {}
        looking = asyncio.create_task(_look(shop, seen, count))
        # In a process of its own: looking would keep the load's thread from answers that came.
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as apart:
            loop = asyncio.get_running_loop()
            load = await loop.run_in_executor(apart, _post, service.port, requests)
        async with asyncio.timeout(30):
            await looking
    acknowledged = {
        decode("evt", event): (due, took)
        for event, (due, took) in zip(load.tokens, load.latencies_ms, strict=True)
    }
    warm = min(due for due, _ in acknowledged.values()) + _WARM_S
    measured = {event: told for event, told in acknowledged.items() if told[0] >= warm}
    return Steady(
        sorted(took for _, took in measured.values()),
        sorted((seen[event] - due) * 1_000 - took for event, (due, took) in measured.items()),
        load.most_late_ms,
    )


def _post(port: int, requests: list[bytes]) -> Load:
    """The whole load, at its rate."""
    gc.disable()  # a pause of ours would be taken for one of the server's
    load = Load(port, read=_event_of)
    load.run(requests, RATE, warm_s=0)
    load.idle.clear()  # closed by now, and sockets don't go to another process
    return load


async def _look(shop: Shop, seen: dict[UUID, float], count: int) -> None:
    """When each event's commission was first seen by another connection."""
    since = None
    async with clicks.connected(shop.database.url) as connection:
        while len(seen) < count:
            rows = await connection.fetch(
                """
                SELECT e.id, c.recorded_at FROM commissions c
                JOIN events e ON e.workspace_id = c.workspace_id AND e.customer_id = c.customer_id
                WHERE c.workspace_id = $1 AND ($2::timestamptz IS NULL OR c.recorded_at >= $2)
                """,
                shop.workspace,
                since,
            )
            now = time.monotonic()
            for row in rows:
                seen.setdefault(row["id"], now)
                since = max(since or row["recorded_at"], row["recorded_at"])
            await asyncio.sleep(_LOOK_S)


def _event_of(connection: socket.socket) -> str:
    """The event id in the next answer; SystemExit if it is no acknowledgment."""
    answer = b""
    while b"\r\n\r\n" not in answer or len(answer) < _length(answer):
        more = connection.recv(4_096)
        if not more:
            raise SystemExit(f"the connection was closed after {answer!r}")
        answer += more
    if not answer.startswith(b"HTTP/1.1 200"):
        raise SystemExit(f"not acknowledged: {answer!r}")
    return str(orjson.loads(answer.partition(b"\r\n\r\n")[2])["event_id"])


def _length(answer: bytes) -> int:
    """Of the whole answer, by its head."""
    head, _, _ = answer.partition(b"\r\n\r\n")
    (length,) = [
        int(line.partition(b":")[2])
        for line in head.split(b"\r\n")
        if line.lower().startswith(b"content-length:")
    ]
    return len(head) + 4 + length


def _delays(steady: Steady) -> str:
    rows = [
        (
            name,
            *(f"{percentile(ordered, share):,.1f}" for share in (0.5, 0.99, 0.999)),
            f"{ordered[-1]:,.1f}",
        )
        for name, ordered in (
            ("webhooks acknowledged, from the moment each was due", steady.acknowledged_ms),
            ("from there to the visible commission", steady.visible_ms),
        )
    ]
    heads = (
        f"at {RATE}/s, {len(steady.acknowledged_ms):,} webhooks",
        "p50 ms",
        "p99 ms",
        "p99.9 ms",
        "most ms",
    )
    return (
        f"{table(heads, rows)}\n\nEach became one commission. The load sent none later than"
        f" {steady.most_late_ms:.1f} ms after its time, which counts as latency."
    )
