"""Writing behind: in order, beside the caller, and nothing left under way when a block fails."""

import asyncio

import pytest
from sqlalchemy import text

from app.db.behind import Behind
from app.db.engine import Database


async def test_a_write_runs_while_its_caller_goes_on_and_writes_keep_their_order() -> None:
    seen: list[str] = []

    async def write(name: str) -> None:
        seen.append(f"{name} begins")
        await asyncio.sleep(0.01)
        seen.append(f"{name} ends")

    async with Behind() as behind:
        await behind.run(write("first"))
        await asyncio.sleep(0)
        seen.append("computed")
        await behind.run(write("second"))
    assert seen == ["first begins", "computed", "first ends", "second begins", "second ends"]


@pytest.mark.parametrize("later", [True, False])
async def test_what_a_write_raises_reaches_the_caller(*, later: bool) -> None:
    async def fail() -> None:
        await asyncio.sleep(0)
        raise ValueError("lost")

    begun: list[str] = []

    async def write() -> None:
        begun.append("after a failure")

    async def block() -> None:
        async with Behind() as behind:
            await behind.run(fail())
            if later:
                await behind.run(write())

    with pytest.raises(ValueError, match="lost"):
        await block()
    assert begun == []


async def test_a_failing_block_ends_its_transaction_at_once(database: Database) -> None:
    async def block() -> None:
        async with database.tx() as tx:
            driver = await tx.driver()

            async def write() -> None:
                await driver.execute("SELECT pg_sleep(30)")

            async with Behind() as behind:
                await behind.run(write())
                await asyncio.sleep(0.05)
                raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        async with asyncio.timeout(10):
            await block()
    async with database.read() as read:
        asleep = (
            "query LIKE 'SELECT pg_sleep%' AND state <> 'idle' AND datname = current_database()"
        )
        assert await read.all(text(f"SELECT query FROM pg_stat_activity WHERE {asleep}")) == []
