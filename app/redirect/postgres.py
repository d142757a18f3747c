"""Road 1's own connections: outside the API's pools, so that neither waits for the other."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import asyncpg
from sqlalchemy import make_url

from app.redirect.link_row import LinkRow

if TYPE_CHECKING:
    Connection = asyncpg.Connection[Any]
    Record = asyncpg.Record

CONNECT_TIMEOUT_S: Final = 3
CONNECTION_FAILURES: Final = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)
"""What a connection raises when Postgres is away, going away, or not migrated yet."""

LINK_COLUMNS: Final = """
    uuid_send(links.id) AS link, links.host, links.code, destination, click_parameter, fallback,
    subs::text AS subs, extract(epoch FROM expires_at)::float8 AS expires_at,
    archived_at IS NOT NULL AS archived, (program_utm || utm)::text AS utm,
    uuid_send(partner_id) AS partner, coalesce(asset_id, '') AS asset,
    uuid_send(workspace_id) AS workspace, keeps_network
"""
"""Ids as bytes: a UUID made of each would take longer than all the rest of a row."""


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


def link_row(record: "Record") -> LinkRow:
    """A row of LINK_COLUMNS as the replica keeps it."""
    return LinkRow(*record)
