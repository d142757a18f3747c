"""The journal thread's side: the open file, its budget, and when the next file is begun."""

import time
from contextlib import suppress
from pathlib import Path
from typing import Final

import structlog

from app.redirect.journal_file import JournalFile, journals, next_path
from app.redirect.metrics import COMMIT_SECONDS, JOURNAL_BYTES, JOURNAL_MAX_BYTES

_BUDGET_CHECK_S: Final = 0.25
_REOPEN_AFTER_S: Final = 1.0
_FILE_BYTES: Final = 1 << 24
_FILES: Final = 8
"""How many files a small budget is divided into."""
_STALE_S: Final = 600.0
_FILLING: Final = 0.8
_FILLING_NO_MORE: Final = 0.6

log = structlog.get_logger()


class JournalWriter:
    """Writes and forgets; a failure is an answer, not an exception."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self.path: Path | None = next_path(folder)
        """Set before the file is made, so that the drain never takes it for a left one."""
        self._last_path = self.path
        self._file_bytes = min(_FILE_BYTES, max_bytes // _FILES)
        self._file: JournalFile | None = None
        self._left_since: dict[Path, int | None] = {}
        """When the first click was made that waited as the journal was left; None: none did."""
        self._checked_at = 0.0
        self._failed_at = 0.0
        self._opened_at = time.monotonic()
        self._full = self._filling = False
        self._oldest_ms: int | None = None
        JOURNAL_MAX_BYTES.set(max_bytes)
        try:
            self._file = JournalFile(self.path)
        except OSError as error:
            # A process that starts on a broken disk sends visitors on, too.
            self._abandon(error, 0)

    @property
    def usable(self) -> bool:
        return self._file is not None and not self._full

    @property
    def forgotten_to(self) -> int:
        """The end of the last commit of this file that need not be kept."""
        return self._file.forgotten_to if self._file is not None else 0

    @property
    def stale(self) -> bool:
        """Whether all clicks of an old file are in Postgres: then it need not stay on disk."""
        file, age_s = self._file, time.monotonic() - self._opened_at
        return file is not None and age_s > _STALE_S and file.used and not file.waiting_bytes()

    def oldest_s(self) -> float:
        """Age of the oldest click that waits here, as of the latest look; 0.0: none waits."""
        oldest_ms = self._oldest_ms
        return max(0.0, time.time() - oldest_ms / 1000) if oldest_ms is not None else 0.0

    def write(self, rows: list[bytes], forget: tuple[Path | None, int]) -> bool:
        """Whether the rows are on disk.

        forget: a journal, and the end of its last commit that Postgres has. It may be one before
        ours, and our file is another once it is full: an end means nothing in any other file.
        """
        started, silent = time.monotonic(), not rows
        try:
            if self._file is None:
                self._file = self._reopen(started)
            if self._file is None:
                self._is_full(started)
                return False
            if self._file.end >= self._file_bytes or self.stale:
                self._file = self._turn(self._file)
            if self._is_full(started):
                rows = []
            forget_to = forget[1] if forget[0] == self._file.path else 0
            if rows or forget_to > self._file.forgotten_to:
                self._file.append(b"".join(rows), len(rows), forget_to=forget_to)
                COMMIT_SECONDS.observe(time.monotonic() - started)
            if silent:
                # Maybe the last for a while: when no visitors come, nothing else looks.
                self._look()
        except OSError as error:
            self._abandon(error, len(rows))
            return False
        return not self._full

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def _is_full(self, now: float) -> bool:
        if now - self._checked_at > _BUDGET_CHECK_S:
            self._checked_at = now
            self._look()
        return self._full

    def _look(self) -> None:
        """What waits here, in our file and in the journals beside it, and since when."""
        left, file = self._left(), self._file
        self._left_since = {path: self._left_since.get(path, _changed_ms(path)) for path in left}
        times = [*self._left_since.values(), file.oldest_ms() if file is not None else None]
        self._oldest_ms = min((at for at in times if at is not None), default=None)
        used = file.waiting_bytes() if file is not None else 0
        self._judge(used + sum(_size_of(path) for path in left))

    def _judge(self, used: int) -> None:
        """Tell of a budget that is nearly used up, and that is used up, once each."""
        JOURNAL_BYTES.set(used)
        full = used >= self._max_bytes
        if full and not self._full:
            self._tell("journal.full", used)
        self._full = full
        level = _FILLING_NO_MORE if self._filling else _FILLING
        filling = used >= level * self._max_bytes
        if filling and not self._filling:
            self._tell("journal.filling", used)
        self._filling = filling

    def _tell(self, event: str, used: int) -> None:
        # A full disk can refuse the log line, which must not cost the journal.
        with suppress(OSError):
            log.error(event, used_bytes=used, max_bytes=self._max_bytes)

    def _abandon(self, error: Exception, clicks: int) -> None:
        """After a failed fsync nobody knows what the file holds: the drain finds out."""
        file, self._file, self.path = self._file, None, None
        self._failed_at = time.monotonic()
        if file is not None:
            with suppress(OSError):
                self._leave(file)
        # A full disk can refuse the log line as well.
        with suppress(OSError):
            log.error("journal.failed", error=str(error), clicks=clicks)

    def _reopen(self, now: float) -> JournalFile | None:
        if now - self._failed_at < _REOPEN_AFTER_S:
            return None
        file = self._next()
        log.info("journal.opened", path=str(file.path))
        return file

    def _turn(self, old: JournalFile) -> JournalFile:
        """Leave the file to the drain, which removes it, and begin the next."""
        self._file = None
        self._leave(old)
        return self._next()

    def _leave(self, file: JournalFile) -> None:
        try:
            self._left_since[file.path] = file.oldest_ms()
        finally:
            file.close()

    def _next(self) -> JournalFile:
        self.path = self._last_path = next_path(self._folder, self._last_path)
        self._checked_at, self._opened_at = 0.0, time.monotonic()
        return JournalFile(self.path)

    def _left(self) -> list[Path]:
        """The journals beside ours, which count in the budget until they are drained."""
        return [path for path in journals(self._folder) if path != self.path]


def _size_of(path: Path) -> int:
    """0 for a file that is gone: the drain may remove it between the listing and the look."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _changed_ms(path: Path) -> int | None:
    try:
        return path.stat().st_mtime_ns // 1_000_000
    except FileNotFoundError:
        return None
