"""Which link a code names: memory, then the local replica, then Postgres for what both lack."""

import asyncio
import sqlite3
import time
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import structlog

from app.redirect.link_row import Known, LinkRow, ProgramRow
from app.redirect.metrics import FAILURES as FAILED
from app.redirect.postgres import LINK_COLUMNS, PROGRAM_COLUMNS, connect, known
from app.redirect.replica import Fallbacks, Key, Position, Replica
from app.redirect.target import Target, is_web_address

if TYPE_CHECKING:
    from app.redirect.postgres import Connection

_MAX_ABSENT: Final = 10_000
_MAX_ASKED: Final = 1_000
_CODES_A_QUERY: Final = 500
_ANSWER_S: Final = 2.0
_AWAY_S: Final = 1.0
_MAX_HOST: Final = 253
# One look-up a key, whatever the planner knows of the table (`OFFSET 0`): whoever guesses codes
# must not make Postgres read it whole.
_ASK: Final = f"""
    SELECT {LINK_COLUMNS}, {PROGRAM_COLUMNS}
    FROM unnest($1::text[], $2::text[]) AS asked (host, code)
    CROSS JOIN LATERAL (
        SELECT * FROM links WHERE links.host = asked.host AND links.code = asked.code OFFSET 0
    ) AS links
    CROSS JOIN LATERAL (
        SELECT * FROM programs WHERE programs.id = links.program_id OFFSET 0
    ) AS programs
"""

log = structlog.get_logger()


class DirectoryUnavailableError(Exception):
    """The code is not known here and Postgres can't be asked."""


