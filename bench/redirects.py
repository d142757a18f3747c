"""Redirects a second at 64 connections: ours beside a bare 302 and an insert per click.

`python -m bench.redirects DATABASE_URL`: a migrated, empty database. All three run at once and
are loaded in turns, several rounds, one process each; ours has drained before the next turn.
Then every click that was answered is looked for in Postgres.
"""

import asyncio
import re
import signal
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import asyncpg

from app.core.click_token import verify
from app.secret_keys import SecretKeys
from bench.links import make_links
from bench.rivals.ours import SECRET

ROUNDS = 4
SECONDS = 5
CONNECTIONS = 64
CHECKED = 2_000
BARE, INSERT, OURS = "bare ASGI 302, records nothing", "FastAPI + SQLAlchemy insert", "Finderfee"
_LOAD = Path(__file__).with_name("click.lua")
_RIVAL_TABLE = """
    CREATE TABLE rival_clicks (id uuid PRIMARY KEY, link_id uuid NOT NULL, agent text NOT NULL,
                               referrer text NOT NULL, at timestamp NOT NULL)
"""


@dataclass(frozen=True)
class Row:
    """One contender's medians over all rounds. ratio: ours as a multiple of its requests/s."""

    name: str
    requests_s: float
    p50_ms: float
    p99_ms: float
    ratio: float


@dataclass(frozen=True)
class Round:
    requests: int
    requests_s: float
    p50_ms: float
    p99_ms: float


async def main(database_url: str) -> list[Row]:
    """Measure, check that nothing was lost, and return the rows; ours comes last."""
    await make_links(database_url)
    async with connected(database_url) as database:
        await database.execute(_RIVAL_TABLE)
    with tempfile.TemporaryDirectory(prefix="ff-bench-") as folder:
        async with AsyncExitStack() as contenders:
            ports = {
                name: await contenders.enter_async_context(contender(module, *arguments))
                for name, module, arguments in (
                    (BARE, "bare", ()),
                    (INSERT, "insert", (database_url,)),
                    (OURS, "ours", (database_url, folder)),
                )
            }
            rounds = await measure(ports, database_url)
            await check(ports[OURS], database_url, sum(one.requests for one in rounds[OURS]))
    ours = median(one.requests_s for one in rounds[OURS])
    return [
        Row(
            name,
            median(one.requests_s for one in found),
            median(one.p50_ms for one in found),
            median(one.p99_ms for one in found),
            ours / median(one.requests_s for one in found),
        )
        for name, found in rounds.items()
    ]


async def measure(ports: dict[str, int], database_url: str) -> dict[str, list[Round]]:
    for port in ports.values():
        await load(port, seconds=1)
    rounds: dict[str, list[Round]] = {name: [] for name in ports}
    async with connected(database_url) as database:
        await database.execute("CHECKPOINT")
        await drained(database)
        await database.execute("TRUNCATE clicks, link_clicks")
        for _ in range(ROUNDS):
            for name, port in ports.items():
                rounds[name].append(await load(port, seconds=SECONDS))
                await drained(database)
    return rounds


async def load(port: int, *, seconds: int) -> Round:
    process = await asyncio.create_subprocess_exec(
        *("wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}", "--latency", "-s", str(_LOAD)),
        f"http://127.0.0.1:{port}",
        stdout=asyncio.subprocess.PIPE,
    )
    printed = (await process.communicate())[0].decode()
    if process.returncode or "Non-2xx" in printed or "Socket errors" in printed:
        raise SystemExit(f"the load failed on port {port}:\n{printed}")
    return Round(
        int(found(r"(\d+) requests in", printed)),
        float(found(r"Requests/sec:\s+([\d.]+)", printed)),
        milliseconds(found(r"(?m)^ +50%\s+(\S+)", printed)),
        milliseconds(found(r"(?m)^ +99%\s+(\S+)", printed)),
    )


async def check(port: int, database_url: str, answered: int) -> None:
    """Every answer counted by wrk is a click, and of some the very ids are looked for."""
    async with connected(database_url) as database:
        stored = await drained(database)
        counted = await database.fetchval("SELECT sum(clicks) FROM link_clicks")
        # Requests that a round's end cut off are clicks, and wrk doesn't count them.
        if not answered <= stored == counted <= answered + ROUNDS * CONNECTIONS:
            raise SystemExit(f"{answered} answered, {stored} stored, {counted} counted")
        ids = await opened(port)
        await drained(database)
        if missing := ids - {row["id"] for row in await database.fetch("SELECT id FROM clicks")}:
            raise SystemExit(f"{len(missing)} of {len(ids)} answered clicks are not in Postgres")
    print(f"{answered} redirects answered, {stored} clicks in Postgres; of {len(ids)} each id.")


async def opened(port: int) -> set[object]:
    """The click ids of some answers, from their Location."""
    keys = SecretKeys([SECRET]).click_keys
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    ids: set[object] = set()
    for number in range(CHECKED):
        writer.write(f"GET /r/code{number + 1} HTTP/1.1\r\nHost: bench\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        token = verify(head.partition(b"click_id=")[2][:60].decode(), keys)
        if token is None:
            raise SystemExit(f"no token in {head!r}")
        ids.add(token.click_id)
    writer.close()
    return ids


async def drained(database: "asyncpg.Connection[asyncpg.Record]") -> int:
    """How many clicks there are, once for a second no more have come."""
    before, since = -1, time.monotonic()
    while time.monotonic() - since < 1:
        await asyncio.sleep(0.1)
        stored = await database.fetchval("SELECT count(*) FROM clicks")
        if stored != before:
            before, since = stored, time.monotonic()
    return int(before)


@asynccontextmanager
async def contender(module: str, *arguments: str) -> AsyncIterator[int]:
    """Start one and give its port, once it redirects."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", f"bench.rivals.{module}", str(port), *arguments
    )
    try:
        async with asyncio.timeout(20):
            while not await redirects(port):
                await asyncio.sleep(0.1)
        yield port
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
        await process.wait()


async def redirects(port: int) -> bool:
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.write(b"GET /r/code1 HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n")
    answer = await reader.read()
    writer.close()
    return answer.startswith(b"HTTP/1.1 302")


@asynccontextmanager
async def connected(url: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


def found(pattern: str, printed: str) -> str:
    match = re.search(pattern, printed)
    if match is None:
        raise SystemExit(f"wrk printed something else:\n{printed}")
    return match[1]


def milliseconds(printed: str) -> float:
    """wrk's `870.00us`, `3.14ms` or `1.20s`."""
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s)", printed).groups()  # type: ignore[union-attr]
    return float(number) * {"us": 0.001, "ms": 1, "s": 1000}[unit]


def report(rows: list[Row]) -> str:
    lines = [f"{'':34}{'redirects/s':>12}{'p50 ms':>9}{'p99 ms':>9}{'ours is':>10}"]
    lines += [
        f"{row.name:34}{row.requests_s:12,.0f}{row.p50_ms:9.2f}{row.p99_ms:9.2f}{row.ratio:9.2f}x"
        for row in rows
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    print(report(asyncio.run(main(sys.argv[1]))))
