"""Redirects a second at 64 connections: ours beside nginx, a bare 302 and an insert per click.

All contenders run at once, one web process each, and are loaded in turns with the same requests,
several rounds. Ours is the real `serve`; it has drained before the next one's turn. Its clicks in
Postgres are counted against its own count of answers and wrk's; then in another burst, by a client
that reads the answers, each click is looked for by its id.
"""

import asyncio
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import httpx

from app.db.engine import Database
from bench import clicks, wrk
from bench.burst import burst
from bench.environment import environment
from bench.links import make_links
from bench.requests import Requests, make_requests
from bench.rivals import nginx
from bench.rounds import compared
from bench.wrk import Round
from tests.service import free_port, serve

ROUNDS = 4
SECONDS = 5
BURST_S = 10
_DRAWN = 50_000
NGINX = "nginx, 302 and its access log"
BARE = "bare ASGI 302, records nothing"
INSERT = "FastAPI + SQLAlchemy, an INSERT per click"
OURS = "Finderfee"
ODD = "the same, odd requests among them"
_OUTCOMES = ("redirected", "head", "prefetch")
_RIVAL_TABLE = """
    CREATE TABLE rival_clicks (id uuid PRIMARY KEY, link_id uuid NOT NULL, agent text NOT NULL,
                               referrer text NOT NULL, at timestamp NOT NULL)
"""


@dataclass(frozen=True, slots=True)
class Contenders:
    """Their ports by name, ours twice; folder: with both sets of requests."""

    ports: dict[str, int]
    folder: Path
    database_url: str
    metrics: int
    """The port of ours."""


async def main(database_url: str) -> None:
    """url: a migrated, empty database. Measures, checks that nothing was lost, and prints."""
    plain, odd = make_requests(odd=False), make_requests()
    with tempfile.TemporaryDirectory(prefix="ff-bench-") as name, ExitStack() as running:
        folder = Path(name)
        for requests, of in ((plain, OURS), (odd, ODD)):
            _load_of(of, folder).mkdir()
            requests.write(_load_of(of, folder))
        await _prepare(database_url)
        metrics = free_port()
        ports = _start(running, folder, database_url, metrics)
        contenders = Contenders(ports, folder, database_url, metrics)
        warm = {name: _turn(contenders, name, seconds=2, seed=0) for name in ports}
        rounds, found = await _measure(contenders, warm[OURS].requests + warm[ODD].requests)
        print(compared("redirects", OURS, rounds))
        print(f"\n{found}")
        await _check_each(contenders, odd)


async def _prepare(database_url: str) -> None:
    database = Database(database_url)
    await make_links(database)
    await database.close()
    async with clicks.connected(database_url) as connection:
        await connection.execute(_RIVAL_TABLE)


def _start(running: ExitStack, folder: Path, database_url: str, metrics: int) -> dict[str, int]:
    ports = {name: free_port() for name in (NGINX, BARE, INSERT)}
    if nginx.installed():
        home = folder / "nginx"
        home.mkdir()
        running.enter_context(nginx.serve(home, ports[NGINX]))
    else:
        del ports[NGINX]
        print("nginx is not installed (Debian: apt-get install nginx-light), so it is left out.")
    running.enter_context(_python("bare", ports[BARE]))
    running.enter_context(_python("insert", ports[INSERT], database_url))
    settings = environment(folder) | {
        "DATABASE_URL": database_url,
        "FINDERFEE_SECRET_KEYS": clicks.SECRET,
        "FINDERFEE_METRICS_PORT": str(metrics),
    }
    ours = serve(folder / "ours" / "data", "--role", "redirect", environment=settings)
    ports[OURS] = ports[ODD] = running.enter_context(ours).port
    for port in ports.values():
        _wait_for(port)
    return ports


@contextmanager
def _python(module: str, port: int, *arguments: str) -> Iterator[None]:
    process = subprocess.Popen(
        [sys.executable, "-m", f"bench.rivals.{module}", str(port), *arguments]
    )
    try:
        yield
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(10)


