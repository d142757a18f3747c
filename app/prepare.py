"""The parent's care for the database: started or adopted, kept up, migrated, never empty."""

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

import asyncpg
import structlog
from sqlalchemy.exc import SQLAlchemyError

from app import demo, secret_keys
from app.auth import Mode
from app.bootstrap import make_first_workspace
from app.db import embedded, migrate
from app.db.engine import Database
from app.db.server_user import EmbeddedPostgresError
from app.db.where import database_url
from app.settings import Settings

_CHECK_S: Final = 1.0
_FIRST_WAIT_S: Final = 0.2
_LONGEST_WAIT_S: Final = 5.0
_STOP_S: Final = 1
_UNAVAILABLE: Final = (OSError, SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError)
_log: Final = structlog.get_logger()


async def keep_postgres(
    folder: Path, *, up: asyncio.Event, stop: asyncio.Event, moved: Callable[[], None]
) -> None:
    """Have the data folder's server run until `stop`, then end it.

    up: set once it answers. moved: called when a restart changed its address.
    """
    url = await asyncio.to_thread(embedded.url, folder)
    wait_s = _FIRST_WAIT_S
    while not stop.is_set():
        try:
            if not up.is_set() or not await asyncio.to_thread(embedded.is_running, folder):
                started = await asyncio.to_thread(embedded.start, folder)
                _log.info("postgres.up")
                up.set()
                if started != url:
                    url = started
                    moved()
            wait_s = _CHECK_S
        except (EmbeddedPostgresError, OSError) as error:
            wait_s = min(wait_s * 2, _LONGEST_WAIT_S)
            _log.error("postgres.not_started", reason=str(error), wait_s=wait_s)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), wait_s)
    await asyncio.to_thread(embedded.stop, folder, timeout_s=_STOP_S)


async def migrate_when_up(settings: Settings) -> None:
    """Bring the schema up to date, however long Postgres takes to answer."""
    wait_s = _FIRST_WAIT_S
    while True:
        try:
            await migrate.upgrade(await asyncio.to_thread(database_url, settings))
        except _UNAVAILABLE as error:
            _log.warning("database.unavailable", reason=str(error), wait_s=wait_s)
            await asyncio.sleep(wait_s)
            wait_s = min(wait_s * 2, _LONGEST_WAIT_S)
        else:
            return


async def first_workspace(settings: Settings, *, with_demo: bool) -> str | None:
    """Fill an empty database; what to tell whoever started on it: the key, once."""
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
