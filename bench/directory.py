"""A directory of a million links: first copy, warm start, memory, misses, and changes under load.

`python -m bench.directory SERVER_URL [LINKS]`: a server on which a database may be made. A real
`serve` with one web process answers; the load is this process, on the same machine.
"""

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import asyncpg
import httpx
import psutil

from app.ids import decode, uuid7

LINKS: Final = 1_000_000
BULK: Final = 100_000
TOUCHED: Final = 200_000
CONNECTIONS: Final = 8
RATE: Final = 500
SECONDS: Final = 20
VISIBLE: Final = 30
_HOSTS: Final = 500
_KEY: Final = "bench-" * 8
_PAGE: Final = 20_000
_COLUMNS: Final = (
    *("id", "workspace_id", "program_id", "partner_id", "host", "code", "destination"),
    *("click_parameter", "fallback", "is_default", "subs", "utm", "program_utm", "keeps_network"),
)
_PLAN: Final = {
    "hold_days": 14,
    "attribution": {"model": "last_click", "window_days": 30},
    "combine": "first_match",
    "rules": [{"id": "base", "pay": {"percent_bps": 2000}}],
}


@dataclass
class Found:
    """Figures in the order in which they were measured."""

    rows: list[tuple[str, str]] = field(default_factory=list)

    def add(self, what: str, figure: str) -> None:
        print(f"{what:60}{figure}", flush=True)
        self.rows.append((what, figure))


@dataclass
class Served:
    """A running service. program: the one whose links are changed at once."""

    url: str
    port: int
    folder: Path
    started: float
    process: subprocess.Popen[bytes]

    def web(self) -> psutil.Process:
        """The web process, once it is there."""
        while True:
            for child in psutil.Process(self.process.pid).children():
                if "app.main" in child.cmdline():
                    return child
            time.sleep(0.01)


async def main(server_url: str, links: int = LINKS) -> list[tuple[str, str]]:
    """Make the database, measure, drop nothing: who made the server throws it away."""
    from bench.__main__ import database  # noqa: PLC0415 (that module imports this one)

    url, found = await database(server_url, "bench_directory"), Found()
    with tempfile.TemporaryDirectory(
        prefix="ff-bench-", dir=os.environ.get("BENCH_FOLDER")
    ) as made:
        folder = Path(made) / "data"
        with served(url, folder) as service:
            await answered(service, "/readyz/api")
            bulk = set_up(service)
        await fill(url, links, bulk)
        with served(url, folder) as service:
            await first_copy(service, found, links)
        with served(url, folder) as service:
            await warm_start(service, found, links)
            await memory(service, found, links)
            await misses(service, found, links)
            await visible(service, url, found)
            await bulk_change(service, url, found, bulk, links)
        with served("postgresql://nobody@127.0.0.1:1/x", folder) as service:
            took = await redirected(service, code(links - 1))
            found.add("cold start without Postgres → first 302 of a known link", f"{took:.2f} s")
    return found.rows


def code(number: int) -> str:
    return f"code{number:07}"


def set_up(service: Served) -> Sequence[UUID]:
    """Two programs with a partner each: most links, and those that are changed at once."""
    ids = []
    with httpx.Client(base_url=service.url, headers={"Authorization": f"Bearer {_KEY}"}) as http:
        workspace = http.get("/v1/workspaces").json()["data"][0]["id"]
        ids.append(decode("ws", workspace))
        for name in ("main", "bulk"):
            program = http.post(
                "/v1/programs",
                json={
                    "name": name,
                    "currency": "usd",
                    "destination_hosts": ["shop.example.com"],
                    "default_destination": "https://shop.example.com/",
                    "plan": _PLAN,
                },
            ).json()["id"]
            partner = http.post(
                "/v1/partners",
                json={"program_id": program, "name": "Ana", "email": "ana@example.com"},
            ).json()["id"]
            ids += [decode("prog", program), decode("part", partner)]
    return ids


