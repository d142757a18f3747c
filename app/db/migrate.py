"""Bring the database to this release's schema: one at a time, with time-outs."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from app.db.engine import async_url

ROOT: Final = Path(__file__).resolve().parents[2]
_LOCK: Final = 0x66696E646572  # "finder"
_LOCK_WAIT_S: Final = 120
_LOCK_ASK_S: Final = 0.2
_LOCK_TIMEOUT_MS: Final = 4_000


async def upgrade(url: str) -> None:
    """Run the missing migrations; a second caller waits for the first, then finds none."""
    async with connect(url) as connection:
        await _take_turn(connection)
        await connection.run_sync(_upgrade)


async def is_current(url: str) -> bool:
    """Whether the database has this release's newest migration, or a later release's."""
    async with connect(url) as connection:
        found = await connection.run_sync(_revision)
    return found == _scripts().get_current_head() or _is_later(found)


@asynccontextmanager
async def connect(url: str) -> AsyncIterator[AsyncConnection]:
    """A connection of its own with a lock time-out, so that no migration queues up the traffic."""
    engine = create_async_engine(
        async_url(url),
        poolclass=NullPool,
        connect_args={
            "timeout": 5,
            "server_settings": {"timezone": "UTC", "lock_timeout": str(_LOCK_TIMEOUT_MS)},
        },
    )
    try:
        async with engine.connect() as connection:
            yield connection
    finally:
        await engine.dispose()


async def _take_turn(connection: AsyncConnection) -> None:
    """Hold a session lock: migrations commit one by one and must not let a second runner between.

    Asked for again and again: whoever waits inside a statement has a snapshot, for which
    `CREATE INDEX CONCURRENTLY` of the other one would wait, and both in a circle.
    """
    until = time.monotonic() + _LOCK_WAIT_S
    while not await connection.scalar(text("SELECT pg_try_advisory_lock(:lock)"), {"lock": _LOCK}):
        await connection.commit()
        if time.monotonic() > until:
            raise TimeoutError("another process has been migrating for long")
        await asyncio.sleep(_LOCK_ASK_S)
    await connection.commit()


def _upgrade(connection: Connection) -> None:
    is_later = _is_later(_revision(connection))
    # Alembic joins a transaction that it finds, and then all migrations would be one.
    connection.commit()
    if not is_later:
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    connection.commit()


def _revision(connection: Connection) -> str | None:
    """The migration that the database has; None before the first."""
    if connection.scalar(text("SELECT to_regclass('alembic_version')")) is None:
        return None
    found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return found


def _is_later(revision: str | None) -> bool:
    """A migration that we have not heard of is a later release's, which keeps us running too."""
    ours = {script.revision for script in _scripts().walk_revisions()}
    return revision is not None and revision not in ours


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


def _config() -> Config:
    config = Config(str(ROOT / "alembic.ini"))
    config.set_main_option("script_location", str(ROOT / "migrations"))
    return config
