import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from app.db.engine import Database
from app.redirect.clicks import ClickStore
from app.redirect.journal_rows import JournalRow
from app.redirect.partitions import keep_partitions, make_partitions, name_of
from app.redirect.postgres import connect
from tests.redirect.making import clicks_in, connected, counted_in, make_link


def click_at(at: datetime) -> UUID:
    return UUID(int=int(at.timestamp() * 1000) << 80 | 7 << 76 | 2 << 62 | uuid4().int >> 96)


async def test_a_week_of_partitions_is_made_ahead(fresh_database: Database) -> None:
    for _ in range(2):
        async with fresh_database.tx() as tx:
            await make_partitions(tx)
    today = datetime.now(UTC).date()
    expected = [f"clicks_{today + timedelta(days=day):%Y%m%d}" for day in range(8)]
    async with connected(fresh_database.url) as connection:
        found = await connection.fetch(
            "SELECT inhrelid::regclass::text AS name FROM pg_inherits"
            " WHERE inhparent = 'clicks'::regclass ORDER BY name"
        )
    assert [row["name"] for row in found] == [*expected, "clicks_default"]


async def test_strays_move_to_their_day(fresh_database: Database) -> None:
    await make_link(fresh_database.url, "kept")
    now = datetime.now(UTC)
    fits = [click_at(now), click_at(now - timedelta(days=3)), click_at(now + timedelta(days=2))]
    never = [click_at(now + timedelta(days=3_000)), click_at(now - timedelta(days=397))]
    async with connected(fresh_database.url) as connection:
        for click in fits + never:
            await connection.execute(
                "INSERT INTO clicks (id, link_id, traffic_class) VALUES ($1, $2, 1)", click, click
            )
        async with fresh_database.tx() as tx:
            await make_partitions(tx)
        everywhere = await connection.fetch("SELECT id, tableoid::regclass::text FROM clicks")
        where = {row["id"]: row["tableoid"] for row in everywhere}
    assert set(where) == {*fits, *never}
    assert {where[click] for click in never} == {"clicks_default"}
    assert where[fits[0]] == f"clicks_{now:%Y%m%d}"
    assert where[fits[1]] == f"clicks_{now - timedelta(days=3):%Y%m%d}"
    assert where[fits[2]] == f"clicks_{now + timedelta(days=2):%Y%m%d}"


async def test_strays_move_as_far_back_as_somebody_keeps_clicks(fresh_database: Database) -> None:
    await make_link(fresh_database.url, "kept")
    old = datetime.now(UTC) - timedelta(days=3_000)
    async with connected(fresh_database.url) as connection:
        await connection.execute("UPDATE workspaces SET click_retention_days = 3660")
        await connection.execute(
            "INSERT INTO clicks (id, link_id, traffic_class) VALUES ($1, $1, 1)", click_at(old)
        )
        await keep_partitions(fresh_database)
        place = await connection.fetchval("SELECT tableoid::regclass::text FROM clicks")
    assert place == name_of(old.date())


async def test_many_days_of_strays_are_moved_in_many_transactions(
    fresh_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.redirect.partitions._MOVED_AT_ONCE", 5)
    monkeypatch.setattr("app.redirect.partitions._DAYS_AT_ONCE", 4)
    await make_link(fresh_database.url, "kept")
    now = datetime.now(UTC)
    async with connected(fresh_database.url) as connection:
        for ago in range(1, 10):
            for _ in range(3):
                await connection.execute(
                    "INSERT INTO clicks (id, link_id, traffic_class) VALUES ($1, $1, 1)",
                    click_at(now - timedelta(days=ago)),
                )
        async with fresh_database.tx() as tx:
            assert await make_partitions(tx), "some are left"
        assert await connection.fetchval("SELECT count(*) FROM clicks_default") == 27 - 6
        await keep_partitions(fresh_database)
        assert await connection.fetchval("SELECT count(*) FROM clicks_default") == 0
        assert await connection.fetchval("SELECT count(*) FROM clicks") == 27


async def test_clicks_that_no_day_takes_are_told_of(fresh_database: Database) -> None:
    future = click_at(datetime.now(UTC) + timedelta(days=3_000))
    async with connected(fresh_database.url) as connection:
        await connection.execute(
            "INSERT INTO clicks (id, link_id, traffic_class) VALUES ($1, $1, 1)", future
        )
    with capture_logs() as logs:
        await keep_partitions(fresh_database)
    assert [(one["event"], one["clicks"], one["log_level"]) for one in logs] == [
        ("clicks.in_default_partition", 1, "error")
    ]
    assert REGISTRY.get_sample_value("finderfee_clicks_in_default_partition") == 1


async def test_a_drain_that_goes_on_while_partitions_are_made_loses_nothing(
    fresh_database: Database,
) -> None:
    url = fresh_database.url
    link = await make_link(url, "spring")
    now = datetime.now(UTC)
    rows = [
        JournalRow(1, click_at(now - timedelta(days=number % 30)).bytes, link.bytes, b"a", b"")
        for number in range(6_000)
    ]
    done = asyncio.Event()

    async def drain(own: list[JournalRow]) -> None:
        async with connect(url, timeout_s=10) as connection:
            clicks = ClickStore(connection)
            for first in range(0, len(own), 50):
                await clicks.store(own[first : first + 50])

    async def make() -> None:
        while not done.is_set():
            await keep_partitions(fresh_database)

    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        making = group.create_task(make())
        drains = [group.create_task(drain(rows[part::2])) for part in range(2)]
        await asyncio.wait(drains)
        done.set()
        await making
    await keep_partitions(fresh_database)
    async with connected(url) as connection:
        assert await connection.fetchval("SELECT count(*) FROM clicks_default") == 0
    assert {found["id"].bytes for found in await clicks_in(url)} == {one.click for one in rows}
    assert await counted_in(url) == 6_000


async def test_a_click_that_waits_for_its_partition_is_not_put_aside(
    fresh_database: Database,
) -> None:
    """It was on its way into the default partition, which may not take it any more."""
    link = await make_link(fresh_database.url, "spring")
    row = JournalRow(1, click_at(datetime.now(UTC)).bytes, link.bytes, b"a", b"")
    async with connect(fresh_database.url, timeout_s=10) as connection:
        clicks = ClickStore(connection)
        await clicks.store([row._replace(click=click_at(datetime.now(UTC)).bytes)])
        async with fresh_database.tx() as tx:
            await make_partitions(tx)
            storing = asyncio.create_task(clicks.store([row]))
            await asyncio.sleep(0.3)
            assert not storing.done()
        await storing
    assert len(await clicks_in(fresh_database.url)) == 2


async def test_a_click_lands_in_the_partition_of_its_millisecond(fresh_database: Database) -> None:
    async with fresh_database.tx() as tx:
        await make_partitions(tx)
    midnight = datetime.combine(datetime.now(UTC).date() + timedelta(days=2), datetime.min.time())
    first = UUID(int=int(midnight.replace(tzinfo=UTC).timestamp() * 1000) << 80)
    last = UUID(int=first.int - 1)
    async with connected(fresh_database.url) as connection:
        for click in (first, last):
            await connection.execute(
                "INSERT INTO clicks (id, link_id, traffic_class) VALUES ($1, $1, 1)", click
            )
        rows = await connection.fetch(
            "SELECT tableoid::regclass::text AS t FROM clicks ORDER BY id"
        )
    yesterday = midnight - timedelta(days=1)
    assert [row["t"] for row in rows] == [f"clicks_{yesterday:%Y%m%d}", f"clicks_{midnight:%Y%m%d}"]
