"""One journal on disk: an SQLite file whose rows are the group commits, packed.

A commit is one row, so that it is one statement: the writer gives up the interpreter once for
insert and fsync together, instead of once a click.
"""

import os
import sqlite3
from pathlib import Path
from struct import Struct
from struct import error as StructError  # noqa: N812 (it is an exception's name)
from typing import Final, NamedTuple

AGENT_BYTES: Final = 512
REFERRER_BYTES: Final = 1_024
PATTERN: Final = "journal-*.sqlite"
_FORMAT: Final = 2
"""Rises when rows hold what an earlier release would misread: it leaves such a file alone."""
_READABLE: Final = (1, 2)
_HEAD: Final = Struct(">B16s16sHH")
_SUBS: Final = Struct(">H")
_VISIT: Final = Struct(">BBBB")
_WITH_SUBS: Final = 0x80
_WITH_VISIT: Final = 0x40
"""Set in the class number where more than the head follows: what a click lacks costs no byte, and
journals that an earlier release left behind can be read."""
_CLASS: Final = 0x3F


class JournalRow(NamedTuple):
    """One click as its request told it; its time is in the click id, a UUIDv7."""

    traffic_class: int
    """1 to 63."""
    click: bytes
    link: bytes
    agent: bytes
    referrer: bytes
    subs: bytes = b""
    """The visitor's own sub-ids as a query in ASCII: `sub1=footer&sub2=42`."""
    reason: int = 0
    """Why it has its class, a number of `core.traffic.REASONS`."""
    visitor: bytes = b""
    """The visitor's hash, 8 bytes or none."""
    country: bytes = b""
    """Two letters or none."""
    network: bytes = b""
    """The first 3 bytes of an IPv4 or 6 of an IPv6 address; none where nobody asked for it."""


class Commit(NamedTuple):
    """One group commit. number: rises by one within a file; rows: `pack`ed, end to end."""

    number: int
    clicks: int
    rows: bytes


def pack(row: JournalRow) -> bytes:
    """A row's bytes; agent and referrer are cut to what a dictionary should keep."""
    number, click, link, agent, referrer, subs, reason, visitor, country, network = row
    agent, referrer = agent[:AGENT_BYTES], referrer[:REFERRER_BYTES]
    tail = agent + referrer
    if reason or visitor or country or network:
        number |= _WITH_VISIT
        visit = _VISIT.pack(reason, len(visitor), len(country), len(network))
        tail = visit + visitor + country + network + tail
    if subs:
        number |= _WITH_SUBS
        tail += _SUBS.pack(len(subs)) + subs
    return _HEAD.pack(number, click, link, len(agent), len(referrer)) + tail


def unpack(rows: bytes) -> list[JournalRow]:
    """The rows of a commit; ValueError if the bytes are not what `pack` made.

    In one piece, for speed: each click passes here, in the redirects' process.
    """
    found: list[JournalRow] = []
    at, end = 0, len(rows)
    try:
        while at < end:
            number, click, link, agent_bytes, referrer_bytes = _HEAD.unpack_from(rows, at)
            at += _HEAD.size
            reason, visitor, country, network, subs = 0, b"", b"", b"", b""
            if number & _WITH_VISIT:
                reason, hashed, lettered, networked = _VISIT.unpack_from(rows, at)
                first = at + _VISIT.size
                second = first + hashed
                third = second + lettered
                at = third + networked
                if not reason and at == first:
                    raise ValueError("a journal row announces a visit and has none")
                visitor, country, network = rows[first:second], rows[second:third], rows[third:at]
            first, at = at, at + agent_bytes
            agent = rows[first:at]
            first, at = at, at + referrer_bytes
            referrer = rows[first:at]
            if number & _WITH_SUBS:
                first, at = at + _SUBS.size, at + _SUBS.size + _SUBS.unpack_from(rows, at)[0]
                if first == at:
                    raise ValueError("a journal row announces sub-ids and has none")
                subs = rows[first:at]
            number &= _CLASS
            row = JournalRow(
                number, click, link, agent, referrer, subs, reason, visitor, country, network
            )
            found.append(row)
    except StructError as error:
        raise ValueError("a journal row is cut off") from error
    if at != end:
        raise ValueError("a journal row is cut off")
    return found


