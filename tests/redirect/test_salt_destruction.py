"""What of a salt is left after its window: nothing, in Postgres and on every node."""

import asyncio
import os
import time
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from app.redirect.day_hash import DayHash
from app.redirect.postgres import CONNECTION_FAILURES
from app.redirect.salt_file import NAME, SaltFile
from app.redirect.salts import DAY_S, tend
from tests.redirect.making import KEYS, connected, running_road
from tests.redirect.salting import (
    NOBODY,
    SOMEONE,
    TODAY,
    WINDOW,
    bytes_on_disk,
    day_of,
    file_of_table,
    known,
    node,
    put,
    salts_left,
    stored,
)


async def test_without_postgres_what_is_over_is_destroyed_on_the_node(tmp_path: Path) -> None:
    now = TODAY * DAY_S + WINDOW - 1.0
    over, today = os.urandom(32), os.urandom(32)
    path = tmp_path / NAME
    SaltFile(tmp_path, KEYS).keep({TODAY - 1: over, TODAY: today})
    salts = node(tmp_path, clock=lambda: now)
    sealed = path.read_bytes()
    assert salts.yesterday(now) is not None
    with path.open("rb") as blocks:
        now += 1
        with pytest.raises(CONNECTION_FAILURES):
            await salts.renew(NOBODY)
        # The file that had it is overwritten, not only unlinked.
        assert set(blocks.read()) == {0}
    assert SaltFile(tmp_path, KEYS).read() == {TODAY: today}
    assert salts.yesterday(now) is None
    assert salts.yesterday(now - 1) is None
    assert known(salts, now) == DayHash(today)(*SOMEONE)
    for file in tmp_path.iterdir():
        assert sealed[-40:] not in file.read_bytes()


def test_a_start_destroys_what_became_old_while_nobody_lived(tmp_path: Path) -> None:
    SaltFile(tmp_path, KEYS).keep({TODAY - 1: os.urandom(32), TODAY: os.urandom(32)})
    sealed = (tmp_path / NAME).read_bytes()
    with (tmp_path / NAME).open("rb") as blocks:
        salts = node(tmp_path, clock=lambda: (TODAY + 30) * DAY_S)
        assert set(blocks.read()) == {0}
    assert known(salts, TODAY * DAY_S) is None
    assert salts._held == {}
    assert SaltFile(tmp_path, KEYS).read() == {}
    for file in tmp_path.iterdir():
        assert sealed[-40:] not in file.read_bytes()


async def test_what_became_old_is_destroyed_before_anything_is_served(tmp_path: Path) -> None:
    over, today = os.urandom(32), os.urandom(32)
    SaltFile(tmp_path, KEYS).keep({TODAY - 30: over, TODAY: today})
    sealed = (tmp_path / NAME).read_bytes()
    with (tmp_path / NAME).open("rb") as blocks:
        async with running_road(tmp_path, NOBODY):
            assert set(blocks.read()) == {0}
            assert SaltFile(tmp_path, KEYS).read() == {TODAY: today}
            assert not [
                one
                for one in tmp_path.iterdir()
                if one.is_file() and sealed[-40:] in one.read_bytes()
            ]


def test_a_start_leaves_a_file_alone_that_is_of_today(tmp_path: Path) -> None:
    SaltFile(tmp_path, KEYS).keep({TODAY: os.urandom(32)})
    before = (tmp_path / NAME).read_bytes()
    node(tmp_path, clock=lambda: TODAY * DAY_S + WINDOW)
    assert (tmp_path / NAME).read_bytes() == before
    node(tmp_path / "new")
    assert not (tmp_path / "new" / NAME).exists()


def test_a_draft_that_a_crash_left_is_destroyed_at_a_start(tmp_path: Path) -> None:
    SaltFile(tmp_path, KEYS).keep({TODAY: os.urandom(32)})
    draft = tmp_path / "visitor-salts.new"
    draft.write_bytes((tmp_path / NAME).read_bytes())
    with draft.open("rb") as blocks:
        node(tmp_path, clock=lambda: TODAY * DAY_S + WINDOW)
        assert set(blocks.read()) == {0}
    assert not draft.exists()
    (tmp_path / NAME).rename(draft)
    with draft.open("rb") as blocks:
        node(tmp_path, clock=lambda: (TODAY + 30) * DAY_S)
        assert set(blocks.read()) == {0}


def test_a_start_on_a_full_disk_destroys_and_goes_on(tmp_path: Path) -> None:
    SaltFile(tmp_path, KEYS).keep({TODAY - 5: os.urandom(32)})
    (tmp_path / "visitor-salts.new").mkdir()
    with (tmp_path / NAME).open("rb") as blocks, capture_logs() as logs:
        node(tmp_path, clock=lambda: TODAY * DAY_S)
        assert set(blocks.read()) == {0}
    assert [one["event"] for one in logs] == ["salts.unwritable"]
    assert not (tmp_path / NAME).exists()


