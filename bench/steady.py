"""Redirects at a steady 1,000/s while the worker decides 500 sales/s and the API is read.

The whole `serve`: parent, one web process with redirect and API, worker. The load comes from
processes of its own. Every answered click is looked for in Postgres afterwards.
"""

import asyncio
import json
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any

import httpx

from app.auth import Scope, issue, new_key
from app.db.engine import Database
from app.ids import encode
from bench import clicks
from bench.environment import environment
from bench.links import make_links
from bench.open_loop import WARM_S
from bench.rounds import percentile
from bench.table import table
from tests.making import Shop
from tests.service import Service, serve

SECONDS = 30
REDIRECTS_S = 1_000
SALES_S = 500
READS_S = 6


@dataclass(frozen=True, slots=True)
class Decided:
    """sales_s: over the measured time. p99_ms: from a sale's receipt to its decision."""

    sales_s: float
    p50_ms: float
    p99_ms: float
    waiting: int


@dataclass(frozen=True, slots=True)
class Run:
    """All that one run found. Lists are in milliseconds."""

    redirects_ms: list[float]
    reads_ms: list[float]
    reads_s: float
    decided: Decided
    most_late_ms: float
    clicks: int


async def main(database_url: str) -> None:
    """url: a migrated, empty database."""
    database = Database(database_url)
    shop = await make_links(database)
    key = new_key("test")
    async with database.tx() as tx:
        await issue(tx, shop.workspace, key, name="bench", scopes=[Scope.ADMIN])
    with tempfile.TemporaryDirectory(prefix="ff-bench-") as name:
        folder = Path(name)
        settings = environment(folder) | {
            "DATABASE_URL": database_url,
            "FINDERFEE_SECRET_KEYS": clicks.SECRET,
        }
        with serve(folder / "data", environment=settings) as service:
            service.ready("api")
            service.ready("worker")
            print(_report(await _measure(service, shop, key.key)))
    await database.close()


async def _measure(service: Service, shop: Shop, key: str) -> Run:
    result = service.data_dir.parent / "redirects.json"
    url = shop.database.url
    total_s = WARM_S + SECONDS
    redirects = await _start("open_loop", service.port, REDIRECTS_S, total_s, result)
    sales = await _start("sales", url, shop.workspace, SALES_S, total_s)
    reads_ms: list[float] = []
    began = time.monotonic()
    reading = asyncio.create_task(_read(service, shop, key, reads_ms))
    for process in (redirects, sales):
        if await process.wait():
            raise SystemExit("a load failed, see above")
    reads_s = len(reads_ms) / (time.monotonic() - began)
    reading.cancel()
    with suppress(asyncio.CancelledError):
        await reading
    decided = await _decided(shop)
    found = json.loads(result.read_text())
    await clicks.drained(url, least=len(found["tokens"]) + found["ahead"])
    await clicks.all_stored(url, found["tokens"])
    return Run(
        sorted(found["latencies_ms"]),
        sorted(reads_ms),
        reads_s,
        decided,
        found["most_late_ms"],
        len(found["tokens"]),
    )


async def _start(module: str, *arguments: Any) -> asyncio.subprocess.Process:
    words = [str(argument) for argument in arguments]
    return await asyncio.create_subprocess_exec(sys.executable, "-m", f"bench.{module}", *words)


async def _read(service: Service, shop: Shop, key: str, reads_ms: list[float]) -> None:
    """What a console shows, one read after the other at its time."""
    partner = encode("part", shop.partners["p0"])
    paths = ("/v1/commissions", "/v1/conversions", f"/v1/partners/{partner}/balance")
    headers = {"Authorization": f"Bearer {key}"}
    began = time.monotonic()
    async with httpx.AsyncClient(base_url=service.url, headers=headers) as http:
        for number, path in enumerate(cycle(paths)):
            await asyncio.sleep(max(0, began + number / READS_S - time.monotonic()))
            asked = time.monotonic()
            answer = await http.get(path, timeout=10)
            answer.raise_for_status()
            reads_ms.append((time.monotonic() - asked) * 1_000)


async def _decided(shop: Shop) -> Decided:
    """At the load's end: how many sales of the time after the warm-up are decided, how soon."""
    (row,) = await shop.rows(
        """
        WITH sales AS (
            SELECT e.received_at, e.state, c.recorded_at
            FROM events e LEFT JOIN conversions c
              ON c.workspace_id = e.workspace_id AND c.id = e.conversion_id
            WHERE e.workspace_id = :workspace
        ), measured AS (
            SELECT max(received_at) - make_interval(secs => :seconds) AS since FROM sales
        )
        SELECT count(*) FILTER (
                   WHERE recorded_at BETWEEN since AND since + make_interval(secs => :seconds)
               ) AS decided,
               count(*) FILTER (WHERE state = 'received') AS waiting,
               percentile_cont(ARRAY[0.5, 0.99]) WITHIN GROUP (
                   ORDER BY extract(epoch FROM recorded_at - received_at) * 1000
               ) FILTER (WHERE received_at >= since) AS delays_ms
        FROM sales, measured
        """,
        seconds=SECONDS,
    )
    p50, p99 = (float(delay) for delay in row.delays_ms)
    return Decided(row.decided / SECONDS, p50, p99, row.waiting)


def _report(run: Run) -> str:
    decided = run.decided
    rows = [
        (
            "redirects, from the moment each was due",
            f"{REDIRECTS_S:,}/s",
            *(f"{percentile(run.redirects_ms, share):.2f}" for share in (0.5, 0.99, 0.999)),
        ),
        (
            "sales, from receipt to decision",
            f"{decided.sales_s:,.0f}/s",
            *(f"{decided.p50_ms:,.0f}", f"{decided.p99_ms:,.0f}", ""),
        ),
        (
            "reads of the API",
            f"{run.reads_s:.1f}/s",
            *(f"{percentile(run.reads_ms, share):.2f}" for share in (0.5, 0.99)),
            "",
        ),
    ]
    return (
        f"{table(('', 'rate', 'p50 ms', 'p99 ms', 'p99.9 ms'), rows)}\n\n"
        f"{decided.waiting} sales still waited at the end. All {run.clicks:,} redirects of the run"
        f" are in Postgres, by their ids. The load sent no request later than"
        f" {run.most_late_ms:.1f} ms after its time, which counts as latency."
    )


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
