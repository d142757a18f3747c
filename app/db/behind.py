"""Write behind: one statement after the other on a connection, while its caller computes on."""

import asyncio
from collections.abc import Coroutine
from types import TracebackType
from typing import Self


class Behind:
    """`async with Behind() as behind: await behind.run(write(…))` returns once the one before is
    done, and the block ends once the last one is.

    What a write raises, the next `run` or the block's end raises. If the block itself fails, its
    error counts, and the write under way is cancelled first: the connection is free then.
    """

    def __init__(self) -> None:
        self._under_way: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def run(self, write: Coroutine[None, None, None]) -> None:
        """Begin a write when the one before is done."""
        if self._under_way is not None:
            try:
                await self._under_way
            except BaseException:
                write.close()
                raise
        self._under_way = asyncio.create_task(write)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._under_way is None:
            return
        if error is not None:
            self._under_way.cancel()
            await asyncio.gather(self._under_way, return_exceptions=True)
            return
        await self._under_way
