"""All links in a local SQLite file, so that a start without Postgres serves every one.

It is only ever a copy: a file that is not one of ours is dropped and filled anew.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Lock
from typing import Final, NamedTuple
from urllib.parse import quote

import structlog

from app.redirect import standing
from app.redirect.link_row import LinkRow, ProgramRow
from app.redirect.metrics import FAILURES as FAILED
from app.redirect.replica_file import VERSION, address_of, connect, drop, is_new, open_file

# Made when the first copy has ended: codes come in no order, and writing each to its place of the
# index took most of the copy's time and ten times its disk writes.
_INDEX: Final = "CREATE INDEX IF NOT EXISTS links_by_code ON links (host, code)"
_COLUMNS: Final = ", ".join(LinkRow._fields)
_FIND: Final = f"SELECT {_COLUMNS} FROM links WHERE host = ? AND code = ?"
_INSERT: Final = (
    f"INSERT OR REPLACE INTO links ({_COLUMNS}, copy)"
    f" VALUES ({', '.join('?' * (len(LinkRow._fields) + 1))})"
)
_PROGRAM_COLUMNS: Final = ", ".join(ProgramRow._fields)
_PROGRAMS: Final = f"SELECT {_PROGRAM_COLUMNS} FROM programs"
_INSERT_PROGRAM: Final = (
    f"INSERT OR REPLACE INTO programs ({_PROGRAM_COLUMNS}, copy)"
    f" VALUES ({', '.join('?' * (len(ProgramRow._fields) + 1))})"
)
_KEPT: Final = LinkRow._fields[3:]
"""What changes of a link while its id, host and code stay; the indices are left alone."""
_UPDATE: Final = (
    f"UPDATE links SET {', '.join(f'{name} = ?' for name in _KEPT)}"
    " WHERE id = ? AND host = ? AND code = ?"
)
# From host to host, whatever number of links each has: DISTINCT would read the whole index.
_HOSTS: Final = """
    WITH RECURSIVE own (host) AS (
        SELECT min(host) FROM links WHERE host > ''
        UNION ALL
        SELECT (SELECT min(host) FROM links WHERE host > own.host) FROM own WHERE host IS NOT NULL
    )
    SELECT host FROM own WHERE host IS NOT NULL
"""
_FALLBACKS: Final = "SELECT host, url FROM fallbacks"

Key = tuple[str, str]
"""(host, code); the host is empty for a link that is served on every host."""
Fallbacks = Mapping[str, str | None]
"""Host → where its unknown codes lead, none: nowhere. The empty host: all that are nobody's."""

log = structlog.get_logger()


class Position(NamedTuple):
    """How far the replica follows. source: which database; number: of its link_changes."""

    source: str
    number: int
    copy: int
    """Which full copy the rows belong to; the next one removes what it doesn't find."""
    gaps: tuple[int, ...] = ()
    """Lower numbers that were not there yet: their transactions may commit late."""


