import asyncio
import contextlib
import shutil
import sqlite3
from pathlib import Path

import pytest

from app.redirect.directory import Directory
from app.redirect.replica import Position, Replica
from app.settings import Settings
from tests.redirect.making import (
    connected,
    drained,
    gate_to,
    held_change,
    make_link,
    moved,
    running_road,
    token_of,
    until,
)
from tests.redirect.test_target import PROGRAM, row


@pytest.fixture
def url(fresh_database_url: str) -> str:
    return fresh_database_url


async def test_links_made_and_changed_later_reach_the_replica(url: str, tmp_path: Path) -> None:
    async with running_road(tmp_path, url) as road:
        await road.ready()
        link = await make_link(url, "later")
        await road.knows("later")
        async with connected(url) as connection:
            await moved(url, "later", "new")
            await until(lambda: b"/new" in road.leads("later"))
            await connection.execute("UPDATE links SET archived_at = now() WHERE id = $1", link)
            await until(lambda: ended(road.road.directory, "later"))
        assert (await road.get("/r/later")).status_code == 410


async def test_a_change_that_commits_after_a_higher_number_is_not_missed(
    url: str, tmp_path: Path
) -> None:
    await make_link(url, "slow")
    async with running_road(tmp_path, url) as road, connected(url) as connection:
        await road.ready()
        held = await held_change(connection, "slow", "slow")
        await make_link(url, "quick")
        await road.knows("quick")
        assert b"/slow" not in road.leads("slow")
        await held.commit()
        await until(lambda: b"/slow" in road.leads("slow"))


async def test_a_change_under_way_during_the_first_copy_is_not_missed(
    url: str, tmp_path: Path
) -> None:
    await make_link(url, "slow")
    async with connected(url) as connection:
        held = await held_change(connection, "slow", "slow")
        await make_link(url, "quick")
        async with running_road(tmp_path, url) as road:
            await road.ready()
            await road.knows("quick")
            await held.commit()
            await until(lambda: b"/slow" in road.leads("slow"))


async def test_a_start_without_postgres_serves_every_link(url: str, tmp_path: Path) -> None:
    link = await make_link(url, "spring")
    async with running_road(tmp_path, url) as road:
        await road.ready()
    nowhere = "postgresql://nobody@127.0.0.1:1/nothing"
    async with running_road(tmp_path, nowhere) as road:
        assert road.road.ready()
        answer = await road.get("/r/spring")
        assert token_of(answer.headers["location"]).link_id == link
        unknown = await road.get("/r/unknown")
        assert (unknown.status_code, unknown.headers["retry-after"]) == (503, "5")
    async with running_road(tmp_path, url):
        (click,) = await drained(url, 1)
        assert click["link_id"] == link


async def test_a_first_start_without_postgres_is_not_ready_and_becomes_so(
    url: str, tmp_path: Path
) -> None:
    await make_link(url, "spring")
    async with gate_to(url) as gate:
        await gate.shut()
        async with running_road(tmp_path, gate.url) as road:
            assert not road.road.ready()
            assert (await road.get("/r/spring")).status_code == 503
            await gate.open()
            await road.ready()
            assert (await road.get("/r/spring")).status_code == 302


async def test_redirects_go_on_while_postgres_is_away_and_are_drained_after(
    url: str, tmp_path: Path
) -> None:
    await make_link(url, "spring")
    async with gate_to(url) as gate, running_road(tmp_path, gate.url) as road:
        await road.ready()
        await gate.shut()
        answers = await asyncio.gather(*(road.get("/r/spring") for _ in range(50)))
        tokens = {token_of(answer.headers["location"]).click_id for answer in answers}
        assert len(tokens) == 50
        assert road.road.ready()
        await gate.open()
        assert {click["id"] for click in await drained(url, 50)} == tokens
        await make_link(url, "after")
        await road.knows("after")


async def test_the_replica_follows_another_database_anew(
    fresh_database_url: str, database_url: str, tmp_path: Path
) -> None:
    await make_link(fresh_database_url, "old")
    async with running_road(tmp_path, fresh_database_url) as road:
        await road.ready()
        assert road.road.directory.find("", "old")
    async with running_road(tmp_path, database_url) as road:
        await until(lambda: road.road.directory.find("", "old") is None)
        assert (await road.get("/r/old")).status_code == 404


