"""A service on a database with a million links: made over its API, and by COPY."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import asyncpg
import httpx
import psutil

from app.ids import decode, encode, uuid7
from tests.service import clean_environment, free_port

LINKS: Final = int(os.environ.get("BENCH_LINKS", "1000000"))
BULK: Final = LINKS // 10
"""The first of them are of one program; that of all others is changed."""
HOSTS: Final = 500
KEY: Final = "bench-" * 8
_PAGE: Final = 20_000
_COLUMNS: Final = (
    *("id", "workspace_id", "program_id", "partner_id", "host", "code", "destination"),
    *("click_parameter", "is_default", "subs", "utm"),
)
_UTM: Final = '{"source": "partners", "campaign": "{partner}", "content": "{sub1}"}'
_PROGRAM: Final = {
    "currency": "usd",
    "destination_hosts": ["shop.example.com"],
    "default_destination": "https://shop.example.com/",
    "utm": json.loads(_UTM),
    "keeps_network": True,
    "plan": {
        "hold_days": 14,
        "attribution": {"model": "last_click", "window_days": 30},
        "combine": "first_match",
        "rules": [{"id": "base", "pay": {"percent_bps": 2000}}],
    },
}


@dataclass(frozen=True, slots=True)
class Shop:
    """Two programs with a partner each."""

    workspace: UUID
    programs: tuple[UUID, UUID]
    """That of most links, and that of the first."""
    partners: tuple[UUID, UUID]


@dataclass(frozen=True, slots=True)
class Served:
    """A running service, and when it was started."""

    port: int
    folder: Path
    process: subprocess.Popen[bytes]
    started: float

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def web(self) -> psutil.Process:
        """The one web process."""
        (found,) = [
            child
            for child in psutil.Process(self.process.pid).children()
            if "app.main" in child.cmdline()
        ]
        return found

    def cpu_s(self) -> float:
        used = self.web().cpu_times()
        return float(used.user + used.system)

    async def until(self, path: str, status: int, within_s: float = 300) -> float:
        """Seconds from the start until this path is answered so."""
        async with httpx.AsyncClient(base_url=self.url) as http:
            while time.monotonic() - self.started < within_s:
                try:
                    if (await http.get(path)).status_code == status:
                        return time.monotonic() - self.started
                except httpx.TransportError:
                    pass
                await asyncio.sleep(0.01)
        raise SystemExit(f"{path} did not answer {status} within {within_s} s")


@contextmanager
def served(database_url: str, folder: Path, settings: Mapping[str, str]) -> Iterator[Served]:
    """`serve` with one web process and a worker, on this database."""
    port = free_port()
    environment = clean_environment(folder, port) | {
        **settings,
        "DATABASE_URL": database_url,
        "FINDERFEE_SECRET_KEYS": "a-secret-for-benchmarks-that-nobody-has",
        "FINDERFEE_BOOTSTRAP_API_KEY": KEY,
    }
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
        yield Served(port, folder, process, started)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def code(number: int) -> str:
    return f"code{number:07}"


def host_of(number: int) -> str:
    """A tenth of the links stand on hosts of their own, the others on no certain one."""
    return f"go{number % HOSTS}.example.com" if number % 10 == 1 else ""


def api(service: Served) -> httpx.Client:
    headers = {"Authorization": f"Bearer {KEY}"}
    return httpx.Client(base_url=f"{service.url}/v1", headers=headers, timeout=60)


def open_shop(service: Served) -> Shop:
    with api(service) as http:
        workspace = decode("ws", http.get("/workspaces").json()["data"][0]["id"])
        programs, partners = [], []
        for name in ("main", "bulk"):
            program = http.post("/programs", json={"name": name, **_PROGRAM}).json()["id"]
            partner = {"program_id": program, "name": "Ana", "email": "ana@example.com"}
            partners.append(decode("part", http.post("/partners", json=partner).json()["id"]))
            programs.append(decode("prog", program))
    return Shop(workspace, (programs[0], programs[1]), (partners[0], partners[1]))


def rename_click_parameter(http: httpx.Client, shop: Shop) -> int:
    """PATCH the program of most links; its answer's status."""
    path = f"/programs/{encode('prog', shop.programs[0])}"
    return http.patch(path, json={"click_parameter": "ref"}).status_code


async def fill(url: str, shop: Shop) -> None:
    """All links, page by page."""
    connection = await asyncpg.connect(url)
    try:
        for first in range(0, LINKS, _PAGE):
            rows = [_row(shop, number) for number in range(first, min(first + _PAGE, LINKS))]
            await connection.copy_records_to_table("links", records=rows, columns=_COLUMNS)
        await connection.execute("VACUUM ANALYZE links, link_changes")
    finally:
        await connection.close()


def _row(shop: Shop, number: int) -> tuple[Any, ...]:
    which = 1 if number < BULK else 0
    return (
        uuid7(),
        shop.workspace,
        shop.programs[which],
        shop.partners[which],
        host_of(number),
        code(number),
        f"https://shop.example.com/landing/{number % 1000}/offers?variant={number}",
        "click_id",
        False,
        '{"placement": "footer"}' if number % 2 else "{}",
        "{}",
    )
