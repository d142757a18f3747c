"""Keeps the directory in step with Postgres: one full copy, then change by change.

NOTIFY wakes it, a poll is the net. Change numbers are given before their commit, so a lower one
may show up after a higher one, however late: the gaps are asked for again until they are filled,
or all that ran when they were seen has ended. They are kept with the position, so nothing is
missed, or read twice, over a lost connection.
"""

import asyncio
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Final
from uuid import UUID

import asyncpg
import structlog

from app.redirect.directory import Directory
from app.redirect.gaps import UNLISTED, Gaps
from app.redirect.link_row import LinkRow, ProgramRow
from app.redirect.metrics import FAILURES
from app.redirect.postgres import (
    CONNECTION_FAILURES,
    LINK_COLUMNS,
    PROGRAM_COLUMNS,
    connect,
    link_row,
    program_row,
)
from app.redirect.replica import Fallbacks, Position

if TYPE_CHECKING:
    from app.redirect.postgres import Connection, Record

POLL_S: Final = 0.5
_CHANNEL: Final = "finderfee_links"
_PAGE: Final = 500
"""Links at once: about two milliseconds of the event loop, which redirects wait for."""
_AHEAD: Final = 50
"""Of the latest changes, before each page of a long list: nobody's one waits behind a bulk."""
_SCHEMA_S: Final = 0.5
_STEADY_S: Final = 1.0
_NO_SCHEMA: Final = (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError)
# With the timeline, which begins anew where a standby takes over or a backup is restored: its
# numbers can be as high as ours, and mean other changes. A checkpoint knows of it some time later.
_SOURCE: Final = """
    SELECT format('%s:%s:%s', s.system_identifier, d.oid,
                  greatest(c.timeline_id, r.min_recovery_end_timeline)) AS source,
           (SELECT coalesce(max(number), 0) FROM link_changes) AS newest,
           (SELECT coalesce(min(number), 1) FROM link_changes) AS oldest
    FROM pg_control_system() AS s, pg_control_checkpoint() AS c, pg_control_recovery() AS r,
         pg_database AS d
    WHERE d.datname = current_database()
"""
_COPY: Final = f"SELECT {LINK_COLUMNS} FROM links WHERE id > $1 ORDER BY links.id LIMIT {_PAGE}"
_LINKS: Final = f"SELECT {LINK_COLUMNS} FROM links WHERE id = ANY($1)"
_PROGRAMS: Final = f"SELECT {PROGRAM_COLUMNS} FROM programs WHERE id = ANY($1)"
# Not joined by OR: with one gap to ask for, that read the whole table.
_CHANGES: Final = f"""
    (SELECT number, link_id FROM link_changes WHERE number > $1 ORDER BY number LIMIT {_PAGE})
    UNION ALL
    (SELECT number, link_id FROM link_changes WHERE number = ANY($2) ORDER BY number LIMIT {_PAGE})
"""
_LATEST: Final = f"""
    SELECT number, link_id FROM link_changes WHERE number > $1 ORDER BY number DESC LIMIT {_AHEAD}
"""
_FALLBACKS: Final = """
    SELECT '' AS host, fallback FROM workspaces WHERE first
    UNION ALL
    SELECT host, fallback FROM domains JOIN workspaces ON workspaces.id = domains.workspace_id
    WHERE verified_at IS NOT NULL AND domains.archived_at IS NULL
"""
_NO_LINK: Final = UUID(int=0)
"""A change of this link's is one of the fallbacks: of a workspace, or of a domain's. One of a
program is noted under the program's id, which is no link's.
"""

log = structlog.get_logger()


async def follow(directory: Directory, database_url: str) -> None:
    """Run until canceled, or until there is no connection that holds."""
    while True:
        began = time.monotonic()
        try:
            async with connect(database_url, timeout_s=10) as connection:
                await _follow_on(connection, directory)
        except CONNECTION_FAILURES as error:
            # One that worked is opened again at once, so that changes are seen within a second.
            if time.monotonic() - began < _STEADY_S:
                raise
            FAILURES.labels("feed").inc()
            with suppress(OSError):  # a full disk can refuse the log line as well
                log.warning("feed.reconnects", error=repr(error))


async def _follow_on(connection: "Connection", directory: Directory) -> None:
    """Until the connection fails. Waits for the schema, if need be."""
    while True:
        try:
            await _Follower(directory, connection).run()
        except _NO_SCHEMA:
            log.info("replica.waits_for_schema")
            await asyncio.sleep(_SCHEMA_S)


