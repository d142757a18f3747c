import asyncio
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from app.db.engine import Database
from app.redirect.clicks import ClickStore
from app.redirect.journal_rows import JournalRow
from app.redirect.partitions import keep_partitions, name_of
from app.redirect.postgres import connect
from app.redirect.retention import remove_old_clicks
from tests.redirect.making import connected, make_link

SHORT, LONG = 7, 3_660


@pytest.fixture
async def links(fresh_database_url: str) -> dict[int, UUID]:
    """A link of a workspace that keeps its clicks for a week, and of one that does for years."""
    return {days: await kept_for(fresh_database_url, days) for days in (SHORT, LONG)}


async def kept_for(url: str, days: int) -> UUID:
    link = await make_link(url, f"kept{days}")
    async with connected(url) as connection:
        await connection.execute(
            "UPDATE workspaces SET click_retention_days = $1"
            " WHERE id = (SELECT workspace_id FROM links WHERE id = $2)",
            days,
            link,
        )
    return link


def day(ago: int) -> date:
    return datetime.now(UTC).date() - timedelta(days=ago)


def row(link: UUID, ago: int, *, agent: bytes = b"Mozilla") -> JournalRow:
    """A click from noon of that many days ago."""
    noon = datetime(day(ago).year, day(ago).month, day(ago).day, 12, tzinfo=UTC)
    millis = int(noon.timestamp() * 1000)
    click = UUID(int=millis << 80 | 7 << 76 | 2 << 62 | uuid4().int >> 66)
    return JournalRow(1, click.bytes, link.bytes, agent, b"")


async def stored(url: str, *rows: JournalRow) -> None:
    async with connect(url, timeout_s=10) as connection:
        await ClickStore(connection).store(rows)


async def there(url: str) -> list[tuple[UUID, str]]:
    """Each click's link and partition."""
    async with connected(url) as connection:
        found = await connection.fetch(
            "SELECT link_id, tableoid::regclass::text AS place FROM clicks ORDER BY id"
        )
    return [(one["link_id"], one["place"]) for one in found]


async def counted(url: str, link: UUID) -> int:
    async with connected(url) as connection:
        return int(
            await connection.fetchval(
                "SELECT sum(clicks) FROM link_clicks WHERE link_id = $1", link
            )
        )


async def partitions(url: str) -> Sequence[str]:
    async with connected(url) as connection:
        found = await connection.fetch(
            "SELECT relname FROM pg_class WHERE relname LIKE 'clicks\\_2%' AND relkind = 'r'"
        )
    return [one["relname"] for one in found]


async def test_a_day_that_nobody_keeps_is_dropped_and_its_counters_stay(
    fresh_database: Database,
) -> None:
    url = fresh_database.url
    link = await kept_for(url, SHORT)
    await stored(url, *(row(link, ago) for ago in (0, SHORT, SHORT + 1)))
    async with connected(url) as connection:
        # One that is out is put on a day of its own first: partitions are made for kept days.
        await connection.execute("UPDATE workspaces SET click_retention_days = 100")
    await keep_partitions(fresh_database)
    async with connected(url) as connection:
        await connection.execute("UPDATE workspaces SET click_retention_days = $1", SHORT)
    assert name_of(day(SHORT + 1)) in await partitions(url)
    await remove_old_clicks(fresh_database)
    assert await there(url) == [(link, name_of(day(SHORT))), (link, name_of(day(0)))]
    assert name_of(day(SHORT + 1)) not in await partitions(url)
    assert await counted(url, link) == 3


async def test_a_day_that_somebody_keeps_loses_only_the_others_clicks(
    fresh_database: Database, links: dict[int, UUID]
) -> None:
    url, place = fresh_database.url, name_of(day(30))
    await stored(url, *(row(link, 30) for link in links.values() for _ in range(3)))
    await keep_partitions(fresh_database)
    await remove_old_clicks(fresh_database)
    assert await there(url) == [(links[LONG], place)] * 3
    assert await counted(url, links[SHORT]) == 3
    async with connected(url) as connection:
        await connection.execute("UPDATE workspaces SET click_retention_days = 20")
    await remove_old_clicks(fresh_database)
    assert await there(url) == []
    assert place not in await partitions(url)


