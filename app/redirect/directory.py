"""Which link a code names: memory, then the local replica, then Postgres for what both lack."""

import asyncio
import sqlite3
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeVar

import structlog

from app.redirect.asking import Asking, DirectoryUnavailableError, Rows
from app.redirect.link_row import Known, LinkRow, ProgramRow
from app.redirect.metrics import FAILURES as FAILED
from app.redirect.replica import Fallbacks, Key, Position, Replica
from app.redirect.replica_file import drop, is_damaged
from app.redirect.target import Target, is_web_address
from app.redirect.unwritten import Change, Unwritten

__all__ = ["Directory", "DirectoryUnavailableError"]

_MAX_ABSENT: Final = 10_000
_MAX_HOST: Final = 253
_WRITE_AGAIN_S: Final = 1.0
Made = TypeVar("Made")

log = structlog.get_logger()


class Directory:
    """`find` answers from this machine, `ask` from Postgres; the feed keeps both honest."""

    def __init__(self, path: Path, *, size: int) -> None:
        self._path = path
        self._replica = Replica(path)
        self.damaged = False
        """Whether the replica was found to be: it serves what it can, until there is another."""
        self._size = size
        self._targets: OrderedDict[str, Target] = OrderedDict()
        self._absent: OrderedDict[str, None] = OrderedDict()
        self._asking = Asking(self._keep)
        self.answer = self._asking.answer
        """The task behind `ask`."""
        self._unwritten = Unwritten()
        self._write_again_at = 0.0
        self.hosts: frozenset[str]
        """Verified domains, and hosts with links of their own: no link for all hosts counts there,
        and on any other host only those do.
        """
        self.position = self._replica.position()
        """How far the replica is, which memory may be ahead of."""
        self._with_links = self._replica.hosts()
        self.know_fallbacks(self._replica.fallbacks())
        self._programs = {program.id: program for program in self._replica.programs()}
        """One row for each: a target made with any other is made anew."""

    @property
    def usable(self) -> bool:
        """Whether every link was copied here once."""
        return self.position is not None

    def find(self, host: str, code: str) -> Target | None:
        """The link of this host, or on a host that is nobody's the one for all; None if unknown.

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
        if self.is_absent(host, code):
            return None
        # A name that the DNS can't have has no links; some would not even be text to Postgres.
        asked = host if len(host) <= _MAX_HOST and host.isprintable() else ""
        found = self._served(host, await self._asking.rows((asked, code)))
        return _target(*found) if found else None

    def is_absent(self, host: str, code: str) -> bool:
        """Whether it is known that there is no such link; one that was never asked for is not."""
        return self._key_here(host, code) in self._absent

    def fallback(self, host: str) -> bytes | None:
        """Where an unknown code leads that was asked for on this host; None: nowhere.

        On a verified domain its workspace decides, elsewhere whoever runs the installation.
        """
        if host in self._fallbacks:
            return self._fallbacks[host]
        # Links that have stayed on a host keep strangers' addresses off it, as they do links.
        return None if host in self.hosts else self._fallbacks.get("")

    async def apply(
        self,
        links: Sequence[LinkRow],
        gone: Sequence[bytes],
        at: Position,
        fallbacks: Fallbacks | None = None,
        programs: Sequence[ProgramRow] = (),
    ) -> None:
        """Changed and removed links, from the feed: replica first, then forget what was known.

        Memory follows also while the replica can't be written. `position` stays then, and what is
        lacking is written with a later call. TooMuchUnwrittenError: these changes were not taken.
        fallbacks: all of them, if one changed. programs: those that may have changed.
        """
        change = Change(links, gone, fallbacks, programs)
        keys = await self._write(change, at)
        if keys or programs:
            self._asking.outdate()
        for program in programs:
            self._current(program)
        for host, code in keys:
            self._targets.pop(_key(host, code), None)
            self._absent.pop(_key(host, code), None)
        # A host keeps its links for good, archived ones too, so none has to be taken out.
        self._know_hosts(link.host for link in links)
        if fallbacks is not None:
            self.know_fallbacks(fallbacks)

    def know_fallbacks(self, fallbacks: Fallbacks) -> None:
        """All of them. Known before the first copy, which takes its time, they keep links off."""
        self._fallbacks = _encoded(fallbacks)
        self.hosts = self._with_links | (self._fallbacks.keys() - {""})

    async def begin_copy(self) -> None:
        """Of a damaged replica nothing is kept: what else is wrong in it, nobody knows."""
        if self.damaged:
            log.warning("replica.damaged")
            self.position = None  # from here on nobody reads it
            self._targets.clear()
            self._absent.clear()
            await asyncio.to_thread(self._replica.close)
            await asyncio.to_thread(drop, self._path)
            self._replica = await asyncio.to_thread(Replica, self._path)
            self.damaged = False

    async def copy_page(
        self, links: Sequence[LinkRow], copy: int, programs: Sequence[ProgramRow] = ()
    ) -> None:
        await self._on_disk(self._replica.copy_page, links, copy, programs)
        for program in programs:
            self._current(program)

    async def end_copy(self, at: Position, fallbacks: Fallbacks) -> None:
        await self._on_disk(self._replica.end_copy, at, fallbacks)
        self._asking.outdate()
        self._targets.clear()
        self._absent.clear()
        self._unwritten.clear()
        self._programs = {program.id: program for program in self._replica.programs()}
        self._with_links = self._replica.hosts()
        self.know_fallbacks(fallbacks)
        self.position = at

    async def settle(self) -> None:
        """Leave nothing on the disk of what links said before they changed."""
        await self._on_disk(self._replica.settle)

    def close(self) -> None:
        self._asking.refuse_all()
        self._replica.close()

    async def _write(self, change: Change, at: Position) -> set[Key]:
        """The keys that changed; `position` is `at` if the replica took it all."""
        failure: sqlite3.Error | None = None
        if time.monotonic() >= self._write_again_at:
            links, gone, fallbacks, programs = self._unwritten.with_(change)
            try:
                keys = await self._on_disk(
                    self._replica.apply, links, gone, at, fallbacks, programs
                )
            except sqlite3.Error as error:
                failure = error
                self._write_again_at = time.monotonic() + _WRITE_AGAIN_S
            else:
                self._unwritten.clear()
                self.position = at
                return keys
        self._unwritten.add(change)
        if failure is not None:
            FAILED.labels("feed").inc()
            with suppress(OSError):  # a full disk can refuse the log line as well
                log.warning("task.failed", task="feed", error=repr(failure))
        if change.gone:
            # Under which codes they stood, only the replica tells.
            self._targets.clear()
        return {(link.host, link.code) for link in change.links}

    async def _on_disk(self, work: Callable[..., Made], *given: object) -> Made:
        try:
            return await asyncio.to_thread(work, *given)
        except sqlite3.Error as error:
            self.damaged |= is_damaged(error)
            raise

    def _know_hosts(self, with_links: Iterable[str]) -> None:
        if own := {host for host in with_links if host} - self._with_links:
            self._with_links |= own
            self.hosts |= own

    def _found_on_disk(self, host: str, code: str) -> Target | None:
        if not self.usable:
            return None
        try:
            row = self._unwritten.newest((host, code), self._replica.find(host, code))
        except sqlite3.Error as error:
            self.damaged |= is_damaged(error)
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

    def _keep(self, asked: Key, rows: Rows) -> None:
        host, code = asked
        self._know_hosts(rows)
        if not self.usable:
            # Until the first copy has ended, nobody tells of what changes.
            return
        for link, program in rows.values():
            self._remember(link, self._current(program))
        if self._served(host, rows) is None:
            self._absent[self._key_here(host, code)] = None
            if len(self._absent) > _MAX_ABSENT:
                self._absent.popitem(last=False)

    def _served(self, host: str, rows: Rows) -> Known | None:
        return rows.get(host) or (None if host in self.hosts else rows.get(""))

    def _key_here(self, host: str, code: str) -> str:
        """Under which a code is known: on hosts that are nobody's it is the same."""
        return _key(host if host in self.hosts else "", code)


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
