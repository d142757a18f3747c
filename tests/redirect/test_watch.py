import asyncio

import pytest

from app.redirect.watch import keep_running


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