def _wait_for(port: int) -> None:
    """Until it redirects; ours may still have to fetch its links."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        try:
            with closing(socket.create_connection(("127.0.0.1", port))) as connection:
                connection.sendall(b"GET /r/code1 HTTP/1.1\r\nHost: go.example\r\n\r\n")
                if connection.recv(4_096).startswith(b"HTTP/1.1 302"):
                    return
        except ConnectionError:
            pass
        time.sleep(0.1)
    raise SystemExit(f"nothing redirects on port {port}")


def _turn(contenders: Contenders, name: str, *, seconds: int, seed: int) -> Round:
    """What is fetched ahead gets a page of ours, and counts as no redirect."""
    port, load = contenders.ports[name], _load_of(name, contenders.folder)
    return wrk.load(port, load, seconds=seconds, seed=seed, refuses=name == ODD)


def _load_of(name: str, folder: Path) -> Path:
    return folder / ("odd" if name == ODD else "plain")


async def _measure(contenders: Contenders, warm: int) -> tuple[dict[str, list[Round]], str]:
    """All rounds, each begun by another contender, and what became of our clicks.

    warm: how many requests to ours were answered before.
    """
    url = contenders.database_url
    rounds: dict[str, list[Round]] = {name: [] for name in contenders.ports}
    before = await clicks.drained(url, least=warm)
    told_before = await _told(contenders)
    async with clicks.connected(url) as connection:
        await connection.execute("CHECKPOINT")
    answered = 0
    for number in range(ROUNDS):
        names = list(contenders.ports)
        for name in names[number % len(names) :] + names[: number % len(names)]:
            # What one has left to the disk must not slow the next one's syncs.
            os.sync()
            one = _turn(contenders, name, seconds=SECONDS, seed=number + 1)
            rounds[name].append(one)
            if name in (OURS, ODD):
                answered += one.requests
                await clicks.drained(url, least=before + answered)
    stored = await clicks.drained(url) - before
    told = await _told(contenders) - told_before
    if stored != told:
        raise SystemExit(f"{told} answered by its own count, {stored} stored")
    # What a round's end cut off was answered, and wrk doesn't count it.
    if not answered <= told <= answered + 2 * ROUNDS * wrk.CONNECTIONS:
        raise SystemExit(f"{answered} answered by wrk's count, {told} by its own")
    if (total := await clicks.counted(url)) != before + stored:
        raise SystemExit(f"{before + stored} stored, {total} counted")
    refused = sum(one.refused for one in rounds[ODD])
    found = (
        f"wrk had {answered:,} answers of ours, {refused:,} of them pages for what was fetched"
        f" ahead; ours counts {told:,} with those that the rounds' ends cut off, and as many"
        f" clicks are in Postgres"
    )
    return rounds, f"{found}: {await clicks.kinds(url)}"


async def _told(contenders: Contenders) -> int:
    """How many clicks ours has answered so far, as its metrics tell."""
    async with httpx.AsyncClient() as http:
        answer = await http.get(f"http://127.0.0.1:{contenders.metrics}/metrics")
    counts = dict(line.rsplit(" ", 1) for line in answer.text.splitlines())
    names = [f'finderfee_redirects_total{{outcome="{one}"}}' for one in _OUTCOMES]
    return sum(int(float(counts.get(name, "0"))) for name in names)


async def _check_each(contenders: Contenders, requests: Requests) -> None:
    """Open links by a client that reads the answers, and look for each one's id."""
    chance, url = random.Random(4), contenders.database_url
    drawn = [requests.draw(chance) for _ in range(_DRAWN)]
    before = await clicks.drained(url)
    tokens = burst(contenders.ports[OURS], cycle(drawn), BURST_S)
    stored = await clicks.drained(url, least=before + len(tokens)) - before
    if stored != len(tokens):
        raise SystemExit(f"{len(tokens)} answered, {stored} stored")
    clicked = [token for token in tokens if token]
    await clicks.all_stored(url, clicked)
    print(
        f"\nOf {len(clicked):,} more redirects, {len(tokens) / BURST_S:,.0f} answers a second by"
        f" {wrk.CONNECTIONS} connections, each click id was looked for and found; the"
        f" {len(tokens) - len(clicked):,} that were fetched ahead beside them are there too."
    )


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
