"""The click journal of one process: requests that arrive together share one commit.

The event loop gathers rows; one thread writes them. A row's future says whether it is safe on
disk. Waiting is bounded, and a failing disk answers "no" instead of raising.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Final

import structlog

from app.redirect.journal_writer import JournalWriter
from app.redirect.metrics import FAILURES, JOURNAL_OLDEST_SECONDS

WAIT_S: Final = 1.0
_MAX_WAITING_ROWS: Final = 20_000
_RECOVER_S: Final = 1.0
Waiter = Callable[[bool], None]

log = structlog.get_logger()


class _Batch:
    """Rows of one coming commit and the requests that wait for it."""

    __slots__ = ("overdue", "rows", "timer", "waiters")

    def __init__(self) -> None:
        self.rows: list[bytes] = []
        self.waiters: list[Waiter] = []
        self.timer: asyncio.TimerHandle | None = None
        self.overdue = False


class Journal:
    """`await journal.record(row)` → True once the row is on disk, False if it may not be."""

    def __init__(self, folder: Path, *, max_bytes: int, wait_s: float = WAIT_S) -> None:
        self._loop = asyncio.get_running_loop()
        self._wait_s = wait_s
        self._open = _Batch()
        self._scheduled = False
        self._closed = False
        self._writing: _Batch | None = None
        self._forget: tuple[Path | None, int] = (None, 0)
        """Always whole, as the thread reads it too."""
        self._writer = JournalWriter(folder, max_bytes)
        self._queue: SimpleQueue[_Batch | None] = SimpleQueue()
        self._thread = Thread(target=self._write, name="journal", daemon=True)
        self._thread.start()

    @property
    def path(self) -> Path | None:
        """The file that is written now; others in the folder are left to the drain."""
        return self._writer.path

    @property
    def usable(self) -> bool:
        """Whether the latest commit came through in time, and none waits too long for its turn."""
        overdue = self._open.overdue or (self._writing is not None and self._writing.overdue)
        return self._writer.usable and not overdue

    def record(self, row: bytes) -> asyncio.Future[bool]:
        """Put a row into the next commit. Never raises; False at once when too many wait."""
        safe: asyncio.Future[bool] = self._loop.create_future()

        def tell(written: bool) -> None:  # noqa: FBT001 (a waiter is told one thing)
            # A visitor who hung up has canceled the request that waits.
            if not safe.done():
                safe.set_result(written)

        self.tell(row, tell)
        return safe

    def tell(self, row: bytes, waiter: Waiter) -> None:
        """As `record`; the waiter is called, maybe at once, and should not raise."""
        batch = self._open
        if self._closed or len(batch.rows) >= _MAX_WAITING_ROWS:
            waiter(False)
            return
        batch.rows.append(row)
        if batch.overdue:
            # The disk hangs: the row is still written if it comes back, but nobody waits for it.
            waiter(False)
            return
        batch.waiters.append(waiter)
        if batch.timer is None:
            batch.timer = self._loop.call_later(self._wait_s, self._give_up, batch)
        self._schedule()

    def forget(self, path: Path, end: int) -> None:
        """Commits up to this one's end need not be kept: Postgres has them."""
        self._forget = (path, end)
        if self._is_behind():
            self._schedule()

    def stored_to(self, path: Path) -> int:
        """The end of the last commit that Postgres has of the journal forgotten last; else 0."""
        last, end = self._forget
        return end if path == last else 0

    async def recover(self) -> None:
        """Try the disk each second while it fails: nobody sends visitors to one who isn't ready.

        And tell what waits here, and how long: with no visitors, nothing else would.
        """
        while True:
            await asyncio.sleep(_RECOVER_S)
            JOURNAL_OLDEST_SECONDS.set(self._writer.oldest_s())
            self._schedule()

    async def close(self) -> None:
        """Write what waits, then end the thread; a hanging disk is left behind after 2 s."""
        self._closed = True
        self._queue.put(self._open)
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join, 2)

    def _schedule(self) -> None:
        # Not at once: all requests that this turn of the event loop and the next bring share the
        # commit. Its answers leave together, and so do the requests that follow them.
        if self._writing is None and not self._scheduled and not self._closed:
            self._scheduled = True
            self._loop.call_soon(self._loop.call_soon, self._submit)

    def _submit(self) -> None:
        self._scheduled = False
        if self._closed:
            return
        batch, self._open = self._open, _Batch()
        self._writing = batch
        self._queue.put(batch)

    def _is_behind(self) -> bool:
        """Whether the current file still keeps what it need not."""
        path, end = self._forget
        return path == self._writer.path and end > self._writer.forgotten_to

    def _write(self) -> None:
        """The thread: one batch after the other, until None."""
        while (batch := self._queue.get()) is not None:
            try:
                written = self._writer.write(batch.rows, self._forget)
            except Exception:  # noqa: BLE001 (the thread must outlive a log that can't be written)
                written = False
            # The loop is closed if the disk hung for longer than `close` waits.
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._settle, batch, written)
        self._writer.close()

    def _settle(self, batch: _Batch, written: bool) -> None:  # noqa: FBT001 (a thread's answer)
        self._writing = None
        if batch.timer is not None:
            batch.timer.cancel()
        if self._open.rows or (written and self._is_behind()):
            self._schedule()
        _tell(batch.waiters, written)

    def _give_up(self, batch: _Batch) -> None:
        batch.overdue = True
        waiters, batch.waiters = batch.waiters, []
        _tell(waiters, False)
        log.error("journal.overdue", clicks=len(waiters), waited_s=self._wait_s)


def _tell(waiters: list[Waiter], written: bool) -> None:  # noqa: FBT001 (a waiter is told one thing)
    """Tell all of them, also those behind one that raises: it costs no other its answer."""
    untold = iter(waiters)
    while True:
        try:
            for waiter in untold:
                waiter(written)
        except Exception as error:
            # Its own visitor alone may be left without an answer.
            FAILURES.labels("answer").inc()
            # A full disk can refuse the log line.
            with suppress(OSError):
                log.exception("journal.answer_failed", error=repr(error))
        else:
            return
