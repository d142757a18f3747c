"""Journals that dead processes leave are emptied by the living."""

import asyncio
from pathlib import Path

import pytest

from app.db.engine import Database
from app.redirect.drain import drain_orphans
from app.redirect.folders import claim_folder, release_folder
from app.redirect.journal_file import JournalFile, next_path
from app.redirect.journal_rows import pack
from tests.redirect.making import clicks_in, connected, counted_in, drained, running_road, until
from tests.redirect.test_drain import leave, row

WAITING = """
    SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database
    WHERE datname = current_database() AND NOT granted
"""


@pytest.fixture
def url(fresh_database_url: str) -> str:
    return fresh_database_url


async def test_a_dead_process_journals_are_taken_up_and_removed(url: str, tmp_path: Path) -> None:
    folder = claim_folder(tmp_path)
    rows = [row() for _ in range(2_500)]
    file = JournalFile(next_path(folder))
    for at in range(0, len(rows), 100):
        file.append(b"".join(pack(one) for one in rows[at : at + 100]), 100)
    file.append(b"cut off", 1)
    file.close()
    database = Database(url)
    assert await drain_orphans(tmp_path, database) == 0, "its owner lives"
    release_folder(folder)
    assert await drain_orphans(tmp_path, database) == 2_501
    assert await drain_orphans(tmp_path, database) == 0
    await database.close()
    assert {found["id"].bytes for found in await clicks_in(url)} == {one.click for one in rows}
    assert list(folder.glob("journal*")) == []


async def test_a_folder_without_journals_stays_free_while_others_are_emptied(
    url: str, tmp_path: Path
) -> None:
    folder, empty = claim_folder(tmp_path), claim_folder(tmp_path)
    leave(folder)
    for one in (folder, empty):
        release_folder(one)
    database = Database(url)
    async with connected(url) as connection, asyncio.TaskGroup() as tasks:
        async with connection.transaction():
            await connection.execute("LOCK TABLE link_clicks")
            emptying = tasks.create_task(drain_orphans(tmp_path, database))
            async with asyncio.timeout(15):
                while not await connection.fetchval(WAITING):
                    await asyncio.sleep(0.02)
            assert claim_folder(tmp_path) == empty
            release_folder(empty)
        assert await emptying == 1
    await database.close()


async def test_a_living_process_takes_up_what_another_leaves_meanwhile(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.redirect.drain.ORPHANS_S", 0.2)
    other = tmp_path / "web-9"
    async with running_road(tmp_path, url) as road:
        await road.ready()
        assert road.folder != other
        other.mkdir()
        leave(other, 2)
        await drained(url, 2)
        await until(lambda: list(other.glob("journal*")) == [])
    assert await counted_in(url) == 2


async def test_an_unreadable_journal_stays_and_stops_no_other(url: str, tmp_path: Path) -> None:
    folder = claim_folder(tmp_path)
    broken = next_path(folder)
    broken.write_bytes(b"no journal at all" * 500)
    leave(folder)
    release_folder(folder)
    database = Database(url)
    assert await drain_orphans(tmp_path, database) == 1
    await database.close()
    assert list(folder.glob("journal*")) == [broken]
