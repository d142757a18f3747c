"""The journal thread's side: the open file, its budget, and a new file after a failure."""

import sqlite3
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

import structlog

from app.redirect.journal_file import PATTERN, JournalFile, next_path
from app.redirect.metrics import COMMIT_SECONDS, JOURNAL_BYTES

_FORGET_COMMITS: Final = 200
_BUDGET_CHECK_S: Final = 0.25
_REOPEN_AFTER_S: Final = 1.0

log = structlog.get_logger()


class JournalWriter:
    """Writes and forgets; a failure is an answer, not an exception."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self.path: Path | None = next_path(folder)
        """Set before the file is made, so that the drain never takes it for a left one."""
        self._last_path = self.path
        self.forgotten_to = 0
        self._file: JournalFile | None = None
        self._left_bytes = self._measure_left()
        self._checked_at = 0.0
        self._failed_at = 0.0
        self._full = False
        try:
            self._file = JournalFile(self.path)
        except (sqlite3.Error, OSError) as error:
            # A process that starts on a broken disk sends visitors on, too.
            self._abandon(error, 0)

    @property
    def usable(self) -> bool:
        return self._file is not None and not self._full

    def write(self, rows: list[bytes], forget_to: int) -> bool:
        """Whether the rows are on disk."""
        started = time.monotonic()
        try:
            if self._file is None:
                self._file = self._reopen(started)
            if self._file is None:
                return False
            if self._is_full(started):
                rows = []
            # Few at a time: the requests of this commit wait for the deletes too.
            forget_to = min(forget_to, self.forgotten_to + _FORGET_COMMITS)
            if rows or forget_to > self.forgotten_to:
                self._file.append(b"".join(rows), len(rows), forget_to=forget_to)
                self.forgotten_to = max(self.forgotten_to, forget_to)
        except (sqlite3.Error, OSError) as error:
            self._abandon(error, len(rows))
            return False
        COMMIT_SECONDS.observe(time.monotonic() - started)
        return not self._full

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def _is_full(self, now: float) -> bool:
        if now - self._checked_at > _BUDGET_CHECK_S and self._file is not None:
            self._checked_at = now
            if self._left_bytes:
                self._left_bytes = self._measure_left()
            used = self._file.used_bytes() + self._left_bytes
            JOURNAL_BYTES.set(used)
            if (full := used >= self._max_bytes) and not self._full:
                log.error("journal.full", used_bytes=used, max_bytes=self._max_bytes)
            self._full = full
        return self._full

    def _abandon(self, error: Exception, clicks: int) -> None:
        """After a failed fsync nobody knows what the file holds: the drain finds out."""
        file, self._file, self.path = self._file, None, None
        self._failed_at = time.monotonic()
        if file is not None:
            with suppress(sqlite3.Error):
                file.close()
        # A full disk can refuse the log line as well.
        with suppress(OSError):
            log.error("journal.failed", error=str(error), clicks=clicks)

    def _reopen(self, now: float) -> JournalFile | None:
        if now - self._failed_at < _REOPEN_AFTER_S:
            return None
        self.path = self._last_path = next_path(self._folder, self._last_path)
        self._left_bytes = self._measure_left()
        self.forgotten_to, self._checked_at = 0, 0.0
        file = JournalFile(self.path)
        log.info("journal.opened", path=str(file.path))
        return file

    def _measure_left(self) -> int:
        """Bytes of the journals beside ours, which count in the budget until they are drained."""
        left = (path for path in self._folder.glob(PATTERN) if path != self.path)
        return sum(_size_of(path) for path in left)


def _size_of(path: Path) -> int:
    """0 for a file that is gone: the drain may remove it between the listing and the look."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
