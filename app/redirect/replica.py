"""All links in a local SQLite file, so that a start without Postgres serves every one.

It is only ever a copy: a file that can't be read is dropped and filled anew.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Final, NamedTuple

import structlog

from app.redirect.link_row import LinkRow

_VERSION: Final = 3
_SCHEMA: Final = f"""
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = NORMAL;
    CREATE TABLE IF NOT EXISTS links (
        id BLOB PRIMARY KEY, host TEXT NOT NULL, code TEXT NOT NULL, destination TEXT NOT NULL,
        click_parameter TEXT NOT NULL, fallback TEXT, subs TEXT NOT NULL, expires_at REAL,
        archived INTEGER NOT NULL, utm TEXT NOT NULL, partner BLOB NOT NULL, asset TEXT NOT NULL,
        workspace BLOB NOT NULL, keeps_network INTEGER NOT NULL,
        copy INTEGER NOT NULL, UNIQUE (host, code)
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS position (
        source TEXT NOT NULL, number INTEGER NOT NULL, copy INTEGER NOT NULL
    );
    PRAGMA user_version = {_VERSION};
"""
_COLUMNS: Final = ", ".join(LinkRow._fields)
_FIND: Final = f"SELECT {_COLUMNS} FROM links WHERE host = ? AND code = ?"

Key = tuple[str, str]
"""(host, code); the host is empty for a link that is served on every host."""

log = structlog.get_logger()


class Position(NamedTuple):
    """How far the replica follows. source: which database; number: of its link_changes."""

    source: str
    number: int
    copy: int
    """Which full copy the rows belong to; the next one removes what it doesn't find."""


class Replica:
    """Read by the event loop on one connection, written by the feed's thread on another."""

    def __init__(self, path: Path) -> None:
        self._lock = Lock()
        try:
            self._writer = _open(path)
        except sqlite3.DatabaseError as error:
            log.warning("replica.dropped", error=str(error))
            for suffix in ("", "-wal", "-shm"):
                path.with_name(path.name + suffix).unlink(missing_ok=True)
            self._writer = _open(path)
        self._reader = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._reader.execute("PRAGMA query_only = 1")

    def find(self, host: str, code: str) -> LinkRow | None:
        row = self._reader.execute(_FIND, (host, code)).fetchone()
        return LinkRow(*row) if row else None

    def hosts(self) -> frozenset[str]:
        """The hosts that have links of their own."""
        rows = self._reader.execute("SELECT DISTINCT host FROM links WHERE host > ''")
        return frozenset(row[0] for row in rows)

    def position(self) -> Position | None:
        """None until a full copy has ended once."""
        row = self._reader.execute("SELECT source, number, copy FROM position").fetchone()
        return Position(*row) if row else None

    def apply(self, links: Sequence[LinkRow], gone: Iterable[bytes], at: Position) -> set[Key]:
        """Write changed links and how far we are; the keys under which anything changed."""
        touched = {(link.host, link.code) for link in links}
        with self._transaction() as writer:
            for link_id in [*(link.id for link in links), *gone]:
                touched.update(
                    writer.execute("SELECT host, code FROM links WHERE id = ?", (link_id,))
                )
                writer.execute("DELETE FROM links WHERE id = ?", (link_id,))
            self._insert(links, at.copy)
            self._move(at)
        return touched

    def copy_page(self, links: Sequence[LinkRow], copy: int) -> None:
        """One page of a full copy; the old rows stay and serve until it ends."""
        with self._transaction():
            self._insert(links, copy)

    def end_copy(self, at: Position) -> None:
        """Remove what the copy did not find, and follow from here on."""
        with self._transaction() as writer:
            writer.execute("DELETE FROM links WHERE copy <> ?", (at.copy,))
            self._move(at)

    def close(self) -> None:
        """Waits for a write that a canceled task has left running in its thread."""
        with self._lock:
            self._reader.close()
            self._writer.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
                self._writer.execute("COMMIT")
            except BaseException:
                # Some failures, a full disk among them, have rolled back already.
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise

    def _insert(self, links: Sequence[LinkRow], copy: int) -> None:
        # REPLACE also clears another link's row under this (host, code): codes can move.
        marks = ", ".join("?" * (len(LinkRow._fields) + 1))
        self._writer.executemany(
            f"INSERT OR REPLACE INTO links ({_COLUMNS}, copy) VALUES ({marks})",
            [(*link, copy) for link in links],
        )

    def _move(self, at: Position) -> None:
        self._writer.execute("DELETE FROM position")
        self._writer.execute("INSERT INTO position VALUES (?, ?, ?)", at)


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=5, isolation_level=None, check_same_thread=False)
    try:
        _check_version(connection)
        connection.executescript(_SCHEMA)
    except sqlite3.DatabaseError:
        connection.close()
        raise
    return connection


def _check_version(connection: sqlite3.Connection) -> None:
    if connection.execute("PRAGMA user_version").fetchone()[0] not in (0, _VERSION):
        raise sqlite3.DatabaseError("made by another release")
