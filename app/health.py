"""/livez, /readyz and /readyz/{role}: answered before the API, so also while it is shut.

`/readyz` alone is the redirect's where it is served: a load balancer keeps a node whose redirects
work while Postgres is gone.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import asyncpg
import orjson
from sqlalchemy import func, select, text
from sqlalchemy.exc import SQLAlchemyError
from starlette.types import ASGIApp, Receive, Scope, Send

from app.db.engine import Database
from app.db.tables import Heartbeat

Check = Callable[[], Awaitable[bool]]

HEARTBEAT_S: Final = 2
_STALE_S: Final = 10
_TIMEOUT_S: Final = 2.0
_PREFIX: Final = "/readyz"


class Health:
    """ASGI in front of `inner`. checks: by role; the first is the one of plain `/readyz`."""

    def __init__(self, inner: ASGIApp, checks: Mapping[str, Check]) -> None:
        self._inner = inner
        self._checks = {_PREFIX: next(iter(checks.values()))} | {
            f"{_PREFIX}/{role}": check for role, check in checks.items()
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] in {"GET", "HEAD"}:
            if scope["path"] == "/livez":
                await _answer(scope, send, ok=True)
                return
            check = self._checks.get(scope["path"])
            if check is not None:
                await _answer(scope, send, ok=await _passes(check))
                return
        await self._inner(scope, receive, send)


def of(ready: Callable[[], bool]) -> Check:
    """A check that needs no waiting."""

    async def check() -> bool:
        return ready()

    return check


async def database_answers(database: Database) -> bool:
    """Whether Postgres takes a query now."""
    async with database.read() as read:
        return bool(await read.scalar(text("SELECT true")))


async def worker_beats(database: Database) -> bool:
    """Whether a worker, anywhere in the cluster, did its round lately."""
    age = func.extract("epoch", func.clock_timestamp() - Heartbeat.beat_at)
    async with database.read() as read:
        return bool(await read.scalar(select(age < _STALE_S).where(Heartbeat.role == "worker")))


async def _passes(check: Check) -> bool:
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            return await check()
    except (OSError, SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return False


async def _answer(scope: Scope, send: Send, *, ok: bool) -> None:
    body = orjson.dumps({"status": "ok" if ok else "not_ready"})
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        *([] if ok else [(b"retry-after", b"1")]),
    ]
    status = 200 if ok else 503
    await send({"type": "http.response.start", "status": status, "headers": headers})
    sent = b"" if scope["method"] == "HEAD" else body
    await send({"type": "http.response.body", "body": sent})
