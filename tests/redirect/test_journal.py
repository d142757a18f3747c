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

from app.redirect.journal import Journal
from app.redirect.journal_file import (
    Commit,
    JournalError,
    JournalFile,
    JournalReader,
    next_path,
)
from app.redirect.journal_rows import JournalRow, pack, unpack
from app.redirect.journal_sqlite import SqliteReader
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


async def test_forgotten_commits_are_told_to_whoever_reads_it_later(tmp_path: Path) -> None:
    journal = Journal(tmp_path, max_bytes=10**9)
    path = journal.path
    assert path is not None
    for _ in range(3):
        assert await journal.record(ROW)
    with reading(path) as reader:
        commits = reader.after(0, max_clicks=9)
        assert reader.forgotten_to() < commits[0].end
        journal.forget(path, commits[1].end)
        await until(lambda: journal._forgettable() == 0 and journal._writing is None)
        assert reader.forgotten_to() == commits[1].end
        assert reader.after(reader.forgotten_to(), max_clicks=9) == commits[2:]
    await journal.close()


async def test_a_full_file_is_left_for_the_next(tmp_path: Path) -> None:
    journal = Journal(tmp_path, max_bytes=8_000_000)
    first = journal.path
    assert first is not None
    recorded = 0
    while journal.path == first:
        assert await journal.record(ROW * 100)
        recorded += 1
    assert 1_000_000 <= first.stat().st_size < 1_500_000
    journal.forget(first, 10**9)
    for _ in range(5):
        assert await journal.record(ROW)
    second = journal.path
    assert second is not None
    await journal.close()
    found = [commit for path in (first, second) for commit in all_of(path)]
    assert [commit.rows for commit in found] == [ROW * 100] * recorded + [ROW] * 5


async def test_a_file_whose_clicks_are_all_stored_does_not_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.redirect.journal_writer._STALE_S", 0.1)
    journal = Journal(tmp_path, max_bytes=10**9)
    first = journal.path
    assert first is not None
    assert await journal.record(ROW)
    await asyncio.sleep(0.3)
    recovering = asyncio.create_task(journal.recover())
    await asyncio.sleep(1.2)
    assert journal.path == first, "its click waits"
    journal.forget(first, all_of(first)[0].end)
    await until(lambda: journal.path not in (None, first))
    recovering.cancel()
    assert await journal.record(ROW)
    await journal.close()


async def test_a_full_budget_says_no_until_there_is_room(tmp_path: Path) -> None:
    journal = Journal(tmp_path, max_bytes=8_000_000)
    recorded = 0
    while await journal.record(ROW * 1_000):
        recorded += 1
        assert recorded < 100_000
    assert not journal.usable
    assert recorded > 100
    path = journal.path
    assert path is not None
    for left in tmp_path.glob("journal-*"):
        if left != path:
            left.unlink()
    for commit in all_of(path):
        journal.forget(path, commit.end)
    async with asyncio.timeout(5):
        while not await journal.record(ROW):
            await asyncio.sleep(0.05)
    assert journal.usable
    await journal.close()


async def test_a_left_journal_that_the_drain_removes_meanwhile_fails_nothing(
    tmp_path: Path,
) -> None:
    """Listed for the budget, gone when it is measured: as a link that leads nowhere is."""
    (tmp_path / "left").write_bytes(b"left")
    (tmp_path / "journal-000001.log").symlink_to(tmp_path / "left")
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
    """The limit on file sizes stands for a full disk: the write fails in the middle."""
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


@pytest.mark.parametrize("content", [b"", b"ffcl", bytes(300_000)])
def test_a_file_that_never_got_its_head_is_empty(tmp_path: Path, content: bytes) -> None:
    path = next_path(tmp_path)
    path.write_bytes(content)
    assert all_of(path) == []