async def fill(url: str, links: int, ids: Sequence[UUID]) -> None:
    """By COPY, page by page; a tenth of the links on hosts of their own, half with sub-ids."""
    workspace, main_program, main_partner, bulk_program, bulk_partner = ids
    utm = json.dumps({"source": "partners", "campaign": "{partner}", "content": "{sub1}"})

    def row(number: int) -> tuple[Any, ...]:
        is_bulk = number < BULK
        return (
            uuid7(),
            workspace,
            bulk_program if is_bulk else main_program,
            bulk_partner if is_bulk else main_partner,
            f"go{number % _HOSTS}.example.com" if number % 10 == 1 else "",
            code(number),
            f"https://shop.example.com/landing/{number % 1000}/offers?variant={number}",
            "click_id",
            None,
            False,
            '{"placement": "footer"}' if number % 2 else "{}",
            "{}",
            utm,
            False,
        )

    connection = await asyncpg.connect(url)
    began = time.monotonic()
    for first in range(0, links, _PAGE):
        rows = [row(number) for number in range(first, min(first + _PAGE, links))]
        await connection.copy_records_to_table("links", records=rows, columns=_COLUMNS)
    await connection.execute("VACUUM ANALYZE links")
    print(f"{links} links made in {time.monotonic() - began:.0f} s", flush=True)
    await connection.close()


async def first_copy(service: Served, found: Found, links: int) -> None:
    took = await answered(service, "/readyz/redirect", within_s=600)
    found.add(f"first copy of {links:,} links, until ready", f"{took:.1f} s")
    disk = sum(path.stat().st_size for path in service.folder.glob("web-1/links.sqlite*"))
    found.add("replica on disk", f"{disk / 1e6:,.0f} MB")
    found.add("memory after the copy", memory_of(service))


async def warm_start(service: Served, found: Found, links: int) -> None:
    took = await redirected(service, code(links - 1))
    found.add("warm start → first 302 of a known link", f"{took:.2f} s")
    found.add("warm start → /readyz", f"{await answered(service, '/readyz'):.2f} s")
    await answered(service, "/readyz/api")
    found.add("memory after the start, API loaded", memory_of(service))


async def memory(service: Served, found: Found, links: int) -> None:
    """Twice as many codes as the LRU holds, each once."""
    chosen = [one for one in range(BULK, links) if one % 10 != 1][: min(TOUCHED, links)]
    requests = iter([request(code(one)) for one in chosen])
    async with asyncio.TaskGroup() as group:
        for _ in range(CONNECTIONS):
            group.create_task(closed_loop(service.port, requests))
    found.add(f"memory after {len(chosen):,} codes (LRU full)", memory_of(service))


async def misses(service: Served, found: Found, links: int) -> None:
    """Codes that memory lacks beside codes that it has, each at the same steady rate."""
    others = [one for one in range(BULK + TOUCHED * 2, links) if one % 10 != 1]
    chance = random.Random(7)
    chance.shuffle(others)
    wanted = RATE * SECONDS
    kept = [code(one) for one in others[:50]]
    hits = [request(kept[n % len(kept)]) for n in range(wanted)]
    missed = [request(code(one)) for one in others[50 : 50 + wanted]]
    for name, requests in (("hits", hits), ("misses", missed)):
        took = await open_loop(service.port, requests, RATE)
        found.add(f"{name} of the LRU at {RATE}/s, the click's commit included", percentiles(took))


async def visible(service: Served, url: str, found: Found) -> None:
    """How long after its commit a change of a link shows in the redirects."""
    took = []
    connection = await asyncpg.connect(url)
    async with client(service.port) as ask:
        for number in range(VISIBLE):
            target = f"https://shop.example.com/new/{number}"
            statement = "UPDATE links SET destination = $1 WHERE host = '' AND code = $2"
            await connection.execute(statement, target, code(BULK))
            began = time.monotonic()
            while target.encode() not in await ask(request(code(BULK))):
                await asyncio.sleep(0.001)
            took.append((time.monotonic() - began) * 1_000)
    await connection.close()
    found.add("a change is visible after its commit (p50, most)", two(took, most=True))


