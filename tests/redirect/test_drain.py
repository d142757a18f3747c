import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from uuid import UUID, uuid4

import orjson
import pytest
from prometheus_client import REGISTRY

from app.ids import uuid7
from app.redirect.clicks import ClickStore
from app.redirect.folders import claim_folder, release_folder
from app.redirect.journal_file import JournalFile, journals, next_path
from app.redirect.journal_rows import JournalRow, pack
from app.redirect.postgres import connect
from tests.redirect.making import (
    clicks_in,
    connected,
    counted_in,
    drained,
    make_link,
    running_road,
    until,
)

LINK = UUID("01932f2a-0000-7000-8000-00000000beef")


@pytest.fixture
def url(fresh_database_url: str) -> str:
    return fresh_database_url


def row(click: UUID | None = None, agent: bytes = b"Mozilla", link: UUID = LINK) -> JournalRow:
    return JournalRow(1, (click or uuid7()).bytes, link.bytes, agent, b"https://blog.example/")


def leave(folder: Path, clicks: int = 1) -> None:
    """A journal of one commit, as an ended process leaves it."""
    file = JournalFile(next_path(folder))
    file.append(b"".join(pack(row()) for _ in range(clicks)), clicks)
    file.close()


async def test_rows_that_come_again_are_stored_and_counted_once(url: str) -> None:
    rows = [row() for _ in range(10)]
    async with store(url) as clicks:
        await clicks.store(rows[:7])
        await clicks.store(rows)
    async with store(url) as clicks:
        await clicks.store(rows)
    assert len(await clicks_in(url)) == 10
    assert await counted_in(url) == 10


async def test_a_row_that_stands_twice_in_a_batch_is_counted_once(url: str) -> None:
    rows = [row() for _ in range(5)]
    async with store(url) as clicks:
        await clicks.store([*rows, rows[0], *rows[3:]])
        await clicks.store([row()])
    assert len(await clicks_in(url)) == 6
    assert await counted_in(url) == 6


async def test_all_that_a_row_tells_is_stored(url: str) -> None:
    told = row()._replace(
        traffic_class=2, subs=b"sub1=a&sub2=\xc3\xa9", reason=7, visitor=b"\xff" * 7 + b"\xfe",
        country=b"DE", network=bytes((192, 0, 2)),
    )  # fmt: skip
    six = row()._replace(visitor=b"\x01" * 8, network=bytes((0x20, 1, 0xD, 0xB8, 0, 1)))
    bare = row(agent=b"")._replace(referrer=b"?q=name")
    async with store(url) as clicks:
        await clicks.store([told, six, bare])
    async with connected(url) as connection:
        found = await connection.fetch(
            "SELECT traffic_class, subs, class_reason, visitor, country, network::text, agent_id,"
            " referrer_id, recovered FROM clicks ORDER BY id"
        )
    assert [tuple(one) for one in found] == [
        (2, "sub1=a&sub2=é", 7, -2, "DE", "192.0.2.0/24", 1, 1, False),
        (1, None, 0, 0x0101010101010101, None, "2001:db8:1::/48", 1, 1, False),
        (1, None, 0, None, None, None, None, None, False),
    ]


@pytest.mark.parametrize("bad", [{"visitor": b"short"}, {"network": b"four"}], ids=str)
async def test_a_row_of_impossible_sizes_is_put_aside(url: str, bad: dict[str, bytes]) -> None:
    async with store(url) as clicks:
        await clicks.store([row(), row()._replace(**bad), row()])  # type: ignore[arg-type]
    assert len(await clicks_in(url)) == 2
    async with connected(url) as connection:
        assert await connection.fetchval("SELECT count(*) FROM quarantined_clicks") == 1


async def test_texts_are_touched_when_they_are_used_again(url: str) -> None:
    rows = [row(agent=agent) for agent in (b"used", b"unused", b"used yesterday")]
    async with store(url) as clicks, connected(url) as connection:
        await clicks.store(rows)
        await connection.execute(
            "UPDATE agents SET seen_on = CURRENT_DATE"
            " - CASE text WHEN 'used yesterday' THEN 1 ELSE 30 END"
        )
        clicks._agents._day -= timedelta(days=1)
        await clicks.store([row(agent=b"used"), row(agent=b"used yesterday")])
        found = await connection.fetch(
            "SELECT text, CURRENT_DATE - seen_on AS days FROM agents ORDER BY id"
        )
    assert dict(found) == {"used": 0, "unused": 30, "used yesterday": 1}


async def test_clicks_are_counted_on_their_own_day(url: str) -> None:
    day_ms = 1_767_225_600_000  # 2026-01-01T00:00Z
    before, after = (UUID(int=ms << 80 | 7 << 76 | 2 << 62) for ms in (day_ms - 1, day_ms))
    async with store(url) as clicks:
        await clicks.store([row(before), row(after)])
    async with connected(url) as connection:
        found = await connection.fetch(
            "SELECT on_day::text, clicks FROM link_clicks WHERE link_id = $1 ORDER BY on_day", LINK
        )
    assert [tuple(one) for one in found] == [("2025-12-31", 1), ("2026-01-01", 1)]


