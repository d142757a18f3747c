"""What stands in the API's place: until it is built, and on nodes that have none.

The API takes a second to import and build, on its own thread; redirects don't wait for it.
"""

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

from starlette.types import ASGIApp, Receive, Scope, Send

from app.errors import NotFound, Problem, Unavailable

_WAIT_S: Final = 10.0


class Taker(Protocol):
    """What takes requests in past the app: `webhook_protocol` asks it first."""

    def take(self, scope: Scope, body: bytes, tell: Callable[[bytes | None], None]) -> bool:
        """Whether it is taken; `tell` then gets the answer's JSON, or None if the app has to."""


class Late:
    """Holds requests back for a moment, until there is an app to `put` here."""

    def __init__(self) -> None:
        self.taker: Taker | None = None
        self._app: ASGIApp | None = None
        self._there = asyncio.Event()

    @property
    def built(self) -> bool:
        return self._app is not None

    def put(self, app: ASGIApp, taker: Taker | None = None) -> None:
        self._app = app
        self.taker = taker
        self._there.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._app is None:
            try:
                async with asyncio.timeout(_WAIT_S):
                    await self._there.wait()
            except TimeoutError:
                problem = Unavailable("Starting.", retry_after_s=1)
                await _answer(problem, scope, receive, send)
                return
        assert self._app is not None
        await self._app(scope, receive, send)


async def nothing_here(scope: Scope, receive: Receive, send: Send) -> None:
    """What a redirect node says of the API's addresses."""
    await _answer(NotFound("This node serves redirects only."), scope, receive, send)


async def _answer(problem: Problem, scope: Scope, receive: Receive, send: Send) -> None:
    # Imported when needed: it brings FastAPI, which a redirect node has no other use for.
    from app.problems import answer  # noqa: PLC0415 (see above)

    await answer(problem)(scope, receive, send)
