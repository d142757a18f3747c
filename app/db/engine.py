"""The pools and the three ways into Postgres: read, write, and a workspace's money lane."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from uuid import UUID

import orjson
from sqlalchemy import make_url, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from app.db.tx import Read, Tx
from app.errors import LaneBusy

STATEMENT_TIMEOUT_MS: Final = 10_000
LANE_LOCK_TIMEOUT_MS: Final = 5_000
_LOCK_NOT_AVAILABLE: Final = "55P03"


class Database:
    """Two small pools: one for all that reads and writes, one for the money lanes.

    Lanes wait for each other; with a pool of their own they never keep a reader waiting.
    """

    def __init__(self, url: str, *, pool_size: int = 8, lane_pool_size: int = 3) -> None:
        self.url = url
        self._engine = _engine(url, pool_size)
        self._lanes = _engine(url, lane_pool_size)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Read]:
        async with self._engine.connect() as connection:
            await connection.execution_options(postgresql_readonly=True)
            yield Read(connection)

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Read]:
        """A long read that sees one moment throughout; without the statement time-out."""
        async with self._engine.connect() as connection:
            await connection.execution_options(
                postgresql_readonly=True, isolation_level="REPEATABLE READ"
            )
            await connection.execute(text("SET LOCAL statement_timeout = 0"))
            yield Read(connection)

    @asynccontextmanager
    async def tx(self) -> AsyncIterator[Tx]:
        """Commits when the block ends, rolls back when it raises."""
        async with self._engine.begin() as connection:
            yield Tx(connection)

    @asynccontextmanager
    async def lane(self, workspace: UUID) -> AsyncIterator[Tx]:
        """A transaction that holds the workspace's money lane; LaneBusy if it has to wait long.

        The lock is the first statement: what is read after it is what the last holder committed.
        """
        async with self._lanes.begin() as connection:
            tx = Tx(connection)
            await take_lane(tx, workspace)
            yield tx

    async def close(self) -> None:
        await self._engine.dispose()
        await self._lanes.dispose()


async def take_lane(tx: Tx, workspace: UUID) -> None:
    """Wait for the workspace's lane, bounded; it is given back at the transaction's end."""
    # From left to right: the time-out counts for the lock.
    statement = text(
        f"SELECT set_config('lock_timeout', '{LANE_LOCK_TIMEOUT_MS}', true),"
        " pg_advisory_xact_lock(:key)"
    )
    try:
        await tx.execute(statement, {"key": lane_key(workspace)})
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", "") == _LOCK_NOT_AVAILABLE:
            raise LaneBusy(retry_after_s=1) from error
        raise


def lane_key(workspace: UUID) -> int:
    """The advisory lock's number: 63 bits of the workspace's id, from its random end."""
    return int.from_bytes(workspace.bytes[8:]) & 0x7FFF_FFFF_FFFF_FFFF


def async_url(url: str) -> str:
    """The same database for SQLAlchemy's asyncpg dialect."""
    parsed = make_url(url).set(drivername="postgresql+asyncpg")
    if mode := parsed.query.get("sslmode"):
        # libpq's name, which providers write; the dialect hands queries on as asyncpg's arguments.
        parsed = parsed.difference_update_query(["sslmode"]).update_query_pairs(
            [("ssl", str(mode))]
        )
    return parsed.render_as_string(hide_password=False)


def _engine(url: str, size: int) -> AsyncEngine:
    return create_async_engine(
        async_url(url),
        pool_size=size,
        max_overflow=0,
        pool_timeout=5,
        pool_pre_ping=True,
        # Errors go into logs; values may be names and addresses.
        hide_parameters=True,
        json_serializer=lambda value: orjson.dumps(value).decode(),
        json_deserializer=orjson.loads,
        connect_args={
            "timeout": 5,
            "server_settings": {
                "application_name": "finderfee",
                "timezone": "UTC",
                "statement_timeout": str(STATEMENT_TIMEOUT_MS),
                "idle_in_transaction_session_timeout": "30000",
            },
        },
    )
