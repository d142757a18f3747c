"""Journals that releases up to 0.1 kept in SQLite: read and removed, never written."""

import sqlite3
from pathlib import Path
from typing import Final

from app.redirect.journal_file import Commit, JournalError

_READABLE: Final = (1, 2)
_AFTER: Final = (
    "SELECT number, clicks, rows FROM commits WHERE number > ? ORDER BY number LIMIT 500"
)


class SqliteReader:
    """As `JournalReader`; a commit's end is its number."""

    damaged: Final = 0

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, timeout=5, check_same_thread=False)
        try:
            version = self._connection.execute("PRAGMA user_version").fetchone()[0]
        except sqlite3.Error as error:
            self.close()
            raise JournalError(str(error)) from error
        if version not in (0, *_READABLE):
            self.close()
            raise JournalError("a journal of another release")
        # The version is set after the table is made: without it nothing was ever written.
        self._written = version != 0

    def after(self, end: int, *, max_clicks: int) -> list[Commit]:
        """The next commits in order, one at least if there is any."""
        found: list[Commit] = []
        clicks = 0
        if not self._written:
            return found
        try:
            for row in self._connection.execute(_AFTER, (end,)):
                clicks += row[1]
                if found and clicks > max_clicks:
                    break
                found.append(Commit(*row))
        except sqlite3.Error as error:
            raise JournalError(str(error)) from error
        return found

    def forgotten_to(self) -> int:
        """Its rows were deleted when Postgres had them."""
        return 0

    def close(self) -> None:
        self._connection.close()
