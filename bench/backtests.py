"""A plan of ten rules tried on a million stored sales, in turn with a plain way to do the same.

Ours runs as the worker runs it: two processes of lower priority. The plain one gets two processes
too, and a sample of the sales, since all of them would take it hours.
"""

import asyncio
import os
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from typing import Any, Final
from uuid import UUID

import asyncpg
import psutil

from app.conversions.backtest import run as backtest
from bench.history import FROM, TO, make_history
from bench.rivals import plain_backtest
from bench.rules import ten_rules
from bench.table import table
from tests.making import Shop
from tests.trying import ask, draft, told

SALES: Final = int(os.environ.get("BENCH_SALES", "1000000"))
_ROUNDS: Final = 3
_PLAIN: Final = 300
"""Sales that each process of the plain one tries in a round."""
_LOOK_S: Final = 0.2


@dataclass(slots=True)
class Rounds:
    """Sales per second of each round; the most memory that was seen, in bytes."""

    ours: list[float] = field(default_factory=list)
    plain: list[float] = field(default_factory=list)
    took_s: list[float] = field(default_factory=list)
    processes_bytes: int = 0
    postgres_bytes: int = 0


async def main(url: str) -> None:
    began = time.perf_counter()
    shop = await make_history(url, ten_rules(), SALES)
    print(f"History made in {time.perf_counter() - began:,.0f} s.")
    # What the processes of a back-test are told by the worker's own environment.
    os.environ["DATABASE_URL"] = url
    os.environ.setdefault("FINDERFEE_SECRET_KEYS", "a-secret-for-benchmarks-that-nobody-has")
    rounds, sales, otherwise = await measure(url, shop)
    ours, plain = statistics.median(rounds.ours), statistics.median(rounds.plain)
    rows = [
        ("Finderfee", f"{ours:,.0f}", "", _all(rounds.ours)),
        ("plain, two processes", f"{plain:,.0f}", f"{ours / plain:.1f} ×", _all(rounds.plain)),
    ]
    print(table(("", "sales/s", "ours is", "rounds"), rows))
    took = " ".join(f"{one:.1f}" for one in rounds.took_s)
    print(
        f"\n{sales:,} sales tried, of which {otherwise:,} would be paid otherwise, in {took} s;"
        f" at most {rounds.processes_bytes / 1e6:,.0f} MB resident in both processes,"
        f" and {rounds.postgres_bytes / 1e6:,.0f} MB of Postgres' own beside its shared buffers."
    )
    await shop.database.close()


async def measure(url: str, shop: Shop) -> tuple[Rounds, int, int]:
    """The rounds, how many sales there were, and how many would be paid otherwise."""
    (present,) = await shop.rows("SELECT id FROM plan_versions WHERE workspace_id = :workspace")
    version = await draft(shop, ten_rules(1_900))
    sample = [
        UUID(str(row.id))
        for row in await shop.rows(
            "SELECT id FROM conversions WHERE workspace_id = :workspace ORDER BY id LIMIT :most",
            most=2 * _PLAIN,
        )
    ]
    rounds = Rounds()
    done: dict[str, Any] = {}
    for number in range(_ROUNDS):
        for is_ours in (True, False) if number % 2 else (False, True):
            if is_ours:
                done = await _try_ours(url, shop, version, rounds)
            else:
                versions = (UUID(str(present.id)), version)
                rounds.plain.append(await _try_plain(url, shop.workspace, versions, sample))
    return rounds, done["sales"], done["sales_otherwise"]


async def _try_ours(url: str, shop: Shop, version: UUID, rounds: Rounds) -> dict[str, Any]:
    asked = await ask(shop, version, FROM, TO)
    watching = asyncio.create_task(_watch(url, rounds))
    began = time.perf_counter()
    await backtest.go_on(shop.database, asyncio.Event())
    took_s = time.perf_counter() - began
    watching.cancel()
    found: dict[str, Any] = dict(await told(shop, asked))
    assert found["state"] == "done", found
    assert found["sales_done"] == found["sales"], found
    assert found["sales_unlike"] == 0, found
    rounds.took_s.append(took_s)
    rounds.ours.append(found["sales"] / took_s)
    return found


async def _try_plain(
    url: str, workspace: UUID, versions: tuple[UUID, UUID], sample: list[UUID]
) -> float:
    loop, halves = asyncio.get_running_loop(), (sample[::2], sample[1::2])
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        took = await asyncio.gather(
            *(
                loop.run_in_executor(pool, plain_backtest.run, url, workspace, versions, half)
                for half in halves
            )
        )
    return len(sample) / max(took)


async def _watch(url: str, rounds: Rounds) -> None:
    """Memory while ours runs, looked at again and again."""
    connection = await asyncpg.connect(url)
    try:
        while True:
            own = [p for p in psutil.Process().children() if _is_ours(p)]
            resident = sum(_resident(process) for process in own)
            rounds.processes_bytes = max(rounds.processes_bytes, resident)
            backends = await connection.fetch(
                "SELECT pid FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            private = sum(_private(row["pid"]) for row in backends)
            rounds.postgres_bytes = max(rounds.postgres_bytes, private)
            await asyncio.sleep(_LOOK_S)
    finally:
        await connection.close()


def _is_ours(process: psutil.Process) -> bool:
    try:
        return "app.conversions.backtest.run" in process.cmdline()
    except psutil.Error:
        return False


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0


def _private(pid: int) -> int:
    """0 for a server elsewhere, or one that is gone."""
    try:
        return int(psutil.Process(pid).memory_full_info().uss)
    except psutil.Error:
        return 0


def _all(rates: list[float]) -> str:
    return " ".join(f"{rate:,.0f}" for rate in rates)
