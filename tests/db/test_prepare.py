"""What the parent does to the database waits for Postgres, and does not end the parent."""

import asyncio
from pathlib import Path

import asyncpg
from pydantic import SecretStr
from sqlalchemy import make_url

from app import prepare
from app.settings import Settings


async def test_the_first_workspace_waits_while_postgres_takes_nobody(
    server_url: str, fresh_database_url: str, tmp_path: Path
) -> None:
    settings = Settings(
        database_url=SecretStr(fresh_database_url), secret_keys=("-" * 32,), data_dir=tmp_path
    )
    name = make_url(fresh_database_url).database
    server = await asyncpg.connect(server_url)
    try:
        await server.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        making = asyncio.create_task(prepare.first_workspace_when_up(settings, with_demo=False))
        await asyncio.sleep(0.8)
        assert not making.done()
        await server.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
    finally:
        await server.close()
    told = await asyncio.wait_for(making, 10)
    assert told is not None
    assert "ff_live_" in told
    assert await prepare.first_workspace_when_up(settings, with_demo=False) is None