async def bulk_change(
    service: Served, url: str, found: Found, ids: Sequence[UUID], links: int
) -> None:
    """A program's PATCH that touches 100,000 links, while redirects go on at a steady rate."""
    chance = random.Random(8)
    wanted = [request(code(chance.randrange(BULK, links) // 10 * 10)) for _ in range(RATE * 40)]
    done = asyncio.Event()
    load = asyncio.create_task(open_loop(service.port, wanted, RATE, until=done))
    await asyncio.sleep(2)
    began = time.monotonic()
    connection = await asyncpg.connect(url)
    # In the PATCH's place, so that its own time in the same process is not what is measured.
    await connection.execute(
        "UPDATE links SET click_parameter = 'ref' WHERE program_id = $1", ids[3]
    )
    committed = time.monotonic()
    async with client(service.port) as ask:
        last = request(code(BULK - 10))
        while b"ref=" not in await ask(last):
            await asyncio.sleep(0.01)
        found.add(f"{BULK:,} links changed at once: the UPDATE", f"{committed - began:.1f} s")
        took = time.monotonic() - committed
        found.add("… all visible after the commit", f"{took:.1f} s")
    await asyncio.sleep(1)
    done.set()
    found.add(f"… redirects at {RATE}/s meanwhile", percentiles(await load))
    found.add("memory after it", memory_of(service))
    await connection.close()


@contextmanager
def served(database_url: str, folder: Path) -> Iterator[Served]:
    from tests.service import clean_environment, free_port  # noqa: PLC0415 (needs pytest's path)

    port = free_port()
    environment = clean_environment(folder, port) | {
        "DATABASE_URL": database_url,
        "FINDERFEE_SECRET_KEYS": "a-secret-for-benchmarks-that-nobody-has",
        "FINDERFEE_BOOTSTRAP_API_KEY": _KEY,
    }
    folder.mkdir(exist_ok=True, mode=0o700)
    with (folder.parent / "log.txt").open("ab") as log:
        started = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, "-m", "app", "serve"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
            env=environment,
        )
    try:
        yield Served(f"http://127.0.0.1:{port}", port, folder, started, process)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


async def answered(service: Served, path: str, within_s: float = 60) -> float:
    """Seconds since the start until this is answered with 200."""
    return await _until(service, path, 200, within_s)


async def redirected(service: Served, wanted: str) -> float:
    return await _until(service, f"/r/{wanted}", 302, 60)


async def _until(service: Served, path: str, status: int, within_s: float) -> float:
    async with httpx.AsyncClient(base_url=service.url) as http:
        while time.monotonic() - service.started < within_s:
            try:
                if (await http.get(path)).status_code == status:
                    return time.monotonic() - service.started
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.01)
    raise SystemExit(f"{path} did not answer {status} within {within_s} s")


def memory_of(service: Served) -> str:
    shown = service.web().memory_full_info()
    return f"{shown.rss / 1e6:,.0f} MB resident, {shown.uss / 1e6:,.0f} MB its own"


def request(wanted: str) -> bytes:
    return (
        f"GET /r/{wanted} HTTP/1.1\r\nHost: go.example\r\n"
        "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n\r\n"
    ).encode()


@asynccontextmanager
async def client(port: int) -> AsyncIterator[Callable[[bytes], Any]]:
    """Ask on one connection; what comes back is the answer's head."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)

    async def ask(wanted: bytes) -> bytes:
        writer.write(wanted)
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 302"):
            raise SystemExit(f"{wanted!r} was answered {head!r}")
        return head

    yield ask
    writer.close()


async def closed_loop(port: int, requests: Iterator[bytes]) -> None:
    async with client(port) as ask:
        for one in requests:
            await ask(one)


async def open_loop(
    port: int, requests: Sequence[bytes], rate: int, *, until: asyncio.Event | None = None
) -> list[float]:
    """Milliseconds from when each was due, so that a late answer delays no other's clock."""
    took: list[float] = []
    began, numbered = time.monotonic(), iter(enumerate(requests))

    async def visitor() -> None:
        async with client(port) as ask:
            for number, one in numbered:
                if until is not None and until.is_set():
                    return
                due = began + number / rate
                if (early := due - time.monotonic()) > 0:
                    await asyncio.sleep(early)
                await ask(one)
                took.append((time.monotonic() - due) * 1_000)

    async with asyncio.TaskGroup() as group:
        for _ in range(CONNECTIONS * 4):
            group.create_task(visitor())
    return took


def percentiles(took: Sequence[float]) -> str:
    ordered = sorted(took)
    at = [ordered[int(len(ordered) * share)] for share in (0.5, 0.99)]
    return f"p50 {at[0]:.1f} ms, p99 {at[1]:.1f} ms, most {ordered[-1]:.0f} ms ({len(took):,})"


def two(took: Sequence[float], *, most: bool) -> str:
    ordered = sorted(took)
    last = ordered[-1] if most else ordered[int(len(ordered) * 0.99)]
    return f"{ordered[len(ordered) // 2]:.0f} ms, {last:.0f} ms"


if __name__ == "__main__":
    rows = asyncio.run(main(sys.argv[1], *(int(one) for one in sys.argv[2:3])))
    print("\n".join(f"| {what} | {figure} |" for what, figure in rows))
