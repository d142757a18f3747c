import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from app.db.engine import Database
from app.redirect.journal import Journal
from app.redirect.journal_file import FIRST, JournalFile, JournalReader, remove
from app.redirect.journal_rows import JournalRow, pack
from app.redirect.journal_writer import JournalWriter
from tests.redirect.making import drained, make_link, running_road, until
from tests.redirect.test_journal import file_size_limit


def row_made(ago_s: float) -> bytes:
    click = UUID(int=int((time.time() - ago_s) * 1000) << 80 | 7 << 76 | 2 << 62)
    return pack(JournalRow(1, click.bytes, b"l" * 16, b"agent" * 50, b""))


def gauge(name: str) -> float:
    return REGISTRY.get_sample_value(f"finderfee_journal_{name}") or 0.0


def aged(age_s: float) -> object:
    """An age that a slow machine may have added to."""
    return pytest.approx(age_s, abs=45)


def is_old(age_s: float) -> bool:
    return gauge("oldest_seconds") == aged(age_s)


@asynccontextmanager
async def telling(folder: Path) -> AsyncIterator[tuple[Journal, Path]]:
    """A journal, and its file, that looks after itself while the block runs."""
    journal = Journal(folder, max_bytes=10**9)
    assert journal.path is not None
    looking = asyncio.create_task(journal.recover())
    try:
        yield journal, journal.path
    finally:
        looking.cancel()
        await journal.close()


def ends_in(path: Path) -> list[int]:
    reader = JournalReader(path)
    ends = [commit.end for commit in reader.after(0, max_clicks=99)]
    reader.close()
    return ends


async def test_a_budget_that_fills_is_told_of_once_before_it_is_full(tmp_path: Path) -> None:
    journal = Journal(tmp_path, max_bytes=10_000_000)
    with capture_logs() as logs:
        while await journal.record(row_made(0) * 200):
            await asyncio.sleep(0.01)
    told = [(one["event"], one["log_level"]) for one in logs]
    assert told == [("journal.filling", "error"), ("journal.full", "error")]
    assert 8_000_000 <= logs[0]["used_bytes"] < 10_000_000 <= logs[1]["used_bytes"]
    assert gauge("max_bytes") == 10_000_000
    assert gauge("used_bytes") == logs[1]["used_bytes"]
    await journal.close()


async def test_a_budget_that_fills_again_is_told_of_again(tmp_path: Path) -> None:
    journal = Journal(tmp_path, max_bytes=1_000_000)
    with capture_logs() as logs:
        for used in (799_999, 800_000, 700_000, 800_000, 599_999, 800_000):
            journal._writer._judge(used)
    assert [one["used_bytes"] for one in logs] == [800_000, 800_000]
    await journal.close()


async def test_the_age_of_the_oldest_click_that_waits_is_told(tmp_path: Path) -> None:
    async with telling(tmp_path) as (journal, path):
        await journal.record(row_made(500))
        await asyncio.sleep(0.3)
        await journal.record(row_made(200) + row_made(90))
        # Another journal of this process may have left some figure there.
        await until(lambda: is_old(500))
        before = gauge("oldest_seconds")
        await until(lambda: gauge("oldest_seconds") > before)
        first, second = ends_in(path)
        journal.forget(path, first)
        await until(lambda: is_old(200))
        journal.forget(path, second)
        await until(lambda: gauge("oldest_seconds") == 0)


async def test_a_click_that_no_other_follows_waits_too(tmp_path: Path) -> None:
    async with telling(tmp_path) as (journal, path):
        await journal.record(row_made(500))
        await until(lambda: is_old(500))
        (end,) = ends_in(path)
        assert gauge("used_bytes") == end - FIRST
        await asyncio.sleep(0.3)
        journal.forget(path, end)
        await until(lambda: gauge("used_bytes") == gauge("oldest_seconds") == 0)
        # Between the two stands that the first is forgotten, which is no click.
        await journal.record(row_made(300))
        await until(lambda: is_old(300))


async def test_a_file_that_is_left_tells_how_old_its_clicks_are(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path, 8_000_000)
    first = writer.path
    assert first is not None
    assert writer.write([row_made(500)], (None, 0))
    (stored,) = ends_in(first)
    assert writer.write([row_made(400)] * 3_500, (first, stored))
    writer.write([], (first, stored))
    assert writer.oldest_s() == aged(400)
    assert writer.write([row_made(0)], (first, stored)), "in the next file"
    writer.write([], (first, stored))
    assert writer.path not in (None, first)
    assert writer.oldest_s() == aged(400)
    remove(first)
    writer.write([], (first, stored))
    assert writer.oldest_s() == aged(0)
    writer.close()


async def test_nothing_waits_in_a_file_that_was_left_because_it_is_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = JournalWriter(tmp_path, 10**9)
    first = writer.path
    assert first is not None
    assert writer.write([row_made(500)], (None, 0))
    writer.write([], (first, ends_in(first)[0]))
    os.utime(first, (1, 1))
    monkeypatch.setattr("app.redirect.journal_writer._STALE_S", -1.0)
    writer.write([], (None, 0))
    assert writer.path != first
    assert writer.oldest_s() == 0
    writer.close()


async def test_what_a_failed_write_leaves_behind_waits(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path, 10**9)
    assert writer.write([row_made(500)], (None, 0))
    with file_size_limit(1):
        assert not writer.write([row_made(0) * 900], (None, 0))
        writer._checked_at = 0.0
        writer.write([], (None, 0))
        assert writer.oldest_s() == aged(500)
        assert gauge("used_bytes") > 300


async def test_clicks_of_a_left_journal_wait_too(tmp_path: Path) -> None:
    left = tmp_path / "journal-000001.log"
    file = JournalFile(left)
    file.append(row_made(0), 1)
    file.close()
    journal = Journal(tmp_path, max_bytes=10**9)
    await journal.record(row_made(0))
    await asyncio.sleep(0.3)
    await journal.record(row_made(0))
    assert journal._writer.oldest_s() > 0.3
    left.unlink()
    await asyncio.sleep(0.3)
    await journal.record(row_made(0))
    assert journal.path is not None
    journal.forget(journal.path, ends_in(journal.path)[-1])
    await until(lambda: journal._writer.oldest_s() == 0)
    await journal.close()


async def test_no_click_waits_once_the_drain_has_them_all(
    fresh_database: Database, tmp_path: Path
) -> None:
    await make_link(fresh_database.url, "spring")
    async with running_road(tmp_path, fresh_database.url) as road:
        await road.ready()
        await road.get("/r/spring")
        await drained(fresh_database.url, 1)
        await until(lambda: road.road.journal._writer.oldest_s() == 0)