class JournalFile:
    """A journal opened by its one writer: append, forget, count used pages."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connection = _open(path)
        self._connection.execute("PRAGMA journal_mode = WAL")
        # FULL: the write-ahead log is fsynced at each commit, not only at checkpoints.
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute(
            "CREATE TABLE IF NOT EXISTS commits"
            " (number INTEGER PRIMARY KEY, clicks INTEGER NOT NULL, rows BLOB NOT NULL)"
        )
        self._connection.execute(f"PRAGMA user_version = {_FORMAT}")
        self._page_bytes: int = self._pragma("page_size")
        last = self._connection.execute("SELECT max(number) FROM commits").fetchone()[0]
        self._last: int = last or 0
        _sync_folder(path.parent)

    def append(self, rows: bytes, clicks: int, *, forget_to: int = 0) -> None:
        """Store a group commit durably; returns after the fsync. No rows: only forget."""
        insert = (self._last + 1, clicks, rows)
        if not forget_to:
            self._connection.execute("INSERT INTO commits VALUES (?, ?, ?)", insert)
        else:
            self._connection.execute("BEGIN IMMEDIATE")
            if clicks:
                self._connection.execute("INSERT INTO commits VALUES (?, ?, ?)", insert)
            self._connection.execute("DELETE FROM commits WHERE number <= ?", (forget_to,))
            self._connection.execute("COMMIT")
        if clicks:
            self._last += 1

    def used_bytes(self) -> int:
        """Pages in use; a file doesn't shrink, its free pages are used again."""
        return (self._pragma("page_count") - self._pragma("freelist_count")) * self._page_bytes

    def oldest_ms(self) -> int | None:
        """When the first click was made that is here still; by its id, a UUIDv7."""
        found = self._connection.execute(
            "SELECT substr(rows, 2, 6) FROM commits ORDER BY number LIMIT 1"
        ).fetchone()
        return int.from_bytes(found[0]) if found else None

    def close(self) -> None:
        self._connection.close()

    def _pragma(self, name: str) -> int:
        return int(self._connection.execute(f"PRAGMA {name}").fetchone()[0])


class JournalReader:
    """A second connection on a journal, for the drain."""

    def __init__(self, path: Path) -> None:
        self._connection = _open(path)
        version = self._connection.execute("PRAGMA user_version").fetchone()[0]
        if version not in (0, *_READABLE):
            raise sqlite3.DatabaseError("a journal of another release")
        # The version is set after the table is made: without it nothing was ever written.
        self._written = version != 0

    def after(self, number: int, *, max_clicks: int) -> list[Commit]:
        """The next commits in order, one at least if there is any."""
        found: list[Commit] = []
        clicks = 0
        if not self._written:
            return found
        rows = self._connection.execute(
            "SELECT number, clicks, rows FROM commits WHERE number > ? ORDER BY number LIMIT 500",
            (number,),
        )
        for row in rows:
            clicks += row[1]
            if found and clicks > max_clicks:
                break
            found.append(Commit(*row))
        # An open statement would keep the write-ahead log from starting over.
        rows.close()
        return found

    def close(self) -> None:
        self._connection.close()


def next_path(folder: Path, last: Path | None = None) -> Path:
    """The name after the newest journal's, and after `last` even if that is gone by now.

    A name is never used twice in a process' life: what is said of one journal, such as how far
    it may be forgotten, must not be taken as said of another.
    """
    known = [*folder.glob(PATTERN), *([last] if last else [])]
    numbers = [int(path.stem.removeprefix("journal-")) for path in known]
    return folder / f"journal-{max(numbers, default=0) + 1:06}.sqlite"


def remove(path: Path) -> None:
    """Unlink a drained journal with its write-ahead log; the database last, so none is left."""
    for suffix in ("-wal", "-shm", ""):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _open(path: Path) -> sqlite3.Connection:
    # Opened and used by different threads, never by two at once.
    return sqlite3.connect(path, timeout=5, isolation_level=None, check_same_thread=False)


def _sync_folder(folder: Path) -> None:
    """A new file's name is durable only once its folder is."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
