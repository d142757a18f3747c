"""What Postgres lost, links' replicas lose as well."""

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.db import embedded
from app.db.migrate import upgrade
from tests.redirect.making import connected, make_link, moved, running_road, until


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "home"
    embedded.stop(tmp_path / "home")


async def test_changes_that_a_promoted_standby_never_had_are_undone(
    home: Path, tmp_path: Path
) -> None:
    """Also when it has given higher numbers since: they tell nothing of what is missing."""
    url = await asyncio.to_thread(embedded.start, home, fsync=False)
    await upgrade(url)
    await make_link(url, "spring")
    await asyncio.to_thread(embedded.stop, home)
    standby = home / "postgres" / "data"
    shutil.copytree(standby, tmp_path / "standby", copy_function=shutil.copy2)
    url = await asyncio.to_thread(embedded.start, home, fsync=False)
    async with running_road(tmp_path / "node", url) as road:
        await road.ready()
        await moved(url, "spring", "lost")
        await until(lambda: b"/lost" in road.leads("spring"))
    await asyncio.to_thread(embedded.stop, home)
    for path in standby.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    shutil.copytree(tmp_path / "standby", standby, dirs_exist_ok=True)
    owner = standby.stat()
    (standby / "standby.signal").touch()
    for path in standby.rglob("*"):
        shutil.chown(path, owner.st_uid, owner.st_gid)
    url = await asyncio.to_thread(embedded.start, home, fsync=False)
    async with connected(url) as connection:
        assert await connection.fetchval("SELECT pg_is_in_recovery()")
        assert await connection.fetchval("SELECT pg_promote()")
    for number in range(5):
        await make_link(url, f"after{number}")
    async with running_road(tmp_path / "node", url) as road:
        await road.knows("after4")
        assert b"/landing" in road.leads("spring")
