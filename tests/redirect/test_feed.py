"""The feed ends when it is told to, whatever happens in that moment."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.redirect.directory import Directory
from app.redirect.feed import _Follower


class Quiet:
    """A connection to a Postgres without links, which notifies when it is told to."""

    notify: Callable[[], None] = staticmethod(lambda: None)

    async def add_listener(self, _channel: str, woken: Callable[[], None]) -> None:
        self.notify = woken

    async def fetchrow(self, _query: str) -> Any:
        return {"source": "here", "newest": 0, "oldest": 1}

    async def fetchval(self, _query: str, *_: Any) -> int:
        return 0

    async def fetch(self, _query: str, *_: Any) -> list[Any]:
        return []


@pytest.mark.parametrize("turns", range(5))
async def test_a_notification_does_not_swallow_the_end(turns: int, tmp_path: Path) -> None:
    directory = Directory(tmp_path / "links.sqlite", size=10)
    quiet: Any = Quiet()
    feed = asyncio.create_task(_Follower(directory, quiet).run())
    while not directory.usable:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)
    quiet.notify()
    for _ in range(turns):
        await asyncio.sleep(0)
    feed.cancel()
    ended, _ = await asyncio.wait({feed}, timeout=2)
    still_runs = feed not in ended
    feed.cancel()
    await asyncio.wait({feed}, timeout=2)
    directory.close()
    assert not still_runs
