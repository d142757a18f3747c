import asyncio
import resource
import signal
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from app.redirect import journal_file
from app.redirect.journal import Journal
from app.redirect.journal_file import (
    JournalFile,
    JournalReader,
    JournalRow,
    next_path,
    pack,
    unpack,
)
from tests.redirect.making import clicks_in, make_link, running_road, token_of, until

ROW = pack(JournalRow(1, b"c" * 16, b"l" * 16, b"agent", b"referrer"))

rows = st.builds(
    JournalRow,
    st.integers(0, 63),
    st.binary(min_size=16, max_size=16),
    st.binary(min_size=16, max_size=16),
    st.binary(max_size=50),
    st.binary(max_size=50),
    st.binary(max_size=50),
    st.integers(0, 255),
    *(st.binary(max_size=size) for size in (8, 2, 6)),
)


@given(st.lists(rows, max_size=9))
def test_packed_rows_come_back(many: list[JournalRow]) -> None:
    assert unpack(b"".join(pack(row) for row in many)) == many


@given(st.binary(max_size=99))
def test_other_bytes_are_refused_or_whole_rows(raw: bytes) -> None:
    try:
        found = unpack(raw)
    except ValueError:
        return
    assert b"".join(pack(row) for row in found) == raw


def test_long_headers_are_cut() -> None:
    (row,) = unpack(pack(JournalRow(1, b"c" * 16, b"l" * 16, b"a" * 9_999, b"r" * 99_999)))
    assert (len(row.agent), len(row.referrer)) == (512, 1_024)


async def test_a_row_is_on_disk_when_its_future_says_so(tmp_path: Path) -> None:
    journal = Journal(tmp_path, max_bytes=10**9)
    assert journal.path is not None
    for _ in range(20):
        assert await journal.record(ROW)
    with reading(journal.path) as reader:
        assert sum(c.clicks for c in reader.after(0, max_clicks=10**6)) == 20
    await journal.close()


async def test_requests_that_arrive_together_share_a_commit(tmp_path: Path) -> None:
    journal = Journal(tmp_path, max_bytes=10**9)
    assert journal.path is not None
    assert all(await asyncio.gather(*(journal.record(ROW) for _ in range(500))))
    with reading(journal.path) as reader:
        assert [c.clicks for c in reader.after(0, max_clicks=10**6)] == [500]
    await journal.close()


async def test_a_canceled_request_takes_no_other_with_it(tmp_path: Path) -> None:
    journal = Journal(tmp_path, max_bytes=10**9)
    left, stays = journal.record(ROW), journal.record(ROW)
    left.cancel()
    assert await stays
    await journal.close()


async def test_closing_writes_what_waits(tmp_path: Path) -> None:
    journal = Journal(tmp_path, max_bytes=10**9)
    path = journal.path
    assert path is not None
    waiting = [journal.record(ROW) for _ in range(3)]
    await journal.close()
    assert await asyncio.gather(*waiting) == [True] * 3
    assert await journal.record(ROW) is False
    with reading(path) as reader:
        assert sum(c.clicks for c in reader.after(0, max_clicks=99)) == 3


async def test_forgotten_commits_leave_and_their_pages_are_used_again(tmp_path: Path) -> None:
    journal = Journal(tmp_path, max_bytes=10**9)
    path = journal.path
    assert path is not None
    sizes = []
    number = 0
    for _ in range(4):
        for _ in range(300):
            number += 1
            assert await journal.record(ROW * 20)
        journal.forget(path, number)
        await until(lambda: journal._forgettable() == 0 and journal._writing is None)
        with reading(path) as reader:
            assert reader.after(0, max_clicks=99) == []
        sizes.append(path.stat().st_size)
    assert sizes[-1] <= sizes[1]
    await journal.close()


async def test_a_full_budget_says_no_until_there_is_room(tmp_path: Path) -> None:
    journal = Journal(tmp_path, max_bytes=200_000)
    path = journal.path
    assert path is not None
    recorded = 0
    while await journal.record(ROW * 100):
        recorded += 1
        assert recorded < 1_000_000
    assert not journal.usable
    assert recorded > 10
    with reading(path) as reader:
        assert len(commits := reader.after(0, max_clicks=10**9)) >= 1
    journal.forget(path, 10**6)
    await until(lambda: journal._forgettable() == 0 or journal._writer.forgotten_to > 0)
    async with asyncio.timeout(5):
        while not await journal.record(ROW):
            journal.forget(path, 10**6)
            await asyncio.sleep(0.05)
    assert journal.usable
    assert commits[0].number == 1
    await journal.close()


