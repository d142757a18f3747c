"""Road 1's own connections: outside the API's pools, so that neither waits for the other."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import asyncpg
from sqlalchemy import make_url

from app.redirect.link_row import Known, LinkRow, ProgramRow

if TYPE_CHECKING:
    Connection = asyncpg.Connection[Any]
    Record = asyncpg.Record

CONNECT_TIMEOUT_S: Final = 3
CONNECTION_FAILURES: Final = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)
"""What a connection raises when Postgres is away, going away, or not migrated yet."""

LINK_COLUMNS: Final = """
    uuid_send(links.id) AS link, links.host, links.code, links.destination, links.fallback,
    links.subs::text AS subs, extract(epoch FROM links.expires_at)::float8 AS expires_at,
    links.archived_at IS NOT NULL AS link_archived, links.utm::text AS link_utm,
    uuid_send(links.partner_id) AS partner, coalesce(links.asset_id, '') AS asset,
    uuid_send(links.program_id) AS link_program
"""
"""Ids as bytes: a UUID made of each would take longer than all the rest of a row."""
PROGRAM_COLUMNS: Final = """
    uuid_send(programs.id) AS program, uuid_send(programs.workspace_id) AS workspace,
    programs.click_parameter, programs.utm::text AS utm, programs.keeps_network,
    programs.archived_at IS NOT NULL AS archived
"""
_LINK: Final = len(LinkRow._fields)


@asynccontextmanager
async def connect(url: str, *, timeout_s: float) -> AsyncIterator["Connection"]:
    """A connection whose statements take timeout_s at most. No pool, no transaction."""
    connection = await asyncpg.connect(
        make_url(url).set(drivername="postgresql").render_as_string(hide_password=False),
        timeout=CONNECT_TIMEOUT_S,
        command_timeout=timeout_s,
        server_settings={
            "application_name": "finderfee redirect",
            "timezone": "UTC",
            "statement_timeout": str(round(timeout_s * 1000)),
            "lock_timeout": str(round(timeout_s * 1000)),
        },
    )
    try:
        yield connection
    finally:
        # Closing politely can hang on a server that is gone.
        connection.terminate()


@asynccontextmanager
async def transaction(connection: "Connection") -> AsyncIterator[None]:
    """As asyncpg's, but a canceled task closes the connection and leaves at once.

    A rollback would wait for Postgres' answer, for longer than a process is given to end.
    """
    async with AsyncExitStack() as ends:
        await ends.enter_async_context(connection.transaction())
        try:
            yield
        except asyncio.CancelledError:
            connection.terminate()
            ends.pop_all()
            raise


def link_row(record: "Record") -> LinkRow:
    """A row of LINK_COLUMNS as the replica keeps it."""
    return LinkRow(*record)


def program_row(record: "Record") -> ProgramRow:
    """A row of PROGRAM_COLUMNS, likewise."""
    return ProgramRow(*record)


def known(record: "Record") -> Known:
    """A row of LINK_COLUMNS and PROGRAM_COLUMNS."""
    return Known(LinkRow(*record[:_LINK]), ProgramRow(*record[_LINK:]))
