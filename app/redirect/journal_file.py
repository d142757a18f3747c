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
_FORMAT: Final = 1
_HEAD: Final = Struct(">B16s16sHH")
_SUBS: Final = Struct(">H")
_WITH_SUBS: Final = 0x80
"""Set in the class number where sub-ids end the row; most clicks have none and pay no byte."""


class JournalRow(NamedTuple):
    """One click as its request told it; its time is in the click id, a UUIDv7."""

    traffic_class: int
    click: bytes
    link: bytes
    agent: bytes
    referrer: bytes
    subs: bytes = b""
    """The visitor's own sub-ids as a query in ASCII: `sub1=footer&sub2=42`."""


class Commit(NamedTuple):
    """One group commit. number: rises by one within a file; rows: `pack`ed, end to end."""

    number: int
    clicks: int
    rows: bytes


def pack(
    class_number: int, click: bytes, link: bytes, agent: bytes, referrer: bytes, subs: bytes = b""
) -> bytes:
    """A row's bytes; agent and referrer are cut to what a dictionary should keep."""
    agent, referrer = agent[:AGENT_BYTES], referrer[:REFERRER_BYTES]
    if not subs:
        return _HEAD.pack(class_number, click, link, len(agent), len(referrer)) + agent + referrer
    head = _HEAD.pack(class_number | _WITH_SUBS, click, link, len(agent), len(referrer))
    return b"".join((head, agent, referrer, _SUBS.pack(len(subs)), subs))


def unpack(rows: bytes) -> list[JournalRow]:
    """The rows of a commit; ValueError if the bytes are not what `pack` made."""
    found, at = [], 0
    try:
        while at < len(rows):
            number, click, link, agent_bytes, referrer_bytes = _HEAD.unpack_from(rows, at)
            agent_at = at + _HEAD.size
            referrer_at = agent_at + agent_bytes
            end = at = referrer_at + referrer_bytes
            subs = b""
            if number & _WITH_SUBS:
                subs_at = end + _SUBS.size
                at = subs_at + _SUBS.unpack_from(rows, end)[0]
                subs = rows[subs_at:at]
                if not subs:
                    raise ValueError("a journal row announces sub-ids and has none")
            agent, referrer = rows[agent_at:referrer_at], rows[referrer_at:end]
            found.append(JournalRow(number & ~_WITH_SUBS, click, link, agent, referrer, subs))
    except StructError as error:
        raise ValueError("a journal row is cut off") from error
    if at != len(rows):
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

    def close(self) -> None:
        self._connection.close()

    def _pragma(self, name: str) -> int:
        return int(self._connection.execute(f"PRAGMA {name}").fetchone()[0])


class JournalReader:
    """A second connection on a journal, for the drain."""

    def __init__(self, path: Path) -> None:
        self._connection = _open(path)
        version = self._connection.execute("PRAGMA user_version").fetchone()[0]
        if version not in (0, _FORMAT):
            raise sqlite3.DatabaseError("a journal of another release")
        # The version is set after the table is made: without it nothing was ever written.
        self._written = version == _FORMAT

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
