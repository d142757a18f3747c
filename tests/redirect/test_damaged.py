"""A damaged replica stops no start, and is filled anew as soon as Postgres can be asked."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from app.redirect.directory import Directory
from app.redirect.replica import Position
from app.redirect.siblings import REPLICA
from tests.redirect.making import make_link, moved, running_road, until
from tests.redirect.test_siblings import left_in, start_in
from tests.redirect.test_target import PROGRAM, row

PAGE = 4_096


@pytest.fixture
def url(fresh_database_url: str) -> str:
    return fresh_database_url


async def test_whatever_page_is_damaged_a_process_starts(tmp_path: Path) -> None:
    path = tmp_path / REPLICA
    directory = Directory(path, size=10)
    hosts = ["", "go.a.example", "go.b.example"]
    links = [row(id=n.to_bytes(16), code=f"c{n}", host=hosts[n % 3]) for n in range(500)]
    await directory.copy_page(links, 1, [PROGRAM])
    await directory.end_copy(Position("here:1", 1, 1), {"": "https://example.com/"})
    directory.close()
    whole = path.read_bytes()
    usable = []
    for start in range(0, len(whole), PAGE):
        path.write_bytes(whole[:start] + bytes([0xA5]) * PAGE + whole[start + PAGE :])
        directory = Directory(path, size=10)
        usable.append(directory.usable)
        directory.close()
    assert {True, False} == {*usable}


def test_a_siblings_replica_is_taken_where_the_own_is_damaged(tmp_path: Path) -> None:
    left_in(tmp_path / "web-1", number=5)
    own = left_in(tmp_path / "web-2", number=5)
    with closing(sqlite3.connect(own)) as file:
        programs = "SELECT rootpage FROM sqlite_master WHERE name = 'programs'"
        (page,) = file.execute(programs).fetchone()
    damage(own, page - 1, 1)
    assert start_in(tmp_path / "web-2") == Position("here:1", 5, 1)


@pytest.mark.parametrize("found_by", ["reading", "writing"])
async def test_a_replica_that_is_damaged_while_it_is_used_is_filled_anew(
    found_by: str, url: str, tmp_path: Path
) -> None:
    for code in ("spring", "summer"):
        await make_link(url, code)
    async with running_road(tmp_path, url) as road:
        await road.ready()
        directory = road.road.directory
        before = directory._replica
        await directory.settle()
        replica = road.folder / REPLICA
        # All pages but the first, which has the form.
        damage(replica, 1, replica.stat().st_size // PAGE - 1)
        for connection in (before._reader, before._writer):
            connection.execute("PRAGMA shrink_memory")
        if found_by == "reading":
            assert (await road.get("/r/summer")).status_code == 302
        else:
            await moved(url, "spring", "new")
            await until(lambda: b"/new" in road.leads("spring"))
        await until(lambda: directory._replica is not before and directory.usable)
        await moved(url, "spring", "newer")
        await until(lambda: b"/newer" in road.leads("spring"))
        await until(lambda: not directory._unwritten._links)
    async with running_road(tmp_path, "postgresql://nobody@127.0.0.1:1/nothing") as road:
        assert b"/newer" in road.leads("spring")
        assert (await road.get("/r/summer")).status_code == 302


def damage(replica: Path, first: int, pages: int) -> None:
    with replica.open("r+b") as file:
        os.pwrite(file.fileno(), bytes([0xA5]) * PAGE * pages, first * PAGE)
