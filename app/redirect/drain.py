"""Journals into Postgres: this process' own all the time, left ones until they are empty.

Rows leave a journal only after Postgres has committed them. A crash between the two makes them
come again, which changes nothing.
"""

import asyncio
from pathlib import Path
from typing import Final

import structlog

from app.db.engine import Database
from app.redirect.clicks import ClickStore
from app.redirect.folders import has_journals, orphaned_folders
from app.redirect.journal import Journal
from app.redirect.journal_file import Commit, JournalError, JournalReader, journals, remove
from app.redirect.journal_rows import Row, unpack
from app.redirect.journal_sqlite import SqliteReader
from app.redirect.metrics import FAILURES as FAILED
from app.redirect.postgres import connect
from app.redirect.turns import ROWS_A_TURN, give_way

BATCH_CLICKS: Final = 5_000
"""The more at once, the fewer counters Postgres writes per click."""
ORPHANS_S: Final = 10.0
_STATEMENT_S: Final = 10.0
_IDLE_S: Final = 0.2
_LEFT_S: Final = 2.0

log = structlog.get_logger()


async def drain_own(folder: Path, journal: Journal, database_url: str) -> None:
    """The journal that is written now, and what earlier ones left; until something fails."""
    async with connect(database_url, timeout_s=_STATEMENT_S) as connection:
        await _Drain(folder, journal, ClickStore(connection)).run()


async def drain_orphans(data_dir: Path, database: Database) -> int:
    """Empty the journals of dead processes, in one pass; how many clicks they held."""
    return await empty_orphans(data_dir, database.url)


async def keep_emptying_orphans(data_dir: Path, database_url: str) -> None:
    """A pass at once and every 10 s, until one fails."""
    while True:
        await empty_orphans(data_dir, database_url)
        await asyncio.sleep(ORPHANS_S)


async def empty_orphans(data_dir: Path, database_url: str) -> int:
    """As `drain_orphans`, with a connection of its own."""
    if not await asyncio.to_thread(has_journals, data_dir):
        return 0
    # Connected before anything is locked: while Postgres is away, a process that starts must
    # find its folder free, since the replica in it is all it has.
    async with connect(database_url, timeout_s=_STATEMENT_S) as connection:
        store = ClickStore(connection)
        with orphaned_folders(data_dir, _has_journals) as folders:
            return sum([await _empty(path, store) for path in _journals(folders)])


def _has_journals(folder: Path) -> bool:
    return bool(journals(folder))


def _journals(folders: list[Path]) -> list[Path]:
    return [path for folder in folders for path in journals(folder)]


class _Drain:
    """One connection's worth of draining one folder."""

    def __init__(self, folder: Path, journal: Journal, store: ClickStore) -> None:
        self._folder = folder
        self._journal = journal
        self._store = store

    async def run(self) -> None:
        while True:
            for path in self._left():
                await _empty(path, self._store, self._journal.stored_to(path))
            path_now = self._journal.path
            if path_now is None:
                await asyncio.sleep(_IDLE_S)
            else:
                await self._follow(path_now)

    def _left(self) -> list[Path]:
        # Listed before the current path is read: what is made in between is not taken for left.
        found = journals(self._folder)
        current = self._journal.path
        return [path for path in found if path != current]

    async def _follow(self, path: Path) -> None:
        """Drain the current journal until it is left for another, or it is time to look."""
        until = asyncio.get_running_loop().time() + _LEFT_S
        reader = await asyncio.to_thread(JournalReader, path)
        stored_to = self._journal.stored_to(path)
        try:
            while self._journal.path == path and asyncio.get_running_loop().time() < until:
                commits = await asyncio.to_thread(reader.after, stored_to, max_clicks=BATCH_CLICKS)
                if commits:
                    await _store(commits, self._store)
                    stored_to = commits[-1].end
                    self._journal.forget(path, stored_to)
                if sum(commit.clicks for commit in commits) < BATCH_CLICKS // 2:
                    # Few at a time cost as much as many: let some gather.
                    await asyncio.sleep(_IDLE_S)
        finally:
            await asyncio.to_thread(reader.close)


async def _empty(path: Path, store: ClickStore, stored_to: int = 0) -> int:
    """Drain a journal that nobody writes, then remove it; how many clicks it held.

    stored_to: up to where Postgres is known to have it; else the journal says what it knows.
    """
    clicks = 0
    try:
        reader = await asyncio.to_thread(_open_left, path)
        try:
            stored_to = stored_to or await asyncio.to_thread(reader.forgotten_to)
            while commits := await asyncio.to_thread(
                reader.after, stored_to, max_clicks=BATCH_CLICKS
            ):
                await _store(commits, store)
                stored_to = commits[-1].end
                clicks += sum(commit.clicks for commit in commits)
        finally:
            await asyncio.to_thread(reader.close)
    except JournalError:
        # It stays for a person to look at, and is tried again; the others must not wait for it.
        FAILED.labels("left_journal").inc()
        log.exception("journal.unreadable", path=str(path))
        return clicks
    if reader.damaged:
        FAILED.labels("left_journal").inc()
        log.error("journal.damaged", path=str(path), bytes=reader.damaged, clicks=clicks)
        await asyncio.to_thread(path.rename, path.with_suffix(".damaged"))
        return clicks
    await asyncio.to_thread(remove, path)
    log.info("journal.emptied", path=str(path), clicks=clicks)
    return clicks


def _open_left(path: Path) -> JournalReader | SqliteReader:
    return SqliteReader(path) if path.suffix == ".sqlite" else JournalReader(path, left=True)


async def _store(commits: list[Commit], store: ClickStore) -> None:
    rows: list[Row] = []
    looked_at = 0
    for commit in commits:
        try:
            rows += unpack(commit.rows)
        except ValueError as error:
            await store.put_aside(commit.rows, error)
        looked_at += commit.clicks
        if looked_at >= ROWS_A_TURN:
            looked_at = 0
            await give_way()
    await store.store(rows)
