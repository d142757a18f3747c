"""Without Postgres a start knows what any process of the node knew; dead ones' replicas go."""

import os
import shutil
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest

from app.redirect import siblings, standing
from app.redirect.folders import claim_folder, release_folder
from app.redirect.replica import Position, Replica
from app.redirect.replica_file import VERSION
from app.redirect.siblings import LEFT_S, REPLICA, catch_up, remove_left
from tests.redirect.making import (
    Running,
    connected,
    gate_to,
    make_link,
    moved,
    running_road,
    until,
)
from tests.redirect.test_directory import ended
from tests.redirect.test_target import row


@pytest.fixture
def url(fresh_database_url: str) -> str:
    return fresh_database_url


async def test_a_start_without_postgres_knows_what_a_dead_process_knew(
    url: str, tmp_path: Path
) -> None:
    await make_link(url, "moved")
    await make_link(url, "ended")
    async with gate_to(url) as gate:
        async with running_road(tmp_path, gate.url) as road:
            await road.ready()
            await change(url)
            await knows_the_changes(road)
        await gate.shut()
        # As while a living process empties the dead one's journals.
        held = claim_folder(tmp_path)
        async with running_road(tmp_path, gate.url) as road:
            assert (held.name, road.folder.name) == ("web-1", "web-2")
            await serves_the_changes(road)
        release_folder(held)


async def test_a_start_without_postgres_learns_from_a_living_process_what_changed_meanwhile(
    url: str, tmp_path: Path
) -> None:
    await make_link(url, "moved")
    await make_link(url, "ended")
    async with gate_to(url) as gate:
        async with running_road(tmp_path, gate.url) as first, running_road(tmp_path, url) as other:
            await first.ready()
            await other.ready()
            assert other.folder.name == "web-2"
        async with running_road(tmp_path, gate.url) as living:
            await living.ready()
            await change(url)
            await knows_the_changes(living)
            await gate.shut()
            before = (living.folder / REPLICA).stat()
            async with running_road(tmp_path, gate.url) as road:
                assert road.folder.name == "web-2"
                await serves_the_changes(road)
            await serves_the_changes(living)
            assert (living.folder / REPLICA).stat().st_ino == before.st_ino


def test_a_replica_that_is_as_far_is_left_alone(tmp_path: Path) -> None:
    own = left_in(tmp_path / "web-2", number=7)
    inode = own.stat().st_ino
    left_in(tmp_path / "web-1", number=7)
    left_in(tmp_path / "web-3", number=6)
    catch_up(own.parent)
    assert own.stat().st_ino == inode


@pytest.mark.parametrize("own", [None, 5, 8])
def test_the_newest_of_all_is_taken(own: int | None, tmp_path: Path) -> None:
    if own:
        left_in(tmp_path / "web-2", number=own)
    for folder, number in enumerate((6, 9, 7), 3):
        left_in(tmp_path / f"web-{folder}", number=number)
    taken = start_in(tmp_path / "web-2")
    assert taken == Position("here:1", 9, 1)
    assert standing.read(tmp_path / "web-2" / REPLICA) is not None


def test_the_database_that_was_followed_last_counts(tmp_path: Path) -> None:
    left_in(tmp_path / "web-2", number=900, source="before:1")
    left_in(tmp_path / "web-1", number=800, source="before:1")
    left_in(tmp_path / "web-3", number=3)
    for name, hours in (("web-2", 2), ("web-1", 1)):
        then = time.time() - hours * 3_600
        os.utime(tmp_path / name / "links.position", (then, then))
    assert start_in(tmp_path / "web-2") == Position("here:1", 3, 1)


def test_another_releases_replica_is_not_taken(tmp_path: Path) -> None:
    other = left_in(tmp_path / "web-1", number=9)
    with closing(sqlite3.connect(other)) as file:
        file.execute(f"PRAGMA user_version = {VERSION - 1}")
    assert start_in(tmp_path / "web-2") is None
    standing.note(other, VERSION - 1, "here:1", 9)
    left_in(tmp_path / "web-3", number=4)
    assert start_in(tmp_path / "web-2") == Position("here:1", 4, 1)


def test_what_cannot_be_taken_stops_no_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "web-1").mkdir()
    (tmp_path / "web-1" / REPLICA).write_bytes(b"no database at all" * 500)
    standing.note(tmp_path / "web-1" / REPLICA, VERSION, "here:1", 9)
    left_in(tmp_path / "web-2", number=2)
    assert start_in(tmp_path / "web-2") == Position("here:1", 2, 1)
    (tmp_path / "web-1" / REPLICA).unlink()
    (tmp_path / "web-1" / REPLICA).mkdir()
    left_in(tmp_path / "web-3", number=8)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=10_000))
        assert start_in(tmp_path / "web-2") == Position("here:1", 2, 1)
    assert list((tmp_path / "web-2").glob("links.taken*")) == []
    assert start_in(tmp_path / "web-2") == Position("here:1", 8, 1)


