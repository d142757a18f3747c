"""A replica that can't be written keeps nobody from following: memory goes before it."""

import os
import sqlite3
import time
from pathlib import Path

import pytest

from app.redirect.directory import Directory
from app.redirect.folders import claim_folder, release_folder
from app.redirect.metrics import FAILURES
from app.redirect.replica import Position
from app.redirect.siblings import LEFT_S, REPLICA, keep_tidy
from app.redirect.unwritten import TooMuchUnwrittenError
from tests.redirect.making import connected, make_link, moved, running_road, target_of, until
from tests.redirect.test_directory import ended
from tests.redirect.test_siblings import left_in
from tests.redirect.test_target import PROGRAM, row


@pytest.fixture
def url(fresh_database_url: str) -> str:
    return fresh_database_url


async def test_memory_follows_while_the_replica_can_not_be_written(
    url: str, tmp_path: Path
) -> None:
    """With room for none but one link in memory: the replica's own rows are old."""
    links = {code: await make_link(url, code) for code in ("moved", "ended", "other")}
    async with running_road(tmp_path, url) as road, connected(url) as connection:
        await road.ready()
        await road.knows(*links)
        directory = road.road.directory
        directory._size = 1
        before = directory.position
        failures = FAILURES.labels("feed")._value.get()
        directory._replica._writer.execute("PRAGMA query_only = 1")
        await moved(url, "moved", "new")
        await until(lambda: b"/new" in target_of(directory, "moved"))
        await connection.execute(
            "UPDATE links SET archived_at = now() WHERE id = $1", links["ended"]
        )
        await until(lambda: ended(directory, "ended"))
        await moved(url, "moved", "newer")
        await until(lambda: b"/newer" in target_of(directory, "moved"))
        await make_link(url, "made")
        await until(lambda: directory.find("", "made") is not None)
        for code, status in (("other", 302), ("ended", 410), ("moved", 302), ("made", 302)):
            assert (await road.get(f"/r/{code}")).status_code == status
        assert directory.position == before
        assert FAILURES.labels("feed")._value.get() > failures
        directory._replica._writer.execute("PRAGMA query_only = 0")
        await until(lambda: directory.position != before)
        assert not directory._unwritten._links
    async with running_road(tmp_path, "postgresql://nobody@127.0.0.1:1/nothing") as road:
        directory = road.road.directory
        assert b"/newer" in target_of(directory, "moved")
        assert ended(directory, "ended")
        assert directory.find("", "made") is not None


async def test_what_the_replica_could_not_take_is_read_again_after_a_restart(
    url: str, tmp_path: Path
) -> None:
    await make_link(url, "spring")
    async with running_road(tmp_path, url) as road:
        await road.ready()
        road.road.directory._replica._writer.execute("PRAGMA query_only = 1")
        await moved(url, "spring", "new")
        await until(lambda: b"/new" in road.leads("spring"))
    async with running_road(tmp_path, url) as road:
        await until(lambda: b"/new" in road.leads("spring"))


async def test_on_a_full_disk_what_waits_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.redirect.unwritten._MAX_LINKS", 2)
    directory = Directory(tmp_path / "links.sqlite", size=10)
    links = [row(id=bytes([n]) * 16, code=f"c{n}") for n in range(4)]
    at = Position("here:1", 0, 1)
    await directory.copy_page(links, 1, [PROGRAM])
    await directory.end_copy(at, {})
    assert b"/new" not in target_of(directory, "c0")
    directory._replica._writer.execute("PRAGMA max_page_count = 1")
    new = [link._replace(destination=f"https://shop.example/new{'x' * 50_000}") for link in links]
    await directory.apply(new[:1], [links[3].id], at._replace(number=1))
    assert b"/new" in target_of(directory, "c0")
    assert directory.find("", "c3") is None
    with pytest.raises(TooMuchUnwrittenError):
        await directory.apply(new[1:2], [], at._replace(number=2))
    assert b"/new" not in target_of(directory, "c1")
    assert directory.position == at
    directory._replica._writer.execute("PRAGMA max_page_count = 1000000")
    directory._write_again_at = 0
    await directory.apply(new[1:2], [], at._replace(number=2))
    assert b"/new" in target_of(directory, "c1")
    assert directory.position == at._replace(number=2)
    assert not directory._unwritten._links
    directory.close()


async def test_on_a_disk_too_full_to_tidy_the_own_replica_dead_ones_still_go(
    tmp_path: Path,
) -> None:
    """They are what makes room."""
    own = claim_folder(tmp_path)
    left = left_in(tmp_path / "web-7", number=1)
    ago = time.time() - LEFT_S - 1
    os.utime(left.parent / "lock", (ago, ago))
    directory = Directory(own / REPLICA, size=10)
    await directory.end_copy(Position("here:1", 1, 1), {})
    directory._replica._writer.close()
    with pytest.raises(sqlite3.Error):
        await keep_tidy(directory, own)
    assert not left.exists()
    directory.close()
    release_folder(own)
