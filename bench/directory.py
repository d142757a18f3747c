"""A directory of a million links: first copy, warm start, memory, misses, changes under load.

A real `serve` with one web process answers, its clicks drained into the same Postgres; the load
is this process, on the same machine. BENCH_LINKS takes another number than a million.
"""

import asyncio
import random
import re
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import asyncpg
import psutil

from app.redirect.directory import Directory
from bench import million
from bench.million import BULK, LINKS, Served, Shop, code
from bench.table import table
from bench.visitors import ABSENT, Visitors
from bench.visitors import settings as visiting

TOUCHED: Final = min(200_000, LINKS - BULK)
CONNECTIONS: Final = 32
RATE: Final = 500
SECONDS: Final = 20
VISIBLE: Final = 30
LOOK_UPS: Final = LINKS // 20
_NOWHERE: Final = "postgresql://nobody@127.0.0.1:1/nothing"
Ask = Callable[[bytes], Coroutine[Any, Any, bytes]]


@dataclass
class Found:
    """What was measured, in its order; how busy the machine was stands beside it."""

    rows: list[tuple[str, str, str]] = field(default_factory=list)

    def add(self, what: str, figure: str) -> None:
        busy = f"{psutil.getloadavg()[0]:.1f}"
        print(f"{what}: {figure} (load {busy})", flush=True)
        self.rows.append((what, figure, busy))


async def main(database_url: str) -> None:
    """Fill a migrated, empty database and measure on it."""
    found = Found()
    with tempfile.TemporaryDirectory(prefix="ff-bench-") as made:
        folder, visitors = Path(made) / "data", Visitors()
        settings = visiting(Path(made))
        with million.served(database_url, folder, settings) as service:
            await service.until("/readyz/api", 200)
            shop = million.open_shop(service)
        for replica in (folder / "web-1").glob("links.sqlite*"):
            replica.unlink()
        began = time.monotonic()
        await million.fill(database_url, shop)
        print(f"{LINKS:,} links made in {time.monotonic() - began:.0f} s", flush=True)
        with million.served(database_url, folder, settings) as service:
            await first_copy(service, found)
        with million.served(database_url, folder, settings) as service:
            await warm_start(service, found)
            await memory(service, visitors, found)
            await misses(service, database_url, visitors, found)
            await visible(service, database_url, visitors, found)
            await change_at_once(service, shop, visitors, found)
        look_ups(folder / "web-1" / "links.sqlite", found)
        with million.served(_NOWHERE, folder, settings) as service:
            took = await service.until(f"/r/{code(LINKS - 10)}", 302)
            found.add("Start without Postgres: first 302", f"{took:.2f} s")
    print()
    print(table(("", "", "load of the machine"), found.rows))


async def first_copy(service: Served, found: Found) -> None:
    took = await service.until("/readyz/redirect", 200)
    figure = f"{took:.1f} s, of these {service.cpu_s():.1f} s on a processor"
    found.add(f"First copy of {LINKS:,} links, until ready", figure)
    used = sum(path.stat().st_size for path in service.folder.glob("web-1/links.sqlite*"))
    found.add("The replica on disk, one for each web process", f"{used / 1e6:,.0f} MB")
    found.add("Memory after the copy", resident(service))


async def warm_start(service: Served, found: Found) -> None:
    took = await service.until(f"/r/{code(LINKS - 10)}", 302)
    figure = f"{took:.2f} s, the web process on a processor {service.cpu_s():.2f} s"
    found.add("Warm start: first 302 of a known link", figure)
    found.add("Warm start: /readyz", f"{await service.until('/readyz', 200):.2f} s")
    await service.until("/readyz/api", 200)
    found.add("Memory after the start, API loaded", resident(service))


async def memory(service: Served, visitors: Visitors, found: Found) -> None:
    """Twice as many codes as the LRU holds, each once, and codes that no link has."""
    links = [visitors.open(one) for one in range(BULK, BULK + TOUCHED)]
    await all_at_once(service.port, links)
    await all_at_once(service.port, [visitors.guess(one) for one in range(ABSENT)], 404)
    what = f"Memory after {TOUCHED:,} codes (the LRU holds 100,000), all caches full"
    found.add(what, resident(service))


async def all_at_once(port: int, requests: Sequence[bytes], status: int = 302) -> None:
    """As fast as some connections can."""
    left = iter(requests)
    async with asyncio.TaskGroup() as group:
        for _ in range(CONNECTIONS):
            group.create_task(in_turn(port, left, status))


