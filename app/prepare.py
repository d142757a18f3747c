"""What the parent does to the database once it answers: migrate it, and fill an empty one.

Imports half the application, so the parent imports it when the children are on their way.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, TypeVar

import asyncpg
import structlog
from sqlalchemy.exc import SQLAlchemyError

from app import demo, secret_keys
from app.auth import Mode
from app.bootstrap import make_first_workspace
from app.db import migrate
from app.db.engine import Database
from app.db.where import database_url
from app.settings import Settings

Result = TypeVar("Result")

_FIRST_WAIT_S: Final = 0.2
_LONGEST_WAIT_S: Final = 5.0
_UNAVAILABLE: Final = (OSError, SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError)
_log: Final = structlog.get_logger()


async def migrate_when_up(settings: Settings) -> None:
    """Bring the schema up to date, however long Postgres takes to answer."""

    async def work() -> None:
        await migrate.upgrade(await asyncio.to_thread(database_url, settings))

    await _when_up(work)


async def first_workspace_when_up(settings: Settings, *, with_demo: bool) -> str | None:
    """Fill an empty database; what to tell whoever started on it: the key, once."""
    return await _when_up(partial(_first_workspace, settings, with_demo=with_demo))


async def _when_up(work: Callable[[], Awaitable[Result]]) -> Result:
    """Its result, when it is through. Postgres may go away at any time, also half-way."""
    wait_s = _FIRST_WAIT_S
    while True:
        try:
            return await work()
        except _UNAVAILABLE as error:
            _log.warning("database.unavailable", reason=str(error), wait_s=wait_s)
            await asyncio.sleep(wait_s)
            wait_s = min(wait_s * 2, _LONGEST_WAIT_S)


async def _first_workspace(settings: Settings, *, with_demo: bool) -> str | None:
    given = settings.bootstrap_api_key
    key = given.get_secret_value() if given else None
    mode: Mode = "test" if with_demo else "live"
    url = await asyncio.to_thread(database_url, settings)
    database = Database(url, pool_size=1, lane_pool_size=1)
    try:
        async with database.tx() as tx:
            name = "Demo" if with_demo else "Main"
            made = await make_first_workspace(tx, name=name, mode=mode, key=key)
            if made is None:
                return None
            shown = "$FINDERFEE_BOOTSTRAP_API_KEY" if given else made.key.key
            told = (
                f"Made the first workspace, in {mode} mode. Its admin key, shown once:\n  {shown}\n"
            )
            if with_demo:
                filled = await demo.make(tx, made.id, secret_keys.load(settings))
                told += demo.story(filled, base_url=settings.base_url, key=shown)
            return told
    finally:
        await database.close()