async def test_a_full_disk_keeps_no_old_salt(tmp_path: Path) -> None:
    SaltFile(tmp_path, KEYS).keep({TODAY - 5: os.urandom(32), TODAY: os.urandom(32)})
    (tmp_path / "visitor-salts.new").mkdir()
    with (tmp_path / NAME).open("rb") as blocks:
        with pytest.raises(OSError, match="visitor-salts"):
            SaltFile(tmp_path, KEYS).keep({TODAY: os.urandom(32)})
        assert set(blocks.read()) == {0}
    assert not (tmp_path / NAME).exists()


async def test_postgres_destroys_what_is_over_whatever_brought_it(
    fresh_database_url: str, tmp_path: Path
) -> None:
    """Days that are over, those of a restored backup, and those of a clock that was ahead."""
    days = {day: os.urandom(32) for day in (TODAY - 400, TODAY - 2, TODAY + 1, TODAY + 400)}
    sealed = await put(fresh_database_url, days)
    async with connected(fresh_database_url) as connection:
        path = await file_of_table(connection)
        before = await bytes_on_disk(connection, path)
        assert all(one in before for one in sealed.values())
        await node(tmp_path).renew(fresh_database_url)
        left = await stored(fresh_database_url)
        assert set(left) & set(days) == {TODAY + 1}
        assert left[TODAY + 1] == days[TODAY + 1]
        assert await file_of_table(connection) != path
        after = await bytes_on_disk(connection, path)
        after += await bytes_on_disk(connection, await file_of_table(connection))
    assert sealed[TODAY + 1] in after
    assert not [day for day, one in sealed.items() if one in after and day != TODAY + 1]


async def test_no_write_ahead_log_has_a_salt(fresh_database_url: str) -> None:
    async with connected(fresh_database_url) as connection:
        kind = await connection.fetchval(
            "SELECT relpersistence FROM pg_class WHERE relname = 'visitor_salts'"
        )
    assert kind == b"u"


async def test_a_dump_delays_the_destruction_and_nothing_else(
    fresh_database_url: str, tmp_path: Path
) -> None:
    await put(fresh_database_url, {TODAY - 9: os.urandom(32)})
    salts = node(tmp_path)
    async with connected(fresh_database_url) as dump:
        async with dump.transaction():
            await dump.execute("SELECT FROM visitor_salts")
            await salts.renew(fresh_database_url)
        assert known(salts, time.time()) is not None
        assert TODAY - 9 in await stored(fresh_database_url)
        await salts.renew(fresh_database_url)
        assert TODAY - 9 not in await stored(fresh_database_url)


async def test_destroying_at_once_with_others_loses_nothing(
    fresh_database_url: str, tmp_path: Path
) -> None:
    nodes = [node(tmp_path / str(number)) for number in range(6)]
    await nodes[0].renew(fresh_database_url)
    someone = known(nodes[0], time.time())
    await put(fresh_database_url, {TODAY - 9: os.urandom(32)})
    await asyncio.gather(*(one.renew(fresh_database_url) for one in nodes))
    assert {known(one, time.time()) for one in nodes} == {someone}
    assert TODAY - 9 not in await stored(fresh_database_url)


async def test_the_worker_tends_salts_without_keeping_any(
    fresh_database_url: str, tmp_path: Path
) -> None:
    await put(fresh_database_url, {TODAY - 9: os.urandom(32)})
    await tend(tmp_path, KEYS, window_s=WINDOW, database_url=fresh_database_url)
    made = await stored(fresh_database_url)
    assert len(made) == 2
    assert TODAY - 9 not in made
    assert not (tmp_path / NAME).exists()
    # Where web processes have lived, what they left is destroyed too, Postgres or not.
    SaltFile(tmp_path, KEYS).keep({TODAY - 9: os.urandom(32), **made})
    with pytest.raises(CONNECTION_FAILURES):
        await tend(tmp_path, KEYS, window_s=WINDOW, database_url=NOBODY)
    assert SaltFile(tmp_path, KEYS).read() == made


async def test_a_hash_whose_salt_is_gone_means_nothing(
    fresh_database_url: str, tmp_path: Path
) -> None:
    """Whoever has the disk, Postgres, the secret keys and even the address cannot make it again."""
    folder = tmp_path / "node"
    day = TODAY - 2
    now = (day + 1) * DAY_S + WINDOW - 60.0
    salt = os.urandom(32)
    sealed = (await put(fresh_database_url, {day: salt}))[day]
    folder.mkdir()
    SaltFile(folder, KEYS).keep({day: salt})
    clicked = DayHash(salt)(*SOMEONE)

    async def made_again() -> bool:
        left = await salts_left(folder, fresh_database_url)
        return any(DayHash(one)(*SOMEONE) == clicked for one in left)

    assert await made_again()
    salts = node(folder, clock=lambda: now)
    assert salts.yesterday(now) is not None
    await node(tmp_path / "other").renew(fresh_database_url)
    assert await made_again()
    now += 60
    with pytest.raises(CONNECTION_FAILURES):
        await salts.renew(NOBODY)
    assert not await made_again()
    async with connected(fresh_database_url) as connection:
        path = await file_of_table(connection)
        assert sealed not in await bytes_on_disk(connection, path)
        assert not await connection.fetchval(
            "SELECT count(*) FROM visitor_salts WHERE on_day = $1", day_of(day)
        )