async def misses(service: Served, database_url: str, visitors: Visitors, found: Found) -> None:
    """Codes that memory lacks, codes that it has and one that has ended, by turns in one load.

    Who opens the last is sent on without a click: all that the others do, but for the commit.
    """
    ended = BULK + 10
    await end(database_url, code(ended))
    others = list(range(LINKS - BULK * 4, LINKS))
    random.Random(7).shuffle(others)
    known, unknown = others[:50], others[50 : 50 + RATE * SECONDS // 3]
    requests = [
        visitors.open(one)
        for turn, miss in enumerate(unknown)
        for one in (known[turn % len(known)], miss, ended)
    ]
    took = await steadily(service.port, requests[150:])
    found.add(f"Known to memory, at {RATE}/s, the click's commit included", spread(took[0::3]))
    found.add("Unknown to memory, in the same load", spread(took[1::3]))
    found.add("Ended, so without a commit, in the same load", spread(took[2::3]))


async def end(database_url: str, ended: str) -> None:
    connection = await asyncpg.connect(database_url)
    await connection.execute(
        "UPDATE links SET archived_at = now(), fallback = 'https://shop.example.com/'"
        " WHERE host = '' AND code = $1",
        ended,
    )
    await connection.close()
    await asyncio.sleep(1)


def look_ups(replica: Path, found: Found) -> None:
    """What memory lacks, without all that stands around it in a request."""
    directory = Directory(replica, size=1)
    took = []
    for one in random.Random(9).sample(range(LINKS), LOOK_UPS):
        began = time.perf_counter()
        target = directory.find(million.host_of(one), code(one))
        took.append((time.perf_counter() - began) * 1_000)
        if target is None:
            raise SystemExit(f"{code(one)} is not in the replica")
    directory.close()
    found.add("Finding what memory lacks, alone, target made", spread(took, digits=3))


async def visible(service: Served, database_url: str, visitors: Visitors, found: Found) -> None:
    """How long after its commit a change of a link shows in a redirect."""
    took = []
    connection = await asyncpg.connect(database_url)
    async with asking(service.port) as ask:
        for number in range(VISIBLE):
            target = f"https://shop.example.com/new/{number}"
            statement = "UPDATE links SET destination = $1 WHERE host = '' AND code = $2"
            await connection.execute(statement, target, code(BULK))
            began = time.monotonic()
            while f"{target}?".encode() not in await ask(visitors.open(BULK, plainly=True)):
                await asyncio.sleep(0.001)
            took.append((time.monotonic() - began) * 1_000)
    await connection.close()
    found.add("A change of one link is visible after its commit", spread(took))


async def change_at_once(service: Served, shop: Shop, visitors: Visitors, found: Found) -> None:
    """A program's PATCH that changes most links, those in memory too, while redirects go on."""
    chance, ended = random.Random(8), asyncio.Event()
    requests = [visitors.open(chance.randrange(BULK, LINKS)) for _ in range(RATE * 120)]
    http = million.api(service)  # it takes a tenth of a second to make, which a load would show
    load = asyncio.create_task(steadily(service.port, requests, until=ended))
    await asyncio.sleep(2)
    began, used = time.monotonic(), service.cpu_s()
    status = await asyncio.to_thread(million.rename_click_parameter, http, shop)
    answered = time.monotonic()
    if status != 200:
        raise SystemExit(f"the PATCH was answered {status}")
    what = f"PATCH of a program with {LINKS - BULK:,} links"
    found.add(f"{what}: answered", f"after {(answered - began) * 1_000:.0f} ms")
    async with asking(service.port) as ask:
        for one in range(BULK, LINKS, (LINKS - BULK) // 100 + 1):
            while b"ref=" not in await ask(visitors.open(one)):
                await asyncio.sleep(0.001)
        seen = since(answered) * 1_000
        if b"ref=" in await ask(visitors.open(0)):
            raise SystemExit("another program's links have changed")
    found.add(f"{what}: each of 100 of them visible after that", f"{seen:.0f} ms")
    await asyncio.sleep(5)  # of redirects whose targets are made anew
    found.add("The web process on a processor meanwhile", f"{service.cpu_s() - used:.1f} s")
    ended.set()
    http.close()
    found.add(f"Redirects at {RATE}/s meanwhile", spread(await load))
    found.add("Memory at the end", resident(service))


def since(moment: float) -> float:
    return time.monotonic() - moment


def resident(service: Served) -> str:
    """Now and at most so far."""
    web = service.web()
    figure = f"{web.memory_info().rss / 1e6:,.0f} MB"
    status = Path(f"/proc/{web.pid}/status")
    most = re.search(r"VmHWM:\s+(\d+) kB", status.read_text()) if status.exists() else None
    return f"{figure}, {int(most[1]) * 1_024 / 1e6:,.0f} MB at most" if most else figure


@asynccontextmanager
async def asking(port: int, status: int = 302) -> AsyncIterator[Ask]:
    """Ask on one connection for the head of an answer; SystemExit for one of another status."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)

    async def ask(wanted: bytes) -> bytes:
        writer.write(wanted)
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 %d" % status):
            raise SystemExit(f"{wanted!r} was answered {head!r}")
        if length := re.search(rb"content-length: (\d+)", head):
            await reader.readexactly(int(length[1]))
        return head

    yield ask
    writer.close()


async def in_turn(port: int, requests: Iterator[bytes], status: int) -> None:
    async with asking(port, status) as ask:
        for one in requests:
            await ask(one)


async def steadily(
    port: int, requests: Sequence[bytes], *, until: asyncio.Event | None = None
) -> list[float]:
    """Milliseconds in the requests' order, each from when it was due: no late answer hides."""
    took: dict[int, float] = {}
    began, left = time.monotonic() + 0.1, iter(enumerate(requests))

    async def visitor() -> None:
        async with asking(port) as ask:
            for number, one in left:
                if until is not None and until.is_set():
                    return
                due = began + number / RATE
                await asyncio.sleep(max(0, due - time.monotonic()))
                await ask(one)
                took[number] = (time.monotonic() - due) * 1_000

    async with asyncio.TaskGroup() as group:
        for _ in range(CONNECTIONS):
            group.create_task(visitor())
    return [took[number] for number in sorted(took)]


def spread(took: Sequence[float], *, digits: int = 1) -> str:
    ordered = sorted(took)
    p50, p99 = (f"{ordered[int(len(ordered) * share)]:.{digits}f}" for share in (0.5, 0.99))
    return f"p50 {p50} ms, p99 {p99} ms, most {ordered[-1]:.0f} ms of {len(took):,}"
