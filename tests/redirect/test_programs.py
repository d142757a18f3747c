"""What links have of their program: one change of it is seen on all of them, in any order."""

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path
from uuid import uuid4

import pytest

from app.db.engine import Database
from app.program.programs.change import ProgramUpdate, archive, change
from app.redirect.directory import Directory
from app.redirect.link_row import Known
from app.redirect.replica import Position
from tests.making import Shop, make_shop, percent
from tests.redirect.making import Running, connected, make_link, running_road, until
from tests.redirect.test_target import PROGRAM, row

LINKS = 20_000
NOWHERE = "postgresql://nobody@127.0.0.1:1/nothing"
_COPIES = """
    INSERT INTO links (id, workspace_id, program_id, partner_id, host, code, destination,
                       click_parameter, fallback, is_default, subs)
    SELECT gen_random_uuid(), workspace_id, program_id, partner_id, '', 'code' || n, destination,
           click_parameter, CASE WHEN n % 2 = 0 THEN 'https://shop.example/over' END, false, subs
    FROM links, generate_series(1, $1::int) AS n
"""


@pytest.fixture
def url(fresh_database_url: str) -> str:
    return fresh_database_url


async def filled(database: Database, links: int = 4) -> Shop:
    """A program with `code1` to the last; those of even numbers have a fallback."""
    shop = await make_shop(database, percent(2000), ("ana",))
    async with database.tx() as tx:
        await (await tx.driver()).execute(_COPIES, links)
    return shop


async def patched(database: Database, shop: Shop, **changes: object) -> None:
    async with database.tx() as tx:
        wanted = ProgramUpdate.model_validate(changes)
        await change(tx, shop.workspace, shop.programs["main"], wanted)


async def location(road: Running, code: str) -> str:
    return str((await road.get(f"/r/{code}")).headers.get("location", ""))


def carries(road: Running, codes: Sequence[str], parameter: str) -> bool:
    """Whether memory, or the replica, has it on all of these."""
    found = [road.road.directory.find("", code) for code in codes]
    return all(target and f"{parameter}=".encode() in target.way(b"")[0] for target in found)