def test_a_write_that_was_cut_off_is_no_commit_and_no_damage(tmp_path: Path) -> None:
    whole, many = written(tmp_path, [ROW, ROW * 3_000])
    for cut in range(whole[0].end, whole[1].end, 997):
        torn = tmp_path / f"journal-{cut + 10:06}.log"
        torn.write_bytes(many[:cut] + bytes(len(many) - cut))
        with reading(torn, left=True) as reader:
            assert reader.after(0, max_clicks=9) == whole[:1]
            assert reader.damaged == 0


def test_what_a_bad_block_spoiled_is_told_and_costs_no_other_commit(tmp_path: Path) -> None:
    whole, content = written(tmp_path, [ROW, ROW * 100, ROW * 2, ROW * 3])
    spoiled = bytearray(content)
    spoiled[whole[0].end : whole[0].end + 512] = bytes(512)
    path = next_path(tmp_path)
    path.write_bytes(spoiled)
    assert all_of(path) == whole[:1], "who writes it may be in the middle of it"
    with reading(path, left=True) as reader:
        assert reader.after(0, max_clicks=999) == [whole[0], *whole[2:]]
        assert reader.damaged == whole[1].end - whole[0].end


def test_a_visitor_cannot_write_a_record_of_the_file(tmp_path: Path) -> None:
    """Though the header holds one, whole, of another journal; and the block before is spoiled."""
    first, forged = written(tmp_path, [ROW * 7])
    record = forged[16 : first[0].end]
    agent = JournalRow(1, b"c" * 16, b"l" * 16, record[:512], b"")
    whole, content = written(tmp_path, [ROW, pack(agent) + record, ROW])
    spoiled = bytearray(content)
    spoiled[whole[0].end : whole[0].end + 30] = bytes(30)
    path = next_path(tmp_path)
    path.write_bytes(spoiled)
    with reading(path, left=True) as reader:
        assert reader.after(0, max_clicks=99) == [whole[0], whole[2]]


@pytest.mark.parametrize("version", [1, 2])
def test_a_journal_of_the_release_before_is_read(tmp_path: Path, version: int) -> None:
    path = tmp_path / "journal-000004.sqlite"
    sqlite_journal(path, version, [ROW, ROW * 2])
    reader = SqliteReader(path)
    assert [commit.rows for commit in reader.after(0, max_clicks=9)] == [ROW, ROW * 2]
    assert [commit.end for commit in reader.after(1, max_clicks=9)] == [2]
    reader.close()
    assert next_path(tmp_path).name == "journal-000005.log"


def test_another_releases_journal_is_not_guessed_at(tmp_path: Path) -> None:
    _, content = written(tmp_path, [ROW])
    path = next_path(tmp_path)
    path.write_bytes(content[:7] + b"\x63" + content[8:])
    with pytest.raises(JournalError):
        JournalReader(path)
    newer = tmp_path / "journal-000009.sqlite"
    sqlite_journal(newer, 99, [ROW])
    with pytest.raises(JournalError):
        SqliteReader(newer)


def written(folder: Path, rows: list[bytes]) -> tuple[list[Commit], bytes]:
    """A journal with these commits, and its bytes."""
    file = JournalFile(next_path(folder))
    for row in rows:
        file.append(row, 1)
    file.close()
    return all_of(file.path), file.path.read_bytes()


def all_of(path: Path) -> list[Commit]:
    with reading(path) as reader:
        return reader.after(0, max_clicks=10**9)


def sqlite_journal(path: Path, version: int, rows: list[bytes]) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(
        "CREATE TABLE commits (number INTEGER PRIMARY KEY, clicks INTEGER, rows BLOB)"
    )
    connection.execute(f"PRAGMA user_version = {version}")
    connection.executemany("INSERT INTO commits (clicks, rows) VALUES (1, ?)", [(r,) for r in rows])
    connection.close()


@contextmanager
def reading(path: Path, *, left: bool = False) -> Iterator[JournalReader]:
    reader = JournalReader(path, left=left)
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
