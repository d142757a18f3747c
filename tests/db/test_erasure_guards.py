"""The database lets nothing but an erasure take raw bodies away, and that not without a trace."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.db.engine import Database
from app.redirect.partitions import days_with_partitions, make_partitions
from tests.erasing import Erasing, open_erasing, signup
from tests.making import lead

_RESTRICT_VIOLATION = "23001"


@pytest.fixture
async def erasing(fresh_database: Database) -> Erasing:
    return await open_erasing(fresh_database)


@pytest.mark.parametrize(
    "statements",
    [
        ["DELETE FROM event_bodies"],
        ["SELECT set_config('finderfee.erasing', gen_random_uuid()::text, true)",
         "DELETE FROM event_bodies"],
        ["SELECT set_config('finderfee.erasing', id::text, true) FROM erasures",
         "DELETE FROM event_bodies"],
        ["SELECT set_config('finderfee.body_retention', 'on', true)",
         "DELETE FROM event_bodies"],
        ["UPDATE event_bodies SET body = 'x'"],
        ["UPDATE event_bodies SET event_id = gen_random_uuid()"],
        ["TRUNCATE event_bodies"],
        ["UPDATE erasures SET counts = '{}'"],
        ["DELETE FROM erasures"],
        ["TRUNCATE erasures"],
    ],
)  # fmt: skip
async def test_only_an_erasure_deletes_and_it_leaves_its_trace(
    erasing: Erasing, statements: list[str]
) -> None:
    """Not even the id of an earlier erasure opens the way again."""
    await erasing.shop.tell(signup())
    await erasing.erase((await erasing.customer()).id)
    await erasing.shop.tell(lead("u-other"))
    with pytest.raises(DBAPIError, match=r"is append-only|is insert-only") as refused:
        await _run(erasing.shop.database, statements)
    assert getattr(refused.value.orig, "sqlstate", "") == _RESTRICT_VIOLATION


async def _run(database: Database, statements: list[str]) -> None:
    async with database.tx() as tx:
        for statement in statements:
            await tx.execute(text(statement))


async def test_the_planner_keeps_no_copies_of_personal_columns(fresh_database: Database) -> None:
    async with fresh_database.tx() as tx:
        await make_partitions(tx)
        kept = await tx.execute(
            text(
                "SELECT attrelid::regclass::text AS place, attname FROM pg_attribute"
                " WHERE attname = ANY(:columns) AND attstattarget IS DISTINCT FROM 0"
                " AND attrelid IN (SELECT oid FROM pg_class WHERE relkind IN ('r', 'p')"
                "   AND relnamespace = 'public'::regnamespace) ORDER BY 1"
            ),
            {"columns": ["email", "body", "contact", "subs", "network", "destination", "utm"]},
        )
        places = [(row.place, row.attname) for row in kept]
        partitions = await days_with_partitions(tx)
    # A digest, for two days; and a program's UTM templates are nobody's.
    assert places == [("idempotency_keys", "body"), ("programs", "utm")]
    assert partitions


async def test_copies_that_an_earlier_release_left_are_dropped(fresh_database: Database) -> None:
    """Setting a column's type to what it is drops them, and rewrites nothing."""
    async with fresh_database.tx() as tx:
        await tx.execute(text("CREATE TABLE t AS SELECT 'a@example.com'::text AS email"))
        await tx.execute(text("INSERT INTO t SELECT 'b@example.com' FROM generate_series(1, 9)"))
        await tx.execute(text("ANALYZE t"))
        file = await tx.scalar(text("SELECT pg_relation_filenode('t')"))
        assert await tx.scalar(text("SELECT count(*) FROM pg_stats WHERE tablename = 't'")) == 1
        await tx.execute(text("ALTER TABLE t ALTER email TYPE text, ALTER email SET STATISTICS 0"))
        await tx.execute(text("ANALYZE t"))
        assert await tx.scalar(text("SELECT count(*) FROM pg_stats WHERE tablename = 't'")) == 0
        assert await tx.scalar(text("SELECT pg_relation_filenode('t')")) == file
