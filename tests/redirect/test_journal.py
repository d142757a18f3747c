import asyncio
import resource
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from app.redirect.journal import Journal
from app.redirect.journal_file import JournalFile
from app.redirect.journal_rows import JournalRow, pack
from tests.redirect.making import clicks_in, make_link, running_road, token_of, until
from tests.redirect.test_journal_file import all_of, reading

ROW = pack(JournalRow(1, b"c" * 16, b"l" * 16, b"agent", b"referrer"))


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
        await until(lambda: not journal._is_behind() and journal._writing is None)
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


async def test_what_is_forgotten_of_a_full_file_is_not_said_of_the_next(tmp_path: Path) -> None:
    journal = Journal(tmp_path, max_bytes=8_000_000)
    first, file = journal.path, journal._writer._file
    assert first is not None
    assert file is not None
    while file.end < 1_000_000:
        assert await journal.record(ROW * 100)
    journal.forget(first, file.end)
    assert await journal.record(ROW), (
        "in the commit that also forgets, and is the next file's first"
    )
    second = journal.path
    await journal.close()
    assert second not in (None, first)
    assert second is not None
    with reading(second, left=True) as reader:
        assert [commit.rows for commit in reader.after(reader.forgotten_to(), max_clicks=9)] == [
            ROW
        ]


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
    journal = Journal(tmp_path, max_bytes=10**9, wait_s=0.1)
    loop = asyncio.get_running_loop()
    with hanging(monkeypatch):
        started = loop.time()
        writing = journal.record(ROW)
        await asyncio.sleep(0.02)
        waiting = [journal.record(ROW) for _ in range(5)]
        assert await asyncio.gather(writing, *waiting) == [False] * 6
        assert not journal.usable
        assert await journal.record(ROW) is False
        assert loop.time() - started < 1
    await until(lambda: journal.usable)
    assert await journal.record(ROW)
    assert journal.path is not None
    with reading(journal.path) as reader:
        # Nobody was told that these are safe; they are kept all the same.
        assert sum(c.clicks for c in reader.after(0, max_clicks=99)) == 8
    await journal.close()


async def test_a_disk_that_hangs_while_it_forgets_is_not_usable_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(tmp_path, max_bytes=10**9, wait_s=0.1)
    path = journal.path
    assert path is not None
    assert await journal.record(ROW)
    with hanging(monkeypatch):
        journal.forget(path, all_of(path)[0].end)
        await asyncio.sleep(0.05)
        assert journal.usable
        assert await journal.record(ROW) is False
        assert not journal.usable
    await until(lambda: journal.usable)
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
        # Tried again and again: each time would leave a file behind.
        assert list(tmp_path.iterdir()) == []
    recovering = asyncio.create_task(journal.recover())
    await until(lambda: journal.usable)
    recovering.cancel()
    assert await journal.record(ROW)
    await journal.close()


@contextmanager
def hanging(patch: pytest.MonkeyPatch) -> Iterator[None]:
    """While the block runs, the disk takes nothing; then all that was written meanwhile."""
    hangs, append = threading.Event(), JournalFile.append

    def slow(self: JournalFile, *given: object, **named: object) -> None:
        hangs.wait(10)
        append(self, *given, **named)  # type: ignore[arg-type]

    patch.setattr(JournalFile, "append", slow)
    try:
        yield
    finally:
        hangs.set()


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
