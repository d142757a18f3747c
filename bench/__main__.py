"""`make bench`: on a durable embedded Postgres, made for it and thrown away.

`python -m bench redirects` runs one part: PARTS lists them. BENCH_DATABASE_URL
takes another server's place; its user has to be able to create databases.
"""

import argparse
import asyncio
import os
import platform
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import asyncpg
import uvloop
from sqlalchemy import make_url

from app.db import embedded
from app.db.migrate import upgrade
from bench import (
    backtests,
    decisions,
    directory,
    intake,
    million,
    plan_decisions,
    redirects,
    steady,
    storage,
    stored,
    wrk,
)

PARTS: Final[dict[str, tuple[str, Callable[[str], Awaitable[None]]]]] = {
    "redirects": (f"Redirects at {wrk.CONNECTIONS} connections", redirects.main),
    "steady": ("Redirects at a steady rate while all else works", steady.main),
    "intake": ("Webhooks acknowledged", intake.main),
    "decisions": ("Sales decided", decisions.main),
    "stored": ("Sales decided beside five million conversions", stored.main),
    "plans": ("Decisions of the core by ten rules", plan_decisions.main),
    "backtest": (f"Terms tried on {backtests.SALES:,} stored sales", backtests.main),
    "storage": ("What a stored click weighs, and the drain beside 10 million", storage.main),
    "directory": (f"A directory of {million.LINKS:,} links", directory.main),
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("part", nargs="?", choices=PARTS, help="none: all of them")
    part = parser.parse_args().part
    wanted = [part] if part else list(PARTS)
    if {"redirects", "intake"} & set(wanted) and not wrk.installed():
        print("finderfee: make bench needs wrk (Debian: apt-get install wrk)", file=sys.stderr)
        return 1
    print(machine())
    with server() as url:
        for name in wanted:
            title, run = PARTS[name]
            print(f"\n### {title}\n", flush=True)
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(_run(run, url, f"bench_{name}"))
    return 0


async def _run(part: Callable[[str], Awaitable[None]], server_url: str, name: str) -> None:
    await part(await database(server_url, name))


@contextmanager
def server() -> Iterator[str]:
    given = os.environ.get("BENCH_DATABASE_URL")
    if given:
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="ff-bench-") as folder:
        try:
            yield embedded.start(Path(folder))
        finally:
            embedded.stop(Path(folder))


async def database(server_url: str, name: str) -> str:
    """A migrated, empty database of this name."""
    connection = await asyncpg.connect(server_url)
    try:
        await connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        await connection.execute(f"CREATE DATABASE {name}")
    finally:
        await connection.close()
    url = make_url(server_url).set(database=name).render_as_string(hide_password=False)
    await upgrade(url)
    return url


def machine() -> str:
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        cpu = names[0].partition(": ")[2] if names else cpu
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} × {cpu}, {platform.system()}"
        f" {platform.release()}, Python {platform.python_version()}, load average before"
        f" {os.getloadavg()[0]:.1f}"
    )


if __name__ == "__main__":
    sys.exit(main())