class Directory:
    """`find` answers from this machine, `ask` from Postgres; the feed keeps both honest."""

    def __init__(self, path: Path, *, size: int) -> None:
        self._replica = Replica(path)
        self._size = size
        self._targets: OrderedDict[str, Target] = OrderedDict()
        self._absent: OrderedDict[str, None] = OrderedDict()
        self._changes = 0
        self._asked: dict[Key, asyncio.Future[dict[str, Known]]] = {}
        self._wanted = asyncio.Event()
        self._away_until = 0.0
        self.hosts = self._replica.hosts()
        """Hosts with links of their own; on any other, only the links for all hosts count."""
        self.position = self._replica.position()
        self._fallbacks = _encoded(self._replica.fallbacks())
        self._programs = {program.id: program for program in self._replica.programs()}
        """One row for each: a target made with any other is made anew."""

    @property
    def usable(self) -> bool:
        """Whether every link was copied here once."""
        return self.position is not None

    def find(self, host: str, code: str) -> Target | None:
        """The link of this host, or for a host without any the one for all; None if unknown.

        Nobody's link for all hosts is served where somebody else's name stands in the address.
        """
        if host and host not in self.hosts:
            host = ""
        key = _key(host, code)
        target = self._targets.get(key)
        if target is None or self._programs.get(target.program.id) is not target.program:
            return self._found_on_disk(host, code)
        self._targets.move_to_end(key)
        return target

    async def ask(self, host: str, code: str) -> Target | None:
        """Ask Postgres for a code that `find` lacks; None: there is no such link.

        DirectoryUnavailableError if Postgres is away, slow, or asked for too much at once.
        """
        if self._key_here(host, code) in self._absent:
            return None
        # A name that the DNS can't have has no links; some would not even be text to Postgres.
        asked = host if len(host) <= _MAX_HOST and host.isprintable() else ""
        found = self._served(host, await self._rows((asked, code)))
        return _target(*found) if found else None

    def fallback(self, host: str) -> bytes | None:
        """Where an unknown code leads that was asked for on this host; None: nowhere.

        On a verified domain its workspace decides, elsewhere whoever runs the installation.
        """
        if host in self._fallbacks:
            return self._fallbacks[host]
        # Links that have stayed on a host keep strangers' addresses off it, as they do links.
        return None if host in self.hosts else self._fallbacks.get("")

    async def answer(self, database_url: str) -> None:
        """The task behind `ask`: all codes asked for meanwhile go into one query.

        Until the connection fails; whoever waits then is refused at once.
        """
        try:
            while True:
                await self._wanted.wait()
                async with connect(database_url, timeout_s=_ANSWER_S) as connection:
                    await self._answer_on(connection)
        finally:
            self._refuse_all()

    async def apply(
        self,
        links: Sequence[LinkRow],
        gone: Sequence[bytes],
        at: Position,
        fallbacks: Fallbacks | None = None,
        programs: Sequence[ProgramRow] = (),
    ) -> None:
        """Changed and removed links, from the feed: replica first, then forget what was known.

        fallbacks: all of them, if one changed. programs: those that may have changed.
        """
        keys = await asyncio.to_thread(self._replica.apply, links, gone, at, fallbacks, programs)
        if keys or programs:
            self._changes += 1
        for program in programs:
            self._current(program)
        for host, code in keys:
            self._targets.pop(_key(host, code), None)
            self._absent.pop(_key(host, code), None)
        # A host keeps its links for good, archived ones too, so none has to be taken out.
        if own := {link.host for link in links if link.host} - self.hosts:
            self.hosts |= own
        if fallbacks is not None:
            self._fallbacks = _encoded(fallbacks)
        self.position = at

    async def copy_page(
        self, links: Sequence[LinkRow], copy: int, programs: Sequence[ProgramRow] = ()
    ) -> None:
        await asyncio.to_thread(self._replica.copy_page, links, copy, programs)
        for program in programs:
            self._current(program)

    async def end_copy(self, at: Position, fallbacks: Fallbacks) -> None:
        await asyncio.to_thread(self._replica.end_copy, at, fallbacks)
        self._changes += 1
        self._targets.clear()
        self._absent.clear()
        self._programs = {program.id: program for program in self._replica.programs()}
        self.hosts = self._replica.hosts()
        self._fallbacks = _encoded(fallbacks)
        self.position = at

    async def settle(self) -> None:
        """Leave nothing on the disk of what links said before they changed."""
        await asyncio.to_thread(self._replica.settle)

    def close(self) -> None:
        self._refuse_all()
        self._replica.close()

    def _found_on_disk(self, host: str, code: str) -> Target | None:
        if not self.usable:
            return None
        try:
            row = self._replica.find(host, code)
        except sqlite3.Error:
            FAILED.labels("replica").inc()
            log.exception("replica.unreadable")
            return None
        program = self._programs.get(row.program) if row else None
        return self._remember(row, program) if row and program else None

    def _current(self, program: ProgramRow) -> ProgramRow:
        """The row that stands for this program from now on; the one there is if it is the same."""
        there = self._programs.get(program.id)
        if there == program:
            return there
        self._programs[program.id] = program
        return program

    def _remember(self, row: LinkRow, program: ProgramRow) -> Target | None:
        """program: as `_current` has it."""
        target = _target(row, program)
        if target is not None:
            self._targets[_key(row.host, row.code)] = target
            if len(self._targets) > self._size:
                self._targets.popitem(last=False)
        return target

    async def _rows(self, key: Key) -> dict[str, Known]:
        """The link of this host and the one for all, by host, as Postgres has them now."""
        answer = self._asked.get(key)
        if answer is None:
            if len(self._asked) >= _MAX_ASKED or time.monotonic() < self._away_until:
                raise DirectoryUnavailableError
            answer = self._asked[key] = asyncio.get_running_loop().create_future()
            self._wanted.set()
        try:
            # Shielded: a visitor who hangs up must not cancel the answer for the others.
            return await asyncio.wait_for(asyncio.shield(answer), _ANSWER_S)
        except TimeoutError as error:
            raise DirectoryUnavailableError from error

    async def _answer_on(self, connection: "Connection") -> None:
        """Until the server closes the connection, as a restart does while nobody asks."""
        while not connection.is_closed():
            asked = list(self._asked)[:_CODES_A_QUERY]
            wanted = list({*asked, *(("", code) for _, code in asked)})
            changes = self._changes
            records = await connection.fetch(
                _ASK, *(list(part) for part in zip(*wanted, strict=True))
            )
            self._settle(asked, [known(one) for one in records], changes)
            await self._wanted.wait()

    def _settle(self, asked: Sequence[Key], answers: Sequence[Known], changes: int) -> None:
        found = {(one.link.host, one.link.code): one for one in answers}
        for host, code in asked:
            rows = {on: found[on, code] for on in {host, ""} if (on, code) in found}
            # If the feed moved meanwhile, this answer may be older: good once, not for keeping.
            if changes == self._changes:
                self._keep(host, code, rows)
            answer = self._asked.pop((host, code))
            if not answer.done():
                answer.set_result(rows)
        if not self._asked:
            self._wanted.clear()

    def _keep(self, host: str, code: str, rows: dict[str, Known]) -> None:
        for link, program in rows.values():
            self._remember(link, self._current(program))
        if own := {on for on in rows if on} - self.hosts:
            self.hosts |= own
        # Without a feed nothing would ever clear the "no".
        if self._served(host, rows) is None and self.usable:
            self._absent[self._key_here(host, code)] = None
            if len(self._absent) > _MAX_ABSENT:
                self._absent.popitem(last=False)

    def _served(self, host: str, rows: dict[str, Known]) -> Known | None:
        return rows.get(host) or (None if host in self.hosts else rows.get(""))

    def _key_here(self, host: str, code: str) -> str:
        """Under which a code is known: on hosts without links of their own it is the same."""
        return _key(host if host in self.hosts else "", code)

    def _refuse_all(self) -> None:
        self._away_until = time.monotonic() + _AWAY_S
        self._wanted.clear()
        asked, self._asked = self._asked, {}
        for answer in asked.values():
            if not answer.done():
                answer.set_exception(DirectoryUnavailableError())
                answer.exception()  # seen, also if nobody waits for it any more


def _target(row: LinkRow, program: ProgramRow) -> Target | None:
    if not is_web_address(row.destination):
        log.error("link.not_a_web_address", link=row.id.hex())
        return None
    return Target(row, program)


def _key(host: str, code: str) -> str:
    return f"{host}/{code}"


def _encoded(fallbacks: Fallbacks) -> dict[str, bytes | None]:
    """As they go into a Location. Stored ones are in normal form; what is not leads nowhere."""
    return {
        host: url.encode() if url and _is_normal(url) else None for host, url in fallbacks.items()
    }


def _is_normal(url: str) -> bool:
    return is_web_address(url) and url.isascii() and url.isprintable() and " " not in url
