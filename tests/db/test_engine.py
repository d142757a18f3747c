"""DATABASE_URL as people have it."""

import pytest
from sqlalchemy import make_url, text

from app.db.engine import Database, async_url


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+asyncpg"])
def test_the_password_and_the_ssl_mode_arrive(scheme: str) -> None:
    url = make_url(async_url(f"{scheme}://me:p%40ss@db.example:6432/main?sslmode=require"))
    assert url.drivername == "postgresql+asyncpg"
    assert url.password == "p@ss"
    assert dict(url.query) == {"ssl": "require"}


async def test_libpqs_ssl_mode_is_understood(database_url: str) -> None:
    url = make_url(database_url).update_query_pairs([("sslmode", "disable")])
    database = Database(url.render_as_string(hide_password=False))
    async with database.read() as read:
        assert await read.scalar(text("SELECT 1")) == 1
    await database.close()
