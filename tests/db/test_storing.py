"""What is stored at once, by two that hold the same messages in another order."""

import asyncio
from collections.abc import Sequence

import pytest
from sqlalchemy import text

from app.conversions.intake import incoming
from app.conversions.intake.incoming import Incoming
from app.db.engine import Database
from app.db.tx import Tx
from tests.making import CLICK_KEYS, Shop, lead, make_shop, now

WAITING = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    " AND wait_event_type = 'Lock'"
)


@pytest.fixture
async def shop(fresh_database: Database) -> Shop:
    return await make_shop(fresh_database)


def messages(shop: Shop, users: str) -> list[Incoming]:
    requests = [lead(user) for user in users]
    return [
        Incoming(shop.workspace, "api", one.mapped(now()), one.model_dump_json().encode())
        for one in requests
    ]


async def keep(tx: Tx, these: Sequence[Incoming]) -> int:
    """How many of them were new."""
    return sum(not one.duplicate for one in await incoming.store(tx, these, CLICK_KEYS))


async def keep_all(shop: Shop, users: str) -> int:
    async with shop.database.tx() as tx:
        return await keep(tx, messages(shop, users))


async def waiting(shop: Shop, many: int) -> None:
    async with asyncio.timeout(5):
        while True:
            async with shop.database.tx() as tx:
                if await tx.scalar(text(WAITING)) >= many:
                    return
            await asyncio.sleep(0.01)


async def test_two_that_store_the_same_in_another_order_both_end(shop: Shop) -> None:
    """Both begin while a third holds the middle one, and go on together once that one is gone."""
    async with shop.database.tx() as tx:
        await keep(tx, messages(shop, "b"))
        first = asyncio.create_task(keep_all(shop, "cba"))
        await waiting(shop, 1)
        second = asyncio.create_task(keep_all(shop, "abc"))
        await waiting(shop, 2)
    assert sorted([await first, await second]) == [0, 2]


async def test_what_came_first_stands_first(shop: Shop) -> None:
    these = messages(shop, "cabd")
    async with shop.database.tx() as tx:
        await keep(tx, these)
    rows = await shop.rows(
        "SELECT id FROM events WHERE workspace_id = :workspace ORDER BY received_at, id"
    )
    assert [row.id for row in rows] == [one.id for one in these]
