"""Keeps the directory in step with Postgres: one full copy, then change by change.

NOTIFY wakes it, a poll is the net. Change numbers are given before their commit, so a lower one
may show up after a higher one: the gaps are asked for again until they are filled or old.
"""

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import structlog

from app.redirect.directory import Directory
from app.redirect.postgres import LINK_COLUMNS, connect, link_row
from app.redirect.replica import Position

if TYPE_CHECKING:
    from app.redirect.postgres import Connection

POLL_S: Final = 0.5
_CHANNEL: Final = "finderfee_links"
_OVERLAP_S: Final = 60
_PAGE: Final = 2_000
_MAX_GAPS: Final = 10_000
_SOURCE: Final = """
    SELECT format('%s:%s', s.system_identifier, d.oid) AS source,
           (SELECT coalesce(max(number), 0) FROM link_changes) AS newest
    FROM pg_control_system() AS s, pg_database AS d WHERE d.datname = current_database()
"""
_COPY: Final = f"SELECT {LINK_COLUMNS} FROM links WHERE id > $1 ORDER BY id LIMIT {_PAGE}"
_LINKS: Final = f"SELECT {LINK_COLUMNS} FROM links WHERE id = ANY($1)"
_CHANGES: Final = f"""
    SELECT number, link_id FROM link_changes WHERE number > $1 OR number = ANY($2)
    ORDER BY number LIMIT {_PAGE}
"""
_REWIND: Final = """
    SELECT least($1::bigint, coalesce((
        SELECT number FROM link_changes WHERE changed_at < (
            SELECT changed_at FROM link_changes WHERE number <= $1 ORDER BY number DESC LIMIT 1
        ) - make_interval(secs => $2) ORDER BY changed_at DESC LIMIT 1
    ), 0))
"""
_FIRST: Final = "00000000-0000-0000-0000-000000000000"

log = structlog.get_logger()


async def follow(directory: Directory, database_url: str) -> None:
    """Run until canceled, or until the connection fails."""
    async with connect(database_url, timeout_s=10) as connection:
        await _Follower(directory, connection).run()


class _Follower:
    """One connection's worth of following."""

    def __init__(self, directory: Directory, connection: "Connection") -> None:
        self._directory = directory
        self._connection = connection
        self._gaps: dict[int, float] = {}
        """Numbers not seen yet → when we stop to ask for them."""

    async def run(self) -> None:
        woken = asyncio.Event()
        await self._connection.add_listener(_CHANNEL, lambda *_: woken.set())
        at = await self._begin()
        while True:
            woken.clear()
            at, more = await self._step(at)
            if not more:
                # Not `wait_for`: on Python 3.11 it loses a cancellation that comes with the event.
                with suppress(TimeoutError):
                    async with asyncio.timeout(POLL_S):
                        await woken.wait()

    async def _begin(self) -> Position:
        """Where to follow from: 60 s before the last change seen, or a fresh full copy."""
        found = await self._connection.fetchrow(_SOURCE)
        assert found is not None  # one database is current
        at = self._directory.position
        # A lower number than ours is a database restored from a backup.
        if at is None or at.source != found["source"] or at.number > found["newest"]:
            return await self._copy(found["source"], found["newest"])
        number = await self._connection.fetchval(_REWIND, at.number, float(_OVERLAP_S))
        return at._replace(number=number)

    async def _copy(self, source: str, newest: int) -> Position:
        at = self._directory.position
        copy = at.copy + 1 if at else 1
        last, count = _FIRST, 0
        while page := await self._connection.fetch(_COPY, last):
            last, count = page[-1]["id"], count + len(page)
            await self._directory.copy_page([link_row(record) for record in page], copy)
        # The numbers that were still uncommitted at `newest` are caught by going back as well.
        number = await self._connection.fetchval(_REWIND, newest, float(_OVERLAP_S))
        position = Position(source, number, copy)
        await self._directory.end_copy(position)
        log.info("replica.copied", links=count)
        return position

    async def _step(self, at: Position) -> tuple[Position, bool]:
        """Apply what is new; the position then, and whether there may be more at once."""
        changes = await self._connection.fetch(_CHANGES, at.number, list(self._gaps))
        if not changes:
            self._forget_old_gaps()
            return at, False
        ids = {change["link_id"] for change in changes}
        found = await self._connection.fetch(_LINKS, list(ids))
        gone = ids - {record["id"] for record in found}
        self._note_gaps(at.number, [change["number"] for change in changes])
        position = at._replace(number=max(at.number, changes[-1]["number"]))
        await self._directory.apply(
            [link_row(record) for record in found], [link.bytes for link in gone], position
        )
        return position, len(changes) == _PAGE

    def _note_gaps(self, last: int, numbers: list[int]) -> None:
        for number in numbers:
            self._gaps.pop(number, None)
            for missing in range(last + 1, number)[-_MAX_GAPS:]:
                self._gaps[missing] = time.monotonic() + _OVERLAP_S
            last = max(last, number)
        self._forget_old_gaps()

    def _forget_old_gaps(self) -> None:
        now = time.monotonic()
        old = [number for number, until in self._gaps.items() if until < now]
        for number in old + list(self._gaps)[: max(0, len(self._gaps) - _MAX_GAPS)]:
            self._gaps.pop(number, None)