async def test_a_left_journal_that_the_drain_removes_meanwhile_fails_nothing(
    tmp_path: Path,
) -> None:
    """Listed for the budget, gone when it is measured: as a link that leads nowhere is."""
    (tmp_path / "left").write_bytes(b"left")
    (tmp_path / "journal-000001.sqlite").symlink_to(tmp_path / "left")
    journal = Journal(tmp_path, max_bytes=10**9)
    (tmp_path / "left").unlink()
    assert await journal.record(ROW)
    assert journal.usable
    await journal.close()


async def test_a_hanging_disk_keeps_nobody_longer_than_the_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hangs, write = threading.Event(), JournalFile.append

    def slow(self: JournalFile, *given: object, **named: object) -> None:
        hangs.wait(10)
        write(self, *given, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(JournalFile, "append", slow)
    journal = Journal(tmp_path, max_bytes=10**9, wait_s=0.1)
    loop = asyncio.get_running_loop()
    started = loop.time()
    writing = journal.record(ROW)
    await asyncio.sleep(0.02)
    waiting = [journal.record(ROW) for _ in range(5)]
    assert await asyncio.gather(writing, *waiting) == [False] * 6
    assert not journal.usable
    assert await journal.record(ROW) is False
    assert loop.time() - started < 1
    hangs.set()
    await until(lambda: journal.usable)
    assert await journal.record(ROW)
    assert journal.path is not None
    with reading(journal.path) as reader:
        # Nobody was told that these are safe; they are kept all the same.
        assert sum(c.clicks for c in reader.after(0, max_clicks=99)) == 8
    await journal.close()


async def test_after_a_failed_commit_a_new_file_is_opened(
    tmp_path: Path, fresh_database_url: str
) -> None:
    """The limit on file sizes stands for a full disk: SQLite's write fails in the middle."""
    await make_link(fresh_database_url, "spring")
    async with running_road(tmp_path, fresh_database_url) as road:
        await road.ready()
        safe = [token_of((await road.get("/r/spring")).headers["location"])]
        first = road.road.journal.path
        before = unrecorded()
        with file_size_limit(1):
            lost = await road.get("/r/spring")
            assert lost.status_code == 302
            assert token_of(lost.headers["location"])
            assert not road.road.journal.usable
            assert not road.road.ready()
        assert unrecorded() == before + 1
        # Without any visitor: nobody sends them to a process that isn't ready.
        await road.ready()
        assert road.road.journal.path != first
        safe.append(token_of((await road.get("/r/spring")).headers["location"]))
        ids = {token.click_id for token in safe}
        async with asyncio.timeout(15):
            while not ids <= {click["id"] for click in await clicks_in(fresh_database_url)}:
                await asyncio.sleep(0.05)


async def test_a_start_on_a_broken_disk_says_no_until_it_works(tmp_path: Path) -> None:
    with file_size_limit(1):
        journal = Journal(tmp_path, max_bytes=10**9)
        assert await journal.record(ROW) is False
        assert not journal.usable
    recovering = asyncio.create_task(journal.recover())
    await until(lambda: journal.usable)
    recovering.cancel()
    assert await journal.record(ROW)
    await journal.close()


def test_a_file_that_never_got_its_table_is_empty(tmp_path: Path) -> None:
    path = next_path(tmp_path)
    sqlite3.connect(path).close()
    path.touch()
    with reading(path) as reader:
        assert reader.after(0, max_clicks=9) == []


def test_a_journal_of_the_release_before_is_read_and_it_reads_none_of_ours(tmp_path: Path) -> None:
    """It knew no visits: their bytes would be the next row's to it."""
    file = JournalFile(next_path(tmp_path))
    file.append(ROW, 1)
    assert file._pragma("user_version") == 2
    file._connection.execute("PRAGMA user_version = 1")
    file.close()
    with reading(file.path) as reader:
        assert [commit.rows for commit in reader.after(0, max_clicks=9)] == [ROW]


def test_another_releases_journal_is_not_guessed_at(tmp_path: Path) -> None:
    file = JournalFile(next_path(tmp_path))
    file._connection.execute("PRAGMA user_version = 99")
    file.close()
    with pytest.raises(sqlite3.DatabaseError):
        JournalReader(file.path)


def test_every_commit_is_fsynced(tmp_path: Path) -> None:
    file = JournalFile(next_path(tmp_path))
    assert file._pragma("synchronous") == 2
    assert file._connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    file.close()
    assert journal_file.next_path(tmp_path).name == "journal-000002.sqlite"


@contextmanager
def reading(path: Path) -> Iterator[JournalReader]:
    reader = JournalReader(path)
    try:
        yield reader
    finally:
        reader.close()


@contextmanager
def file_size_limit(limit: int) -> Iterator[None]:
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, old[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
        signal.signal(signal.SIGXFSZ, ignored)


def unrecorded() -> float:
    return REGISTRY.get_sample_value("finderfee_clicks_unrecorded_total") or 0.0
