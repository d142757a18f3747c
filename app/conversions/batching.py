"""Concurrent requests joined into batches: one transaction for many, each with its own answer."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Final, Generic, TypeVar

from app.errors import LaneBusy, Unavailable
from app.problems import of_database

Key = TypeVar("Key", bound=Hashable)
Item = TypeVar("Item")
Answer = TypeVar("Answer")

_TURNS: Final = 2
"""Of the event loop, until a batch begins. Those whom the last one has answered ask again in them,
so that more come along; with nobody there they take microseconds.
"""


class Batches(Generic[Key, Item, Answer]):
    """`Batches(run, limit=20)`: while one batch of a key runs, the next one gathers.

    run: takes a key and items, gives their answers in order, all or nothing. If it raises for
    several, each is run again alone, so that only the one at fault fails; unless it concerns all.
    """

    def __init__(
        self, run: Callable[[Key, Sequence[Item]], Awaitable[Sequence[Answer]]], *, limit: int
    ) -> None:
        self._run: Final = run
        self._limit: Final = limit
        self._waiting: dict[Key, deque[tuple[Item, asyncio.Future[Answer]]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def submit(self, key: Key, item: Item) -> Answer:
        """The item's answer, or what its run raised."""
        return await self.put(key, item)

    def put(self, key: Key, item: Item) -> "asyncio.Future[Answer]":
        """As `submit`, for callers that have no task to wait in."""
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        queue = self._waiting.get(key)
        if queue is None:
            queue = self._waiting[key] = deque()
            task = asyncio.create_task(self._drain(key, queue))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        queue.append((item, answer))
        return answer

    async def _drain(self, key: Key, queue: deque[tuple[Item, asyncio.Future[Answer]]]) -> None:
        # Ends between two awaits, so nobody can add to the queue after it was found empty.
        while queue:
            for _ in range(_TURNS):
                await asyncio.sleep(0)
            batch = [queue.popleft() for _ in range(min(len(queue), self._limit))]
            await self._answer(key, batch)
        del self._waiting[key]

    async def _answer(self, key: Key, batch: Sequence[tuple[Item, asyncio.Future[Answer]]]) -> None:
        try:
            answers = await self._run(key, [item for item, _ in batch])
        except Exception as error:  # noqa: BLE001 (handed to whoever asked)
            if len(batch) == 1 or _concerns_all(error):
                for _, future in batch:
                    _fail(future, error)
                return
            for alone in batch:
                await self._answer(key, [alone])
            return
        for (_, future), answer in zip(batch, answers, strict=True):
            if not future.done():
                future.set_result(answer)


def _concerns_all(error: Exception) -> bool:
    """The lane is busy or Postgres away: one by one, each would wait out the same time again."""
    return isinstance(error, LaneBusy) or isinstance(of_database(error), Unavailable)


def _fail(future: "asyncio.Future[Answer]", error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
