"""The feed misses nothing, reads nothing twice, and ends when it is told to."""

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.db.engine import Database
from app.redirect.directory import Directory
from app.redirect.feed import _Follower
from app.redirect.prune import prune_changes
from tests.redirect.making import (
    connected,
    gate_to,
    held_change,
    make_link,
    moved,
    running_road,
    until,
)


class Quiet:
    """A connection to a Postgres without links, which notifies when it is told to."""

    notify: Callable[[], None] = staticmethod(lambda: None)

    async def add_listener(self, _channel: str, woken: Callable[[], None]) -> None:
        self.notify = woken

    async def fetchrow(self, _query: str) -> Any:
        return {"source": "here", "newest": 0, "oldest": 1, "writing": False}

    async def fetchval(self, _query: str, *_: Any) -> int:
        return 0

    async def fetch(self, _query: str, *_: Any) -> list[Any]:
        return []


@pytest.mark.parametrize("turns", range(5))
async def test_a_notification_does_not_swallow_the_end(turns: int, tmp_path: Path) -> None:
    directory = Directory(tmp_path / "links.sqlite", size=10)
    quiet: Any = Quiet()
    feed = asyncio.create_task(_Follower(directory, quiet).run())
    await until(lambda: directory.usable)
    await asyncio.sleep(0.05)
    quiet.notify()
    for _ in range(turns):
        await asyncio.sleep(0)
    feed.cancel()
    ended, _ = await asyncio.wait({feed}, timeout=2)
    still_runs = feed not in ended
    feed.cancel()
    await asyncio.wait({feed}, timeout=2)
    directory.close()
    assert not still_runs


@pytest.fixture
def url(fresh_database_url: str) -> str:
    return fresh_database_url


async def test_a_commit_that_comes_late_while_the_connection_is_lost_is_not_missed(
    url: str, tmp_path: Path
) -> None:
    await make_link(url, "slow")
    async with gate_to(url) as gate, running_road(tmp_path, gate.url) as road:
        await road.ready()
        async with connected(url) as connection:
            held = await held_change(connection, "slow", "slow")
            await make_link(url, "quick")
            await road.knows("quick")
            await gate.shut()
            await held.commit()
        position = road.road.directory.position
        assert position is not None and len(position.gaps) == 1
        await gate.open()
        await until(lambda: b"/slow" in road.leads("slow"))


async def test_a_commit_that_comes_late_while_nobody_runs_is_not_missed(
    url: str, tmp_path: Path
) -> None:
    await make_link(url, "slow")
    async with connected(url) as connection:
        held = await held_change(connection, "slow", "slow")
        async with running_road(tmp_path, url) as road:
            await road.ready()
            await make_link(url, "quick")
            await road.knows("quick")
        await held.commit()
    async with running_road(tmp_path, url) as road:
        await until(lambda: b"/slow" in road.leads("slow"))


async def test_a_change_is_seen_within_a_second_of_a_lost_connection(
    url: str, tmp_path: Path
) -> None:
    await make_link(url, "spring")
    async with running_road(tmp_path, url) as road, connected(url) as connection:
        await road.ready()
        await asyncio.sleep(1.1)
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        await moved(url, "spring", "after")
        await until(lambda: b"/after" in road.leads("spring"), timeout_s=1)


async def test_one_change_does_not_wait_behind_a_bulk(url: str, tmp_path: Path) -> None:
    bulk = await make_link(url, "bulk")
    await make_link(url, "spring")
    changes = "INSERT INTO link_changes (link_id) SELECT $1 FROM generate_series(1, 50000)"
    async with running_road(tmp_path, url) as road, connected(url) as connection:
        await road.ready()
        async with connection.transaction():
            await connection.execute(changes, bulk)
            await connection.execute("UPDATE links SET destination = destination || '/after'")
        newest = await connection.fetchval("SELECT max(number) FROM link_changes")
        await until(lambda: b"/after" in road.leads("spring"))
        position = road.road.directory.position
        assert position is not None and position.number < newest
        # And then as if nobody had been let by.
        await moved(url, "bulk", "last")
        await until(lambda: b"/last" in road.leads("bulk"))
        await until(lambda: road.road.directory.position.number == newest + 1)  # type: ignore[union-attr]


async def test_changes_seen_are_not_read_again_after_a_restart(url: str, tmp_path: Path) -> None:
    await make_link(url, "spring")
    async with running_road(tmp_path, url) as road:
        await road.ready()
        await moved(url, "spring", "new")
        await until(lambda: b"/new" in road.leads("spring"))
        replica = road.folder / "links.sqlite"
    # Only a change that was read again would write over this.
    with contextlib.closing(sqlite3.connect(replica)) as file, file:
        file.execute("UPDATE links SET destination = 'https://shop.example/marked'")
    async with running_road(tmp_path, url) as road:
        await make_link(url, "later")
        await road.knows("later")
        assert b"/marked" in road.leads("spring")


async def test_old_changes_are_pruned_and_who_needs_them_copies_anew(
    url: str, tmp_path: Path
) -> None:
    await make_link(url, "spring")
    async with running_road(tmp_path, url) as road:
        await road.ready()
    await moved(url, "spring", "new")
    await make_link(url, "newest")
    database = Database(url)
    async with connected(url) as connection:
        await connection.execute("UPDATE link_changes SET changed_at = now() - interval '6.9 days'")
        assert await prune_changes(database) == 0
        await connection.execute("UPDATE link_changes SET changed_at = now() - interval '7.1 days'")
        assert await prune_changes(database) > 0
        assert await connection.fetchval("SELECT count(*) FROM link_changes") == 1
        # What the one that is left does not tell.
        await connection.execute("ALTER TABLE links DISABLE TRIGGER note_update")
    await database.close()
    await moved(url, "spring", "untold")
    async with running_road(tmp_path, url) as road:
        await until(lambda: b"/untold" in road.leads("spring"))
    # Nothing was pruned since, so nothing is copied, and the database is not taken for another.
    await moved(url, "spring", "untold-again")
    async with running_road(tmp_path, url) as road:
        await make_link(url, "later")
        await road.knows("later")
        assert b"/untold?" in road.leads("spring")


async def test_a_start_before_the_schema_is_there_waits_for_it(
    url: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    async with connected(url) as connection:
        await connection.execute("ALTER TABLE link_changes RENAME TO not_there_yet")
        async with running_road(tmp_path, url) as road:
            await asyncio.sleep(0.7)
            assert not road.road.ready()
            await connection.execute("ALTER TABLE not_there_yet RENAME TO link_changes")
            await road.ready()
    assert "task=feed" not in capfd.readouterr().out
