"""A journal's writer, its drain, failures and deaths in whatever order: no safe click is lost.

Postgres is a set here; all else is the real thing. A model is told how far the real ones came.
"""

import asyncio
import os
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, cast
from uuid import UUID

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from app.redirect import drain, journal_file, journal_writer
from app.redirect.clicks import ClickStore
from app.redirect.journal_file import JournalReader, journals
from app.redirect.journal_rows import JournalRow, Row, click_of, pack
from app.redirect.journal_writer import JournalWriter
from app.redirect.metrics import JOURNAL_BYTES

BUDGET: Final = 8_000
"""A file holds an eighth, which is some five clicks."""
LONG_AGO_MS: Final = int(time.time() * 1000) - 10**9
TROUBLES: Final = ("torn", "unsynced", "killed torn", "killed unsynced")


class KilledError(BaseException):
    """The process is gone at this very place."""


class Kept:
    """The click ids that Postgres has; away, it takes a few more batches."""

    def __init__(self) -> None:
        self.ids: set[bytes] = set()
        self.batches_left = 10**9

    async def store(self, rows: Sequence[Row]) -> None:
        if not self.batches_left:
            raise ConnectionError
        self.batches_left -= 1
        self.ids.update(map(click_of, rows))


class Life(RuleBasedStateMachine):
    """Processes that own a folder one after the other, and what they told visitors."""

    def __init__(self) -> None:
        super().__init__()
        self.holder = TemporaryDirectory()
        self.folder = Path(self.holder.name)
        self.loop = asyncio.new_event_loop()
        self.patches = pytest.MonkeyPatch()
        self.patches.setattr(journal_file, "_AHEAD", 1 << 8)
        self.patches.setattr(journal_writer, "_BUDGET_CHECK_S", -1.0)
        self.patches.setattr(drain, "BATCH_CLICKS", 4)
        self.patches.setattr(journal_file, "_write", self.write_content)
        self.patches.setattr(os, "fdatasync", self.sync)
        self.kept = Kept()
        self.safe: dict[bytes, int] = {}
        """Click id → bytes of its row, of those who were told that theirs is on disk."""
        self.made = 0
        self.trouble = "none"
        self.drains_within = False
        self.start()

    def start(self) -> None:
        self.earlier = set(journals(self.folder))
        self.writer = JournalWriter(self.folder, BUDGET)
        self.forgets: list[tuple[Path | None, int]] = [(None, 0)]
        self.reader: tuple[Path, JournalReader] | None = None

    # What the disk does

    def write_content(self, descriptor: int, content: bytes, at: int) -> None:
        whole = len(content)
        if self.trouble.endswith("torn") and any(content):
            whole = os.pwrite(descriptor, content[: whole // 2], at)
            self.meanwhile()
        os.pwrite(descriptor, content[whole:], at + whole)
        if whole == len(content):
            os.pwrite(descriptor, content, at)

    def sync(self, _descriptor: int) -> None:
        if self.trouble.endswith("unsynced"):
            self.meanwhile()

    def meanwhile(self) -> None:
        """In the middle of a commit: the drain reads, then the disk fails or the process dies."""
        trouble, self.trouble = self.trouble, "none"
        if self.drains_within:
            self.drain_some(4)
        if trouble.startswith("killed"):
            raise KilledError
        raise OSError(trouble)

    # What the process does

    def stored_to(self, path: Path | None) -> int:
        last, end = self.forgets[-1]
        return end if path == last else 0

    @rule(sizes=st.lists(st.integers(0, 300), max_size=4), lag=st.integers(0, 2))
    def commit(self, sizes: list[int], lag: int) -> None:
        """sizes: of the agents. lag: the thread may read what is forgotten a little earlier."""
        forget = self.forgets[max(-1 - lag, -len(self.forgets))]
        rows = {
            click.bytes: pack(JournalRow(1, click.bytes, b"l" * 16, b"a" * size, b""))
            for click, size in zip(self.new_clicks(len(sizes)), sizes, strict=True)
        }
        over = sum(self.waiting().values()) >= BUDGET
        try:
            written = self.writer.write(list(rows.values()), forget)
        except KilledError:
            self.die()
            return
        finally:
            self.trouble = "none"
        if written:
            assert not (rows and over), "past its budget it keeps no more"
            self.safe.update({click: len(row) for click, row in rows.items()})
        self.writer._failed_at -= 2

    @rule(
        sizes=st.lists(st.integers(0, 300), min_size=1, max_size=4),
        trouble=st.sampled_from(TROUBLES),
        drains_within=st.booleans(),
    )
    def commit_in_trouble(self, sizes: list[int], trouble: str, *, drains_within: bool) -> None:
        self.trouble, self.drains_within = trouble, drains_within
        self.commit(sizes, 0)

    def new_clicks(self, count: int) -> list[UUID]:
        self.made += count
        times = range(self.made - count, self.made)
        return [UUID(int=LONG_AGO_MS + n * 1_000 << 80 | 7 << 76 | 2 << 62 | n) for n in times]

    @rule(most=st.integers(1, 6))
    def drain_some(self, most: int) -> None:
        """As `_Drain._follow`: of the journal that is written now."""
        path = self.writer.path
        if path is None or not path.exists():
            return
        if self.reader is None or self.reader[0] != path:
            self.reconnect()
            self.reader = path, JournalReader(path)
        commits = self.reader[1].after(self.stored_to(path), max_clicks=most)
        if commits:
            store = cast("ClickStore", self.kept)
            self.loop.run_until_complete(drain._store(commits, store))
            self.forgets.append((path, commits[-1].end))

    @rule()
    def reconnect(self) -> None:
        if self.reader is not None:
            self.reader[1].close()
        self.reader = None

    @rule(which=st.integers(0, 9), batches=st.sampled_from([0, 1, 2, 99]))
    def empty_left(self, which: int, batches: int) -> None:
        left = [path for path in journals(self.folder) if path != self.writer.path]
        if left:
            self.kept.batches_left = batches
            self.empty(left[which % len(left)])
            self.kept.batches_left = 10**9

    def empty(self, path: Path) -> None:
        store = cast("ClickStore", self.kept)
        try:
            self.loop.run_until_complete(drain._empty(path, store, self.stored_to(path)))
        except ConnectionError:
            return
        assert not path.with_suffix(".damaged").exists()

    @rule()
    def grow_old(self) -> None:
        self.writer._opened_at -= 601

    @rule(power_too=st.booleans())
    def die(self, *, power_too: bool = False) -> None:
        """As `kill -9` does, or a power cut, after which all that was not synced is gone."""
        self.reconnect()
        file = self.writer._file
        if power_too and file is not None:
            os.truncate(file.path, file.end)
        self.writer.close()
        self.start()

    # What must hold

    def waiting(self) -> dict[bytes, int]:
        return {click: size for click, size in self.safe.items() if click not in self.kept.ids}

    @rule()
    def tell(self) -> None:
        """What the look of each second tells is no less than what waits."""
        self.writer.write([], self.forgets[-1])
        waiting = self.waiting()
        assert JOURNAL_BYTES._value.get() >= sum(waiting.values())
        left = [path for path in journals(self.folder) if path != self.writer.path]
        if not set(left) & self.earlier:
            made = [int.from_bytes(click[:6]) for click in waiting]
            oldest_s = max((time.time() - at / 1000 for at in made), default=0)
            assert self.writer.oldest_s() >= oldest_s - 1
        if not waiting and not left:
            assert JOURNAL_BYTES._value.get() == 0

    @invariant()
    def what_waits_counts(self) -> None:
        file = self.writer._file
        left = sum(path.stat().st_size for path in self.writer._left())
        used = left + (file.waiting_bytes() if file else 0)
        assert used >= sum(self.waiting().values())

    def teardown(self) -> None:
        try:
            self.die()
            for path in sorted(self.earlier):
                self.empty(path)
            assert self.waiting() == {}
        finally:
            self.writer.close()
            self.reconnect()
            self.loop.close()
            self.patches.undo()
            self.holder.cleanup()


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=150, stateful_step_count=50, deadline=None)
