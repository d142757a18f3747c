"""The replica's SQLite file: its form, and how it is opened."""

import sqlite3
from pathlib import Path
from typing import Final
from urllib.parse import quote

VERSION: Final = 6
_SCHEMA: Final = f"""
    PRAGMA journal_mode = WAL;
    CREATE TABLE IF NOT EXISTS links (
        id BLOB NOT NULL UNIQUE, host TEXT NOT NULL, code TEXT NOT NULL, destination TEXT NOT NULL,
        fallback TEXT, subs TEXT NOT NULL, expires_at REAL, archived INTEGER NOT NULL,
        utm TEXT NOT NULL, partner BLOB NOT NULL, asset TEXT NOT NULL, program BLOB NOT NULL,
        copy INTEGER NOT NULL
    );
    CREATE TABLE IF NOT EXISTS programs (
        id BLOB PRIMARY KEY, workspace BLOB NOT NULL, click_parameter TEXT NOT NULL,
        utm TEXT NOT NULL, keeps_network INTEGER NOT NULL, archived INTEGER NOT NULL,
        copy INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS fallbacks (host TEXT PRIMARY KEY, url TEXT) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS position (
        source TEXT NOT NULL, number INTEGER NOT NULL, copy INTEGER NOT NULL, gaps TEXT NOT NULL
    );
    PRAGMA user_version = {VERSION};
"""


def address_of(path: Path) -> str:
    """Kept to this process, which its folder's lock says already. So SQLite has the index of its
    log in memory: as a file it would have to be made anew after a crash, for which a full disk has
    no room.
    """
    return f"file:{quote(str(path))}?vfs=unix-excl"


def connect(address: str) -> sqlite3.Connection:
    return sqlite3.connect(
        address, timeout=5, isolation_level=None, check_same_thread=False, uri=True
    )


def open_file(address: str) -> sqlite3.Connection:
    connection = connect(address)
    try:
        new = is_new(connection)
        connection.execute("PRAGMA synchronous = NORMAL")
        # What is removed or changed leaves nothing behind in the file: a partner may be erased.
        connection.execute("PRAGMA secure_delete = 1")
        if new:
            # Only then: it writes, and a start on a full disk can't.
            connection.executescript(_SCHEMA)
    except sqlite3.DatabaseError:
        connection.close()
        raise
    return connection


def is_new(connection: sqlite3.Connection) -> bool:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version not in (0, VERSION):
        raise sqlite3.DatabaseError("made by another release")
    return bool(version == 0)


def is_damaged(error: sqlite3.Error) -> bool:
    """Whether what is in the file is wrong, and not that the disk fails."""
    code: int = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK)
    return code & 0xFF in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def drop(path: Path) -> None:
    """Nobody has it open: a connection that is closed later would remove the next one's log."""
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
