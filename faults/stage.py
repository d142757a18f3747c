"""A real service with 10,000 links, and the account of what its visitors were told."""

import asyncio
import shutil
import sys
import tempfile
import time
import urllib.request
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import asyncpg

from app.db import embedded
from app.db.migrate import upgrade
from app.redirect.journal_file import JournalError, JournalReader, journals
from app.secret_keys import SecretKeys
from faults.visitors import Crowd, Told
from tests.e2e.client import GIVEN, SECRET_KEYS
from tests.redirect.making import connected, make_link
from tests.service import Service, free_port, serve

CODES = [f"code{n}" for n in range(1, 10_001)]
KEYS = SecretKeys([SECRET_KEYS]).click_keys
DRAINED_S = 60.0
_COPIES = """
    INSERT INTO links (id, workspace_id, program_id, partner_id, host, code, destination,
                       click_parameter, is_default, subs)
    SELECT gen_random_uuid(), workspace_id, program_id, partner_id, '', copy, destination,
           click_parameter, false, subs
    FROM links, unnest($1::text[]) AS copy WHERE code = 'first'
"""

Figures = dict[str, Any]
T = TypeVar("T")


@dataclass(frozen=True)
class Account:
    """Answered clicks against Postgres. extra: stored, but whoever asked was cut off before."""

    answered: int
    stored: int
    drained_s: float
    unstored: int = 0

    @property
    def figures(self) -> Figures:
        return {
            "answered": self.answered,
            "stored": self.stored,
            "extra": self.stored - self.answered + self.unstored,
            "drained_s": round(self.drained_s, 1),
        }


@dataclass
class Stage:
    """A database with links and a folder for the service's data."""

    folder: Path
    url: str
    embedded: bool
    metrics_port: int = field(default_factory=free_port)

    @property
    def data_dir(self) -> Path:
        return self.folder / "data"

    @property
    def postmaster(self) -> int:
        """The process of a server that is not the service's own."""
        return int((self.folder / "given/postgres/data/postmaster.pid").read_text().split()[0])

    @contextmanager
    def service(self, *arguments: str, **environment: str) -> Iterator[Service]:
        """`serve`, ready, on this stage's Postgres; DATABASE_URL leads it there by another way."""
        with self.starting(*arguments, **environment) as service:
            for role in ("redirect", "api", "worker"):
                service.ready(role)
            yield service

    @contextmanager
    def starting(self, *arguments: str, **environment: str) -> Iterator[Service]:
        """As `service`, but ready for nothing yet."""
        given = GIVEN | {"FINDERFEE_METRICS_PORT": str(self.metrics_port)}
        if not self.embedded:
            given = given | {"DATABASE_URL": self.url}
        with serve(self.data_dir, *arguments, environment=given | environment) as service:
            yield service

    def crowd(self, service: Service, seed: int, *, rate: int = 0, visitors: int = 16) -> Crowd:
        return Crowd(service.port, CODES, seed, rate=rate, visitors=visitors)

    def rows(self, statement: str, *values: Any) -> list[asyncpg.Record]:
        async def fetch() -> list[asyncpg.Record]:
            connection = await asyncpg.connect(self.url, timeout=10)
            try:
                return await connection.fetch(statement, *values)
            finally:
                await connection.close()

        return run(fetch())

    def stored(self) -> set[UUID]:
        return {row["id"] for row in self.rows("SELECT id FROM clicks")}

    def metric(self, name: str) -> float:
        """The sum of a metric over its labels, of all processes that ever ran."""
        address = f"http://127.0.0.1:{self.metrics_port}/metrics"
        with urllib.request.urlopen(address, timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        return sum(
            float(line.rpartition(" ")[2])
            for line in lines
            if line.partition(" ")[0].partition("{")[0] == name
        )

    def in_journals(self, folders: str = "web-*") -> int:
        """Clicks that wait in the processes' journals."""
        return sum(
            _clicks_in(path) for folder in self.data_dir.glob(folders) for path in journals(folder)
        )

    def account(self, told: Told, *, unrecorded: int = 0, within_s: float = DRAINED_S) -> Account:
        """Wait for the drain and compare id by id; ends the run if a promise is broken.

        unrecorded: how many answers the service itself counts as not safe.
        """
        began = time.monotonic()
        while left := self.in_journals():
            promise(
                time.monotonic() - began < within_s,
                f"{left} clicks still in journals after {within_s} s",
            )
            time.sleep(0.1)
        drained_s = time.monotonic() - began
        answered, stored = told.ids(KEYS), self.stored()
        unstored = len(answered - stored)
        promise(unstored <= unrecorded, f"{unstored} answered clicks lost, {unrecorded} unrecorded")
        (row,) = self.rows(
            "SELECT count(*) AS rows, (SELECT sum(clicks) FROM link_clicks) AS sum FROM clicks"
        )
        promise(
            len(stored) == row["rows"] == row["sum"],
            f"{len(stored)} ids, {row['rows']} rows, {row['sum']} counted",
        )
        return Account(len(answered), len(stored), drained_s, unstored)


def promise(holds: bool, otherwise: str) -> None:  # noqa: FBT001 (reads like assert)
    if not holds:
        raise SystemExit(f"BROKEN: {otherwise}")


def run(work: Coroutine[Any, Any, T]) -> T:
    """To its end, in a thread: whoever calls may have an event loop of its own."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


@contextmanager
def stage(*, owned: bool = False) -> Iterator[Stage]:
    """A migrated Postgres with links. owned: the service's own, in its data folder."""
    with tempfile.TemporaryDirectory(prefix="ff-faults-") as name:
        folder = Path(name)
        home = folder / "data" if owned else folder / "given"
        try:
            url = embedded.start(home)
            run(upgrade(url))
            run(make_links(url))
            yield Stage(folder, url, owned)
        except BaseException:
            # For whoever has to find out why.
            with suppress(FileNotFoundError):
                shutil.copy(folder / "log.txt", "faults-log.txt")
            raise
        finally:
            embedded.stop(home)


async def make_links(url: str) -> None:
    await make_link(url, "first")
    async with connected(url) as connection:
        await connection.execute(_COPIES, CODES)


def _clicks_in(path: Path) -> int:
    """Those that Postgres is not known to have."""
    with suppress(JournalError):  # removed meanwhile
        reader = JournalReader(path)
        try:
            waiting = reader.after(reader.forgotten_to(), max_clicks=sys.maxsize)
        finally:
            reader.close()
        return sum(commit.clicks for commit in waiting)
    return 0
