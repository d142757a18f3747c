import asyncio
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from app.redirect.impression_store import LEFT
from app.redirect.watch import keep_running
from tests.redirect.making import connected, gate_to, make_link, running_road


async def test_a_task_ends_when_canceled_though_that_meets_a_failure() -> None:
    async def drains() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            # As a rollback that nobody answers.
            raise TimeoutError

    running = asyncio.create_task(keep_running("drain", drains))
    await asyncio.sleep(0)
    running.cancel()
    _, left = await asyncio.wait([running], timeout=3)
    running.cancel()
    assert not left


async def test_a_task_that_fails_or_ends_is_begun_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.redirect.watch._PAUSE_S", 0)
    begun = 0

    async def fails() -> None:
        nonlocal begun
        begun += 1
        if begun == 1:
            raise OSError("gone")
        if begun == 2:
            raise KeyError("a bug")
        if begun == 3:
            return
        await asyncio.sleep(60)

    running = asyncio.create_task(keep_running("drain", fails))
    async with asyncio.timeout(5):
        while begun < 4:
            await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_an_end_while_postgres_hangs_leaves_what_waits_in_time(
    fresh_database_url: str, tmp_path: Path
) -> None:
    url = fresh_database_url
    await make_link(url, "spring")
    async with gate_to(url) as gate, connected(url) as other:
        async with running_road(tmp_path, gate.url) as road:
            await road.ready()
            await road.knows("spring")
            async with other.transaction():
                await other.execute("LOCK TABLE clicks, link_impressions")
                await road.get("/r/spring")
                await road.get("/i/spring.gif")
                # Until the drain and the impressions are in their transactions.
                await waiting(other, 2)
                gate.flows.clear()
            began = asyncio.get_running_loop().time()
        took_s = asyncio.get_running_loop().time() - began
        assert len(list(road.folder.glob(LEFT))) == 1
    # Then the parent kills it.
    assert took_s < 1.6


async def waiting(connection: "asyncpg.Connection[Any]", many: int) -> None:
    """Until so many wait for locks in this database."""
    found = (
        "SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = database"
        " WHERE NOT granted AND datname = current_database()"
    )
    async with asyncio.timeout(15):
        while many > await connection.fetchval(found):
            await asyncio.sleep(0.01)