async def test_chunks_leave_nothing_out(
    fresh_database: Database, links: dict[int, UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.redirect.retention._CHUNK", 10)
    url = fresh_database.url
    rows = [row(links[SHORT if number % 3 else LONG], 30) for number in range(100)]
    await stored(url, *rows)
    await keep_partitions(fresh_database)
    await remove_old_clicks(fresh_database)
    assert await there(url) == [(links[LONG], name_of(day(30)))] * 34


@pytest.mark.parametrize("moved_first", [True, False])
async def test_clicks_that_come_later_than_their_retention_go_with_the_next_round(
    fresh_database: Database, links: dict[int, UUID], *, moved_first: bool
) -> None:
    url = fresh_database.url
    await remove_old_clicks(fresh_database)
    await stored(url, *(row(link, 30) for link in links.values()))
    assert {place for _, place in await there(url)} == {"clicks_default"}
    if moved_first:
        await keep_partitions(fresh_database)
    await remove_old_clicks(fresh_database)
    place = name_of(day(30)) if moved_first else "clicks_default"
    assert await there(url) == [(links[LONG], place)]
    assert await counted(url, links[SHORT]) == 1
    # The day is done with, and somebody keeps it: still, what comes now goes.
    await stored(url, row(links[SHORT], 30))
    await remove_old_clicks(fresh_database)
    assert await there(url) == [(links[LONG], place)]
    assert await counted(url, links[SHORT]) == 2


async def test_a_day_is_not_looked_at_again(
    fresh_database: Database, links: dict[int, UUID]
) -> None:
    url = fresh_database.url
    await stored(url, row(links[LONG], 30))
    await keep_partitions(fresh_database)
    await remove_old_clicks(fresh_database)
    async with connected(url) as connection:
        await connection.execute(
            "INSERT INTO clicks (id, link_id, traffic_class) VALUES ($1, $2, 1)",
            UUID(bytes=row(links[SHORT], 30).click),
            links[SHORT],
        )
    await remove_old_clicks(fresh_database)
    assert len(await there(url)) == 2, "not stored by a drain, which tells of late clicks"


async def test_a_longer_retention_keeps_what_is_there(
    fresh_database: Database, links: dict[int, UUID]
) -> None:
    url = fresh_database.url
    await remove_old_clicks(fresh_database)
    async with connected(url) as connection:
        await connection.execute("UPDATE workspaces SET click_retention_days = 100")
    await stored(url, row(links[SHORT], 30), row(links[SHORT], 101))
    await keep_partitions(fresh_database)
    await remove_old_clicks(fresh_database)
    assert await there(url) == [(links[SHORT], name_of(day(30)))]


async def test_a_round_gives_way_to_readers_and_is_done_again(fresh_database: Database) -> None:
    url = fresh_database.url
    link = await kept_for(url, 40)
    await stored(url, row(link, 30), row(link, 0))
    await keep_partitions(fresh_database)
    async with connected(url) as connection:
        await connection.execute("UPDATE workspaces SET click_retention_days = 7")
        async with connected(url) as reader, reader.transaction():
            await reader.fetch("SELECT FROM clicks")
            async with asyncio.timeout(5):
                await remove_old_clicks(fresh_database)
        assert len(await there(url)) == 2
        await remove_old_clicks(fresh_database)
    assert await there(url) == [(link, name_of(day(0)))]


async def test_texts_go_with_the_last_click_that_can_name_them(
    fresh_database: Database, links: dict[int, UUID]
) -> None:
    url = fresh_database.url
    await stored(
        url,
        *(row(links[LONG], 30, agent=agent) for agent in (b"kept", b"since")),
        row(links[SHORT], 60, agent=b"gone"),
    )
    await keep_partitions(fresh_database)
    async with connected(url) as connection:
        await connection.execute(
            "UPDATE agents SET seen_on = CURRENT_DATE"
            " - CASE text WHEN 'gone' THEN 60 WHEN 'kept' THEN 30 ELSE 0 END"
        )
        await remove_old_clicks(fresh_database)
        agents = await connection.fetch("SELECT text FROM agents ORDER BY text")
        assert [one["text"] for one in agents] == ["kept", "since"]
        await connection.execute("UPDATE workspaces SET click_retention_days = 7")
        await remove_old_clicks(fresh_database)
        agents = await connection.fetch("SELECT text FROM agents")
        assert [one["text"] for one in agents] == ["since"]


async def test_no_click_names_a_text_that_retention_removes_meanwhile(
    fresh_database: Database, links: dict[int, UUID]
) -> None:
    url = fresh_database.url
    texts = [f"agent {number}".encode() for number in range(40)]
    async with connect(url, timeout_s=10) as drain, connected(url) as connection:
        store = ClickStore(drain)
        for turn in range(40):
            await connection.execute("UPDATE agents SET seen_on = CURRENT_DATE - 100")
            # As on another day: what was remembered is looked up anew.
            store._agents._day = date.min
            chosen = [*texts[turn % 20 : turn % 20 + 20], f"new {turn}".encode()]
            rows = [row(links[SHORT], 0, agent=agent) for agent in chosen]
            async with asyncio.timeout(20), asyncio.TaskGroup() as group:
                group.create_task(store.store(rows))
                group.create_task(remove_old_clicks(fresh_database))
            named = await connection.fetchval(
                "SELECT count(*) FROM clicks JOIN agents ON agents.id = agent_id"
                " WHERE clicks.id = ANY($1)",
                [UUID(bytes=one.click) for one in rows],
            )
            assert named == 21


async def test_quarantined_rows_go_with_the_longest_retention(
    fresh_database: Database, links: dict[int, UUID]
) -> None:
    async with connected(fresh_database.url) as connection:
        for days in (LONG - 1, LONG + 1):
            await connection.execute(
                "INSERT INTO quarantined_clicks (click_id, row, error, quarantined_at)"
                " VALUES ($1, '', '', now() - make_interval(days => $2))",
                uuid4(),
                days,
            )
        await remove_old_clicks(fresh_database)
        left = await connection.fetchval("SELECT count(*) FROM quarantined_clicks")
    assert left == 1
