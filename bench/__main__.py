"""`make bench`: both benchmarks on a durable embedded Postgres, made for them and thrown away.

BENCH_DATABASE_URL takes another server's place; its user has to be able to create databases.
"""

import asyncio
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
from sqlalchemy import make_url

from app.db import embedded
from app.db.migrate import upgrade
from bench import decisions, redirects


def main() -> int:
    if shutil.which("wrk") is None:
        print("finderfee: make bench needs wrk (Debian: apt-get install wrk)", file=sys.stderr)
        return 1
    print(machine())
    with server() as url:
        print("\nSales decided, all rounds in turn:")
        rows = decisions.main(asyncio.run(database(url, "bench_decisions")))
        rival = rows[-1]
        for row in rows:
            rounds = " ".join(f"{found:,.0f}" for found in row.rounds)
            ratio = row.median / rival.median
            print(f"{row.name:34}{row.median:12,.0f} sales/s {ratio:6.2f}x   ({rounds})")
        print("\nRedirects at 64 connections, all contenders in turn:")
        found = asyncio.run(redirects.main(asyncio.run(database(url, "bench_redirects"))))
        print(redirects.report(found))
    return 0


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
        f" {platform.release()}, Python {platform.python_version()}"
    )


if __name__ == "__main__":
    sys.exit(main())
