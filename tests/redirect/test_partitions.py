from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from app.db.engine import Database
from app.redirect.partitions import make_partitions
from tests.redirect.making import connected


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
    now = datetime.now(UTC)
    fits = [click_at(now), click_at(now - timedelta(days=3)), click_at(now + timedelta(days=2))]
    never = [click_at(now + timedelta(days=3_000)), click_at(now - timedelta(days=3_000))]
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