class Replica:
    """Read by the event loop on one connection, written by the feed's thread on another."""

    def __init__(self, path: Path) -> None:
        self._lock = Lock()
        self._path: Path | None = path
        """None while it is in memory."""
        address = address_of(path)
        try:
            self._writer = _opened(address)
        except sqlite3.OperationalError:
            # The disk fails, not what is on it: that stays for the next start.
            FAILED.labels("replica").inc()
            log.exception("replica.unusable")
            self._path = None
            address = f"file:{quote(str(path))}?mode=memory&cache=shared"
            self._writer = open_file(address)
        except sqlite3.DatabaseError as error:
            log.warning("replica.dropped", error=str(error))
            drop(path)
            self._writer = open_file(address)
        self._reader = connect(address)
        self._reader.execute("PRAGMA query_only = 1")
        # In memory both share their pages, and readers would be refused while something is written.
        self._reader.execute("PRAGMA read_uncommitted = 1")
        self._note(self.position())

    def find(self, host: str, code: str) -> LinkRow | None:
        """Only once there is a position: before, it would read the whole table."""
        row = self._reader.execute(_FIND, (host, code)).fetchone()
        return LinkRow(*row) if row else None

    def hosts(self) -> frozenset[str]:
        """The hosts that have links of their own; none before there is a position."""
        if self.position() is None:
            return frozenset()
        return frozenset(row[0] for row in self._reader.execute(_HOSTS))

    def programs(self) -> list[ProgramRow]:
        """Of every link here there is its program."""
        return [ProgramRow(*row) for row in self._reader.execute(_PROGRAMS)]

    def fallbacks(self) -> dict[str, str | None]:
        return dict(self._reader.execute(_FALLBACKS))

    def position(self) -> Position | None:
        """None until a full copy has ended once."""
        return _position(self._reader)

    def apply(
        self,
        links: Sequence[LinkRow],
        gone: Iterable[bytes],
        at: Position,
        fallbacks: Fallbacks | None = None,
        programs: Iterable[ProgramRow] = (),
    ) -> set[Key]:
        """Write what changed and how far we are; the keys under which any link changed.

        fallbacks: all of them, if they are to be replaced. programs: those that changed, and those
        of links that may be the first of theirs.
        """
        with self._transaction() as writer:
            writer.executemany(_INSERT_PROGRAM, [(*program, at.copy) for program in programs])
            touched = self._change(links, at.copy)
            for link_id in gone:
                touched.update(self._keys("id = ?", link_id))
                self._writer.execute("DELETE FROM links WHERE id = ?", (link_id,))
            if fallbacks is not None:
                self._replace(fallbacks)
            self._move(at)
        self._note(at)
        return touched

    def copy_page(
        self, links: Sequence[LinkRow], copy: int, programs: Iterable[ProgramRow] = ()
    ) -> None:
        """One page of a full copy; the old rows stay and serve until it ends."""
        with self._transaction() as writer:
            writer.executemany(_INSERT_PROGRAM, [(*program, copy) for program in programs])
            writer.executemany(_INSERT, [(*link, copy) for link in links])

    def end_copy(self, at: Position, fallbacks: Fallbacks) -> None:
        """Remove what the copy did not find, and follow from here on."""
        with self._transaction() as writer:
            writer.execute("DELETE FROM links WHERE copy <> ?", (at.copy,))
            writer.execute("DELETE FROM programs WHERE copy <> ?", (at.copy,))
            writer.execute(_INDEX)
            self._replace(fallbacks)
            self._move(at)
        self._note(at)

    def settle(self) -> None:
        """Empty the log, which keeps what rows said before they changed."""
        with self._lock:
            if self._path is not None and _size(self._path.with_name(f"{self._path.name}-wal")):
                self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()

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

    def _change(self, links: Sequence[LinkRow], copy: int) -> set[Key]:
        # Most keep their codes, and then no row has to be looked at.
        kept = self._writer.executemany(_UPDATE, [(*link[3:], *link[:3]) for link in links])
        touched: set[Key] = {(link.host, link.code) for link in links}
        if kept.rowcount == len(links):
            return touched
        moved = []
        for link in links:
            key = (link.host, link.code)
            known = self._keys("id = ?", link.id)
            touched.update(known)
            if known != [key]:
                moved.append((*link, copy))
                # Codes can change hands, so another link's row may stand under this key.
                self._writer.execute("DELETE FROM links WHERE id = ?", (link.id,))
                self._writer.execute("DELETE FROM links WHERE host = ? AND code = ?", key)
        self._writer.executemany(_INSERT, moved)
        return touched

    def _keys(self, where: str, *values: object) -> list[Key]:
        return self._writer.execute(
            f"SELECT host, code FROM links WHERE {where}", values
        ).fetchall()

    def _replace(self, fallbacks: Fallbacks) -> None:
        self._writer.execute("DELETE FROM fallbacks")
        self._writer.executemany("INSERT INTO fallbacks VALUES (?, ?)", fallbacks.items())

    def _note(self, at: Position | None) -> None:
        if at is not None and self._path is not None:
            standing.note(self._path, VERSION, at.source, at.number)

    def _move(self, at: Position) -> None:
        self._writer.execute("DELETE FROM position")
        self._writer.execute(
            "INSERT INTO position VALUES (?, ?, ?, ?)", (*at[:3], json.dumps(at.gaps))
        )


def position_of(path: Path) -> Position | None:
    """Of a replica that no process has open; None unless it is a whole one of this release's.

    sqlite3.OperationalError if the disk fails.
    """
    if not path.exists():
        return None
    try:
        with closing(connect(address_of(path))) as connection:
            return None if is_new(connection) else _checked(connection)
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError:
        return None


def _opened(address: str) -> sqlite3.Connection:
    connection = open_file(address)
    try:
        _checked(connection)
    except sqlite3.DatabaseError:
        connection.close()
        raise
    return connection


def _checked(connection: sqlite3.Connection) -> Position | None:
    """The position. sqlite3.DatabaseError where what a start reads is damaged."""
    position = _position(connection)
    for query in (_FALLBACKS, _PROGRAMS, *([_HOSTS] if position else [])):
        connection.execute(query).fetchall()
    return position


def _position(connection: sqlite3.Connection) -> Position | None:
    row = connection.execute("SELECT source, number, copy, gaps FROM position").fetchone()
    if row is None:
        return None
    source, number, copy, gaps = row
    return Position(source, number, copy, tuple(json.loads(gaps)))


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