async def test_a_patch_is_seen_on_all_links_in_every_process_within_a_second(
    url: str, fresh_database: Database, tmp_path: Path
) -> None:
    shop = await filled(fresh_database, LINKS)
    async with running_road(tmp_path, url) as one, running_road(tmp_path, url) as two:
        await one.ready()
        await two.ready()
        sample = [f"code{n}" for n in range(1, LINKS, LINKS // 200)]
        assert carries(one, sample, "click_id") and carries(two, sample[::2], "click_id")
        began = time.monotonic()
        await patched(fresh_database, shop, click_parameter="ref", utm={"source": "{link_code}"})
        assert time.monotonic() - began < 1
        for road in (one, two):
            await until(lambda road=road: carries(road, sample, "ref"), timeout_s=1)  # type: ignore[misc]
            answered = await location(road, sample[7])
            assert f"utm_source={sample[7]}&ref=" in answered and "click_id" not in answered


async def test_archiving_a_program_ends_its_links(
    url: str, fresh_database: Database, tmp_path: Path
) -> None:
    shop = await filled(fresh_database)
    await make_link(url, "other")
    async with running_road(tmp_path, url) as road:
        await road.ready()
        assert (await road.get("/r/code1")).status_code == 302
        async with fresh_database.tx() as tx:
            await archive(tx, shop.workspace, shop.programs["main"])
        find = road.road.directory.find
        await until(lambda: (target := find("", "code1")) is not None and target.expires_at == 0)
        assert (await road.get("/r/code1")).status_code == 410
        assert await location(road, "code2") == "https://shop.example/over"
        assert (await road.get("/r/other")).status_code == 302
    async with running_road(tmp_path, NOWHERE) as road:
        assert (await road.get("/r/code1")).status_code == 410


async def test_a_restart_without_postgres_keeps_what_the_program_says(
    url: str, fresh_database: Database, tmp_path: Path
) -> None:
    shop = await filled(fresh_database)
    async with running_road(tmp_path, url) as road:
        await road.ready()
        await patched(fresh_database, shop, click_parameter="ref", keeps_network=True)
        await until(lambda: carries(road, ["code1"], "ref"))
    async with running_road(tmp_path, NOWHERE) as road:
        assert "ref=" in await location(road, "code1")
        target = road.road.directory.find("", "code2")
        assert target is not None and target.keeps_network
        assert target.workspace == shop.workspace.bytes


async def test_a_program_and_its_links_may_change_in_any_order(
    url: str, fresh_database: Database, tmp_path: Path
) -> None:
    await filled(fresh_database)
    programs = "UPDATE programs SET click_parameter = $1"
    links = "UPDATE links SET destination = 'https://shop.example/' || $1 WHERE code = 'code1'"
    async with running_road(tmp_path, url) as road, connected(url) as connection:
        await road.ready()
        for parameter, (late, soon) in {"p1": (programs, links), "p2": (links, programs)}.items():
            held = connection.transaction()
            await held.start()
            await connection.execute(late, parameter)
            async with connected(url) as other:
                await other.execute(soon, parameter)
            await make_link(url, f"after-{parameter}")
            await road.knows(f"after-{parameter}")
            await held.commit()
            await until(lambda parameter=parameter: carries(road, ["code1"], parameter))  # type: ignore[misc]
            await follows(road, "code1", f"https://shop.example/{parameter}?{parameter}=")


async def test_a_program_s_change_that_commits_late_while_nobody_runs_is_not_missed(
    url: str, fresh_database: Database, tmp_path: Path
) -> None:
    await filled(fresh_database)
    async with connected(url) as connection:
        held = connection.transaction()
        await held.start()
        await connection.execute("UPDATE programs SET click_parameter = 'late'")
        async with running_road(tmp_path, url) as road:
            await road.ready()
            await make_link(url, "quick")
            await road.knows("quick")
        await held.commit()
    async with running_road(tmp_path, url) as road:
        await until(lambda: carries(road, ["code1"], "late"))


async def test_a_link_taken_before_its_turn_brings_its_program(url: str, tmp_path: Path) -> None:
    bulk = await make_link(url, "bulk")
    changes = "INSERT INTO link_changes (link_id) SELECT $1 FROM generate_series(1, 50000)"
    async with running_road(tmp_path, url) as road, connected(url) as connection:
        await road.ready()
        await connection.execute(changes, bulk)
        await make_link(url, "new", click_parameter="ref")
        newest = await connection.fetchval("SELECT max(number) FROM link_changes")
        await until(lambda: carries(road, ["new"], "ref"))
        position = road.road.directory.position
        assert position is not None and position.number < newest
    async with running_road(tmp_path, NOWHERE) as road:
        assert "ref=" in await location(road, "new")


async def test_a_code_asked_of_postgres_has_its_program_s_settings(
    url: str, tmp_path: Path
) -> None:
    """The replica lacks it, as before the first copy has ended."""
    await make_link(url, "asked", click_parameter="ref", program_utm={"term": "common"})
    async with running_road(tmp_path, url) as road, connected(url) as connection:
        await road.ready()
        for name in ("note_insert", "note_update"):
            await connection.execute(f"ALTER TABLE links DISABLE TRIGGER {name}")
        await make_link(url, "untold", click_parameter="ref", program_utm={"term": "common"})
        assert "utm_term=common&ref=" in await location(road, "untold")
        assert road.road.directory.find("", "untold") is not None
        await connection.execute("UPDATE programs SET click_parameter = 'new'")
        # Known to memory alone, and yet its program's change is seen.
        await follows(road, "untold", "https://shop.example/landing?utm_term=common&new=")


async def test_an_answer_that_is_older_than_the_program_s_change_is_not_kept(
    tmp_path: Path,
) -> None:
    directory = Directory(tmp_path / "links.sqlite", size=10)
    at = Position("here:1", 1, 1)
    await directory.copy_page([row(code="here")], 1, [PROGRAM])
    await directory.end_copy(at, {})
    asked = asyncio.create_task(directory.ask("", "spring"))
    await asyncio.sleep(0)
    before = directory._asking._changes
    changed = PROGRAM._replace(click_parameter="ref")
    await directory.apply([], [], at, None, [changed])
    directory._asking._settle([("", "spring")], [Known(row(), PROGRAM)], before)
    assert await asked is not None
    assert directory.find("", "spring") is None
    assert directory._programs == {changed.id: changed}
    directory.close()


async def test_only_the_changed_program_s_links_are_worked_out_anew(tmp_path: Path) -> None:
    directory = Directory(tmp_path / "links.sqlite", size=3)
    at, other = Position("here:1", 1, 1), PROGRAM._replace(id=bytes(16))
    links = [row(id=bytes([n]) * 16, code=f"c{n}") for n in range(3)]
    theirs = row(id=b"x" * 16, code="theirs", program=other.id)
    await directory.copy_page([*links, theirs], 1, [PROGRAM, other])
    await directory.end_copy(at, {})
    kept, forgotten = directory.find("", "theirs"), directory.find("", "c0")
    for _ in range(5):
        await directory.apply([], [], at, None, [PROGRAM._replace(utm='{"term": "x"}'), other])
    assert directory.find("", "theirs") is kept
    assert directory.find("", "c0") is not forgotten
    for code in ("c0", "c1", "c2", "theirs"):
        assert directory.find("", code) is directory.find("", code)
    assert len(directory._targets) == 3
    directory.close()


async def test_a_replica_of_the_previous_release_is_copied_anew(url: str, tmp_path: Path) -> None:
    await make_link(url, "spring", click_parameter="ref")
    async with running_road(tmp_path, url) as road:
        await road.ready()
        replica = road.folder / "links.sqlite"
    with contextlib.closing(sqlite3.connect(replica)) as file, file:
        file.execute("DROP TABLE programs")
        file.execute("PRAGMA user_version = 4")
    async with running_road(tmp_path, url) as road:
        await until(lambda: carries(road, ["spring"], "ref"))


async def test_a_copy_anew_takes_programs_as_they_are_by_now(
    url: str, fresh_database: Database, tmp_path: Path
) -> None:
    """While another database's, or an older one's, still serve."""
    await filled(fresh_database)
    async with running_road(tmp_path, url) as road, connected(url) as connection:
        await road.ready()
        await connection.execute("ALTER TABLE programs DISABLE TRIGGER note_update")
        await connection.execute("UPDATE programs SET click_parameter = 'ref'")
    with contextlib.closing(sqlite3.connect(road.folder / "links.sqlite")) as file, file:
        file.execute("UPDATE position SET source = 'another'")
        gone = (uuid4().bytes, bytes(16), "click_id", "{}", 0, 0, 1)
        file.execute("INSERT INTO programs VALUES (?, ?, ?, ?, ?, ?, ?)", gone)
    async with running_road(tmp_path, url) as road:
        await until(lambda: carries(road, ["code1"], "ref"))
        await until(lambda: gone[0] not in road.road.directory._programs)


async def follows(road: Running, code: str, start: str) -> None:
    async with asyncio.timeout(5):
        while not (await location(road, code)).startswith(start):
            await asyncio.sleep(0.01)
