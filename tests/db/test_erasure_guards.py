"""The database lets nothing but an erasure take raw bodies away, and that not without a trace."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.db.engine import Database
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
