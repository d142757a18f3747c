"""Runs migrations on the connection that `app.db.migrate` opened, or on DATABASE_URL."""

import asyncio
from typing import Any

from alembic import context
from sqlalchemy import Connection

from app.db.migrate import connect
from app.db.tables import Base
from app.settings import Settings

# Partitions come and go with the days; the parent alone belongs to the model.
_PARTITIONS = "clicks_"


def include_name(name: str | None, type_: str, _parents: Any) -> bool:
    if type_ != "table" or name is None:
        return True
    return not name.startswith((_PARTITIONS, "pgqueuer"))


def run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        include_name=include_name,
        compare_type=True,
        compare_server_default=False,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()


async def run_alone() -> None:
    url = context.get_x_argument(as_dictionary=True).get("url")
    if url is None:
        configured = Settings().database_url
        if configured is None:
            raise SystemExit("set DATABASE_URL, or give -x url=postgres://…")
        url = configured.get_secret_value()
    async with connect(url) as connection:
        await connection.run_sync(run)


given = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    asyncio.run(run_alone())