class _Follower:
    """One connection's worth of following."""

    def __init__(self, directory: Directory, connection: "Connection") -> None:
        self._directory = directory
        self._connection = connection
        self._gaps = Gaps(connection)
        self._ahead_to = 0
        """The highest number of the latest changes that were taken before their turn."""
        self._programs: set[bytes] = set()
        """Those that this connection has brought: they are asked for when they change."""

    async def run(self) -> None:
        at = await self._begin()
        woken = asyncio.Event()
        await self._connection.add_listener(_CHANNEL, lambda *_: woken.set())
        while True:
            woken.clear()
            at, more = await self._step(at)
            if not more:
                # Not `wait_for`: on Python 3.11 it loses a cancellation that comes with the event.
                with suppress(TimeoutError):
                    async with asyncio.timeout(POLL_S):
                        await woken.wait()

    async def _begin(self) -> Position:
        """Where to follow from: the last change seen and what was missing below it, or a copy."""
        found = await self._source()
        at = self._directory.position
        if at is None or self._directory.damaged or _is_lost(at, found):
            return await self._copy(found)
        self._gaps.add(at.gaps)
        # Whoever made the replica may have known of no fallbacks.
        await self._directory.apply([], [], at, await self._fallbacks())
        return at

    async def _copy(self, found: "Record") -> Position:
        before = self._directory.position
        await self._directory.begin_copy()
        self._directory.know_fallbacks(await self._fallbacks())
        # Above all earlier ones, also those that never ended.
        copy = max(before.copy + 1 if before else 1, int(time.time()))
        newest = found["newest"]
        # What was uncommitted at `newest` shows up below it, perhaps behind the copy's back.
        await self._gaps.add_below(newest, found["oldest"])
        self._programs.clear()
        last, count = _NO_LINK, 0
        while page := await self._connection.fetch(_COPY, last):
            links = [link_row(record) for record in page]
            last, count = UUID(bytes=links[-1].id), count + len(page)
            await self._directory.copy_page(links, copy, await self._programs_of(links))
        position = Position(found["source"], newest, copy, self._gaps.numbers())
        await self._directory.end_copy(position, await self._fallbacks())
        log.info("replica.copied", links=count)
        return position

    async def _step(self, at: Position) -> tuple[Position, bool]:
        """Apply what is new; the position then, and whether there may be more at once."""
        # Before the changes are read: of what has ended by then, they tell.
        settled = await self._gaps.settled()
        if UNLISTED in settled or self._directory.damaged:
            return await self._copy(await self._source()), False
        changes = await self._connection.fetch(_CHANGES, at.number, self._gaps.numbers())
        more = len(changes) >= _PAGE
        numbers = sorted(change["number"] for change in changes)
        self._gaps.remove(numbers)
        if not more:  # of those that are filled all came by now
            self._gaps.remove(settled)
        self._gaps.add_between(at.number, numbers)
        after = at._replace(number=max([at.number, *numbers[-1:]]), gaps=self._gaps.numbers())
        # Also if nothing is new, but the replica could not be written before.
        if after != self._directory.position:
            await self._apply({change["link_id"] for change in changes}, after)
        if more:
            await self._take_latest(after)
        return after, more

    async def _take_latest(self, at: Position) -> None:
        """Apply the newest changes as well, which come again in their turn.

        In any order: what is applied is never the change, but the link as it is by now.
        """
        latest = await self._connection.fetch(_LATEST, max(at.number, self._ahead_to))
        if latest:
            self._ahead_to = latest[0]["number"]
            await self._apply({change["link_id"] for change in latest}, at)

    async def _apply(self, ids: set[UUID], at: Position) -> None:
        links: list[LinkRow] = []
        if ids:
            links = [link_row(one) for one in await self._connection.fetch(_LINKS, list(ids))]
        fallbacks = await self._fallbacks() if _NO_LINK in ids else None
        others = {one.bytes for one in ids - {_NO_LINK}} - {link.id for link in links}
        programs = await self._programs_of(links, others)
        gone = others - {program.id for program in programs}
        await self._directory.apply(links, list(gone), at, fallbacks, programs)

    async def _programs_of(
        self, links: Iterable[LinkRow], changed: Iterable[bytes] = ()
    ) -> list[ProgramRow]:
        """The programs of these links that were not brought yet, and those of the changed ids.

        A link goes into the replica together with its program, or after it: its own change may be
        taken before its turn.
        """
        wanted = {link.program for link in links} - self._programs | {*changed}
        if not wanted:
            return []
        ids = [UUID(bytes=one) for one in wanted]
        programs = [program_row(one) for one in await self._connection.fetch(_PROGRAMS, ids)]
        self._programs |= {program.id for program in programs}
        return programs

    async def _fallbacks(self) -> Fallbacks:
        return dict(await self._connection.fetch(_FALLBACKS))

    async def _source(self) -> "Record":
        found: Record | None = await self._connection.fetchrow(_SOURCE)
        assert found is not None  # one database is current
        return found


def _is_lost(at: Position, found: "Record") -> bool:
    """Whether changes don't lead from there to here, so that only a full copy does.

    Another database, or one restored from a backup; or what we lack was pruned meanwhile.
    """
    needed: int = min((at.number + 1, *at.gaps))
    oldest: int = found["oldest"]
    is_other: bool = at.source != found["source"] or at.number > found["newest"]
    return is_other or needed < oldest