async def test_a_recovered_click_gets_what_it_lacks_and_is_not_counted_again(url: str) -> None:
    click = uuid7()
    async with connected(url) as connection:
        await connection.execute(
            "INSERT INTO clicks (id, link_id, traffic_class, recovered) VALUES ($1, $2, 1, true)",
            click,
            LINK,
        )
    async with store(url) as clicks:
        await clicks.store([row(click, b"first")._replace(subs=b"sub1=a")])
        await clicks.store([row(click, b"second")])
    (found,) = await clicks_in(url)
    assert (found["agent"], found["subs"], found["recovered"]) == ("first", "sub1=a", True)
    assert await counted_in(url) == 0


async def test_a_bad_row_is_put_aside_and_all_others_are_stored(url: str) -> None:
    poison = UUID(int=0xBAD)
    async with connected(url) as connection:
        await connection.execute(
            f"ALTER TABLE clicks ADD CONSTRAINT no_poison CHECK (link_id <> '{poison}')"
        )
    rows = [row() for _ in range(100)]
    bad = [row(link=poison)._replace(referrer=b"https://a.example/b?c=d"), row(link=poison)]
    async with store(url) as clicks:
        await clicks.store([*rows[:30], bad[0], *rows[30:], bad[1]])
        for _ in range(2):  # as after a crash
            await clicks.put_aside(b"not rows at all", ValueError("a journal row is cut off"))
    assert {found["id"].bytes for found in await clicks_in(url)} == {one.click for one in rows}
    assert await counted_in(url) == 100
    async with connected(url) as connection:
        aside = await connection.fetch("SELECT click_id, row, error FROM quarantined_clicks")
    kept = {one["click_id"].bytes: one for one in aside if "no_poison" in one["error"]}
    assert set(kept) == {one.click for one in bad}
    told = orjson.loads(kept[bad[0].click]["row"])
    assert (told["agent"], told["referrer"]) == ("Mozilla", "https://a.example/b")
    assert len(aside) == 3


async def test_texts_are_stored_once_and_use_up_no_numbers(url: str) -> None:
    agents = [b"", b"one", b"two\x00", b"\xff\xfe", "ключ".encode(), b"one"]
    for _ in range(3):
        async with store(url) as clicks:
            await clicks.store([row(agent=agent) for agent in agents])
    async with store(url) as clicks:
        await clicks.store([row(agent=agent) for agent in [*agents, b"last"]])
    async with connected(url) as connection:
        found = dict(await connection.fetch("SELECT id, text FROM agents ORDER BY id"))
    assert sorted(found.values()) == sorted(["one", "two\ufffd", "\ufffd\ufffd", "ключ", "last"])
    assert sorted(found) == [1, 2, 3, 4, 5]


async def test_drains_that_meet_do_not_deadlock(url: str) -> None:
    links = [uuid4() for _ in range(300)]

    async def one() -> None:
        async with store(url) as clicks:
            for turn in range(25):
                texts = [f"agent {turn} {n}".encode() for n in random.sample(range(300), 150)]
                pairs = zip(texts, random.sample(links, 150), strict=True)
                await clicks.store([row(agent=text, link=link) for text, link in pairs])

    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        for _ in range(4):
            group.create_task(one())
    assert await counted_in(url) == 4 * 25 * 150


async def test_a_process_takes_up_its_own_earlier_journals(url: str, tmp_path: Path) -> None:
    folder = claim_folder(tmp_path)
    leave(folder)
    release_folder(folder)
    await make_link(url, "spring")
    async with running_road(tmp_path, url) as road:
        assert road.folder == folder
        await drained(url, 1)
        await road.ready()
        await road.get("/r/spring")
        await drained(url, 2)
        await until(lambda: journals(folder) == [road.road.journal.path])


async def test_drained_rows_leave_the_journal(url: str, tmp_path: Path) -> None:
    await make_link(url, "spring")
    async with running_road(tmp_path, url) as road:
        await road.ready()
        for _ in range(5):
            await road.get("/r/spring")
        await drained(url, 5)
        journal = road.road.journal
        await until(lambda: journal._forget[1] > 0 and not journal._is_behind())


async def test_a_new_connection_goes_on_where_the_last_one_was(url: str, tmp_path: Path) -> None:
    await make_link(url, "spring")
    before = drained_ever()
    async with running_road(tmp_path, url) as road, connected(url) as connection:
        await road.ready()
        for clicks in (5, 10, 15):
            for _ in range(5):
                await road.get("/r/spring")
            await until(partial(drained_is, before + clicks))
            assert await connection.fetch(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND application_name = 'finderfee redirect'"
            )
    assert await counted_in(url) == 15


def drained_ever() -> float:
    return REGISTRY.get_sample_value("finderfee_clicks_drained_total") or 0.0


def drained_is(clicks: float) -> bool:
    return drained_ever() == clicks


@asynccontextmanager
async def store(url: str) -> AsyncIterator[ClickStore]:
    async with connect(url, timeout_s=10) as connection:
        yield ClickStore(connection)