async def test_an_unreadable_replica_is_filled_anew(url: str, tmp_path: Path) -> None:
    await make_link(url, "spring")
    async with running_road(tmp_path, url) as road:
        await road.ready()
        replica = road.folder / "links.sqlite"
    for path in replica.parent.glob("links.sqlite-*"):
        path.unlink()
    replica.write_bytes(b"no database at all" * 500)
    async with running_road(tmp_path, url) as road:
        await road.knows("spring")


async def test_memory_keeps_the_links_asked_for_lately(tmp_path: Path) -> None:
    directory = Directory(tmp_path / "links.sqlite", size=2)
    links = [row(id=bytes([n]) * 16, code=f"c{n}") for n in range(3)]
    await directory.copy_page(links, 1, [PROGRAM])
    await directory.end_copy(Position("here:1", 0, 1), {})
    for code in ("c0", "c1", "c0", "c2"):
        assert directory.find("", code) is not None
    assert list(directory._targets) == ["/c0", "/c2"]
    directory.close()


async def test_by_default_memory_keeps_a_hundred_thousand_links(tmp_path: Path) -> None:
    size = Settings(data_dir=tmp_path).lru_links
    assert size == 100_000
    directory = Directory(tmp_path / "links.sqlite", size=size)
    links = [row(id=n.to_bytes(16), code=f"c{n}") for n in range(size + 10)]
    await directory.copy_page(links, 1, [PROGRAM])
    await directory.end_copy(Position("here:1", 0, 1), {})
    for link in links:
        assert directory.find("", link.code) is not None
    assert len(directory._targets) == size
    assert "/c9" not in directory._targets
    assert "/c10" in directory._targets
    directory.close()


def test_after_a_crash_the_links_are_there_though_no_file_can_be_made(tmp_path: Path) -> None:
    """As on a full disk: the log's index would be a file."""
    left = tmp_path / "left.sqlite"
    replica = Replica(left)
    replica.apply([row(code="a")], [], Position("here:1", 1, 1))
    crashed = tmp_path / "links.sqlite"
    for suffix in ("", "-wal"):
        shutil.copy(f"{left}{suffix}", f"{crashed}{suffix}")
    replica.close()
    (tmp_path / "links.sqlite-shm").mkdir()
    again = Replica(crashed)
    assert again.find("", "a") is not None
    again.close()


def test_a_replica_that_the_disk_keeps_back_stays_for_the_next_start(tmp_path: Path) -> None:
    path = tmp_path / "links.sqlite"
    replica = Replica(path)
    replica.apply([row(code="a")], [], Position("here:1", 1, 1))
    replica.close()
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as holding:
        holding.execute("PRAGMA locking_mode = EXCLUSIVE")
        holding.execute("BEGIN EXCLUSIVE")
        kept_back = Replica(path)
        assert kept_back.position() is None
        kept_back.apply([row(code="b")], [], Position("here:1", 2, 2))
        assert kept_back.find("", "b") is not None
        kept_back.close()
    again = Replica(path)
    assert again.find("", "a") is not None
    again.close()


def test_a_replica_in_memory_is_read_while_it_is_written(tmp_path: Path) -> None:
    (tmp_path / "links.sqlite").mkdir()
    replica = Replica(tmp_path / "links.sqlite")
    replica.apply([row(code="a")], [], Position("here:1", 1, 1))
    with replica._transaction() as writer:
        writer.execute("UPDATE links SET asset = 'new'")
        assert replica.find("", "a") is not None
    replica.close()


def test_codes_may_change_hands(tmp_path: Path) -> None:
    replica = Replica(tmp_path / "links.sqlite")
    first, second = row(id=b"1" * 16, code="a"), row(id=b"2" * 16, code="b")
    at = Position("here:1", 1, 1)
    replica.apply([first, second], [], at)
    touched = replica.apply([first._replace(code="b"), second._replace(code="a")], [], at)
    assert touched == {("", "a"), ("", "b")}
    found = [replica.find("", code) for code in "ab"]
    assert [link and link.id for link in found] == [b"2" * 16, b"1" * 16]
    assert replica.apply([], [b"1" * 16], at) == {("", "b")}
    assert replica.find("", "b") is None
    replica.close()


def ended(directory: Directory, code: str) -> bool:
    target = directory.find("", code)
    return target is not None and target.expires_at == 0