@pytest.mark.parametrize(
    ("times", "meanwhile", "comes"),
    [
        (9, "nothing", "whole"),
        (9, "checkpoint", "whole"),
        (1, "settle", "whole"),
        (9, "settle", "none"),
    ],
)
def test_a_copy_of_a_replica_that_is_written_meanwhile_is_whole_or_none(
    times: int, meanwhile: str, comes: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every link of one state, at the position of that state."""
    living = tmp_path / "web-1" / REPLICA
    living.parent.mkdir()
    replica = Replica(living)
    state(replica, 1)
    replica.settle()
    state(replica, 2)
    written = 2

    def copy(source: Path, to: Path) -> None:
        nonlocal written
        content = source.read_bytes()
        if source.name == REPLICA and written < 2 + times:
            written += 1
            state(replica, written)
            if meanwhile == "settle":
                replica.settle()
            elif meanwhile == "checkpoint":
                replica._writer.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            half = len(content) // 2
            content = content[:half] + source.read_bytes()[half:]
        to.write_bytes(content)

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copyfile", copy)
        taken = start_in(tmp_path / "web-2")
    replica.close()
    if comes == "none":
        assert taken is None
        return
    assert taken == Position("here:1", written, 1)
    with closing(sqlite3.connect(tmp_path / "web-2" / REPLICA)) as file:
        assert file.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        found = file.execute("SELECT destination, count(*) FROM links GROUP BY 1").fetchall()
    assert found == [(f"https://shop.example/{written}", 200)]


def test_dead_processes_replicas_are_removed_after_an_hour(tmp_path: Path) -> None:
    own = claim_folder(tmp_path)
    living = claim_folder(tmp_path)
    folders = {name: tmp_path / name for name in ("web-3", "web-4", "web-5")}
    for folder in (own, living, *folders.values()):
        left_in(folder, number=8 if folder.name == "web-5" else 5)
    (folders["web-3"] / "journal-1.log").write_bytes(b"clicks")
    for folder, minutes in ((living, 90), (folders["web-3"], 61), (folders["web-5"], 61)):
        ago = time.time() - minutes * 60
        os.utime(folder / "lock", (ago, ago))
    remove_left(own)
    kept = [folder.name for folder in sorted(tmp_path.glob("web-*")) if list(folder.glob("links*"))]
    assert kept == ["web-1", "web-2", "web-4", "web-5"], "web-5 knows more than web-1 does"
    assert [path.name for path in sorted(folders["web-3"].iterdir())] == ["journal-1.log", "lock"]
    left_in(own, number=8)
    remove_left(own)
    assert list(folders["web-5"].glob("links*")) == []
    release_folder(own)
    release_folder(living)


async def test_a_living_process_removes_them_while_it_runs(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(siblings, "TIDY_S", 0.1)
    left_in(tmp_path / "web-7", number=0, source="before:1")
    ago = time.time() - LEFT_S - 1
    for name in ("lock", "links.position"):
        os.utime(tmp_path / "web-7" / name, (ago, ago))
    await make_link(url, "spring")
    async with running_road(tmp_path, url) as road:
        await road.knows("spring")
        os.utime(road.folder / "lock", (ago, ago))
        await until(lambda: not list((tmp_path / "web-7").glob("links*")))
        await until(lambda: (road.folder / "lock").stat().st_mtime > ago + 1)
        assert (road.folder / REPLICA).exists()


def test_what_a_link_said_before_is_nowhere_in_the_files(tmp_path: Path) -> None:
    replica = Replica(tmp_path / REPLICA)
    at = Position("here:1", 1, 1)
    links = [row(id=bytes([n]) * 16, code=f"c{n}", asset="Zwiebelfisch" * 600) for n in range(9)]
    replica.copy_page(links, 1)
    replica.end_copy(at, {})
    assert b"Zwiebelfisch" in contents(tmp_path)
    replica.settle()
    assert b"Zwiebelfisch" in contents(tmp_path)
    kept = [link._replace(asset="") for link in links[:5]]
    replica.apply(kept, [link.id for link in links[5:]], at._replace(number=2))
    replica.settle()
    assert b"Zwiebelfisch" not in contents(tmp_path)
    replica.close()


def state(replica: Replica, number: int) -> None:
    """200 links that say the number, on some fifty pages."""
    destination = f"https://shop.example/{number}"
    links = [
        row(id=bytes([n]) * 16, code=f"c{n}", destination=destination, asset=str(number) * 900)
        for n in range(200)
    ]
    replica.apply(links, [], Position("here:1", number, 1))


async def change(url: str) -> None:
    await moved(url, "moved", "new")
    async with connected(url) as connection:
        await connection.execute("UPDATE links SET archived_at = now() WHERE code = 'ended'")


async def knows_the_changes(road: Running) -> None:
    directory = road.road.directory
    await until(lambda: b"/new" in road.leads("moved") and ended(directory, "ended"))


async def serves_the_changes(road: Running) -> None:
    assert road.road.directory.usable, "before Postgres could be asked"
    await road.ready()
    answer = await road.get("/r/moved")
    assert answer.headers["location"].startswith("https://shop.example/new?")
    assert (await road.get("/r/ended")).status_code == 410


def left_in(folder: Path, *, number: int, source: str = "here:1") -> Path:
    """A whole replica, as an ended process leaves it."""
    folder.mkdir(exist_ok=True)
    (folder / "lock").touch()
    replica = Replica(folder / REPLICA)
    replica.end_copy(Position(source, number, 1), {})
    replica.close()
    return folder / REPLICA


def start_in(folder: Path) -> Position | None:
    """What a process knows that starts there without Postgres."""
    folder.mkdir(exist_ok=True)
    catch_up(folder)
    replica = Replica(folder / REPLICA)
    try:
        return replica.position()
    finally:
        replica.close()


def contents(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir())
