import asyncio
import hashlib
import hmac
import os
import time
from pathlib import Path

import pytest

from app.redirect.day_hash import DayHash
from app.redirect.salt_file import NAME, SaltFile
from app.redirect.salts import DAY_S, days_kept
from app.secret_keys import SecretKeys
from tests.redirect.making import KEYS, connected
from tests.redirect.salting import (
    SOMEONE,
    TODAY,
    WINDOW,
    known,
    node,
    stored,
)

OTHER_KEYS = SecretKeys(["another secret for tests, 32 and more"])


def test_the_hash_is_an_hmac_of_all_that_it_is_given() -> None:
    salt, workspace = os.urandom(32), os.urandom(16)
    message = b"finderfee visitor\x00" + workspace + b"\x04" + bytes(4) + b"agent"
    expected = hmac.new(salt, message, hashlib.sha256).digest()[:8]
    assert DayHash(salt)(workspace, bytes(4), b"agent") == expected
    others = {
        DayHash(os.urandom(32))(workspace, bytes(4), b"agent"),
        DayHash(salt)(os.urandom(16), bytes(4), b"agent"),
        DayHash(salt)(workspace, b"\0\0\0\1", b"agent"),
        DayHash(salt)(workspace, bytes(4), b"agenT"),
        DayHash(salt)(workspace, bytes(8), b"agent"),
        # The same bytes, cut elsewhere.
        DayHash(salt)(workspace, bytes(4) + b"agen", b"t"),
    }
    assert expected not in others
    assert len(others) == 6


def test_yesterday_is_kept_for_a_window_and_tomorrow_always() -> None:
    midnight = 20_000 * DAY_S
    assert days_kept(midnight - 0.001, WINDOW) == (19_999, 20_000)
    assert days_kept(midnight, WINDOW) == (19_999, 20_000, 20_001)
    assert days_kept(midnight + WINDOW - 0.001, WINDOW) == (19_999, 20_000, 20_001)
    assert days_kept(midnight + WINDOW, WINDOW) == (20_000, 20_001)
    assert days_kept(midnight + DAY_S - 0.001, DAY_S) == (19_999, 20_000, 20_001)


async def test_salts_are_made_a_day_ahead_and_sealed(
    fresh_database_url: str, tmp_path: Path
) -> None:
    salts = node(tmp_path)
    assert known(salts, time.time()) is None
    await salts.renew(fresh_database_url)
    made = await stored(fresh_database_url)
    # The test may run over midnight.
    today = min(made)
    assert today in (TODAY, TODAY + 1)
    assert sorted(made) == [today, today + 1]
    assert [len(salt) for salt in made.values()] == [32, 32]
    for day, salt in made.items():
        assert known(salts, day * DAY_S + 50_000) == DayHash(salt)(*SOMEONE)
    assert known(salts, (today + 2) * DAY_S + 1) is None
    assert (tmp_path / NAME).stat().st_mode & 0o777 == 0o600
    content = (tmp_path / NAME).read_bytes()
    async with connected(fresh_database_url) as connection:
        content += b"".join(
            row["sealed_salt"] for row in await connection.fetch("SELECT * FROM visitor_salts")
        )
    assert not [salt for salt in made.values() if salt in content]


async def test_a_second_round_changes_nothing(fresh_database_url: str, tmp_path: Path) -> None:
    salts = node(tmp_path)
    await salts.renew(fresh_database_url)
    before = (tmp_path / NAME).read_bytes(), await stored(fresh_database_url)
    now = time.time()
    someone = known(salts, now)
    await salts.renew(fresh_database_url)
    assert ((tmp_path / NAME).read_bytes(), await stored(fresh_database_url)) == before
    assert known(salts, now) == someone


async def test_nodes_that_make_a_salt_at_once_agree(
    fresh_database_url: str, tmp_path: Path
) -> None:
    nodes = [node(tmp_path / str(number)) for number in range(8)]
    await asyncio.gather(*(one.renew(fresh_database_url) for one in nodes))
    now = time.time()
    assert len({known(one, now) for one in nodes} - {None}) == 1
    assert len({known(one, now + DAY_S) for one in nodes} - {None}) == 1


def test_midnight_turns_the_salt_and_its_window_ends_the_day_before(tmp_path: Path) -> None:
    now = TODAY * DAY_S + 10.0
    SaltFile(tmp_path, KEYS).keep({day: os.urandom(32) for day in (TODAY - 1, TODAY, TODAY + 1)})
    salts = node(tmp_path, clock=lambda: now)
    midnight = TODAY * DAY_S
    before, after = known(salts, midnight - 0.001), known(salts, midnight)
    assert before is not None and after is not None and before != after
    for now_s in (midnight, midnight + WINDOW - 0.001):
        former = salts.yesterday(now_s)
        assert former is not None
        assert former(*SOMEONE) == before
        assert known(salts, now_s) == after
    assert salts.yesterday(midnight + WINDOW) is None
    assert salts.yesterday(midnight - 0.001) is None
    assert known(salts, midnight + DAY_S - 0.001) == after
    assert known(salts, midnight + DAY_S) not in {before, after, None}


async def test_without_postgres_a_restart_goes_on_with_the_hashes(
    fresh_database_url: str, tmp_path: Path
) -> None:
    first = node(tmp_path)
    await first.renew(fresh_database_url)
    second = node(tmp_path)
    now = time.time()
    assert known(second, now) == known(first, now) is not None
    assert known(second, now + DAY_S) == known(first, now + DAY_S) is not None


async def test_a_full_disk_keeps_nobody_from_agreeing(
    fresh_database_url: str, tmp_path: Path
) -> None:
    (tmp_path / "visitor-salts.new").mkdir()
    salts = node(tmp_path)
    with pytest.raises(OSError, match="visitor-salts"):
        await salts.renew(fresh_database_url)
    assert known(salts, time.time()) is not None


@pytest.mark.parametrize("wrong", [b"", b"x", bytes(200)])
def test_a_damaged_file_is_none(wrong: bytes, tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(wrong)
    assert SaltFile(tmp_path, KEYS).read() == {}
    SaltFile(tmp_path, KEYS).keep({TODAY: bytes(32)})
    assert SaltFile(tmp_path, KEYS).read() == {TODAY: bytes(32)}


async def test_a_table_that_a_crash_emptied_is_filled_from_memory(
    fresh_database_url: str, tmp_path: Path
) -> None:
    first, second = node(tmp_path / "1"), node(tmp_path / "2")
    await first.renew(fresh_database_url)
    someone = known(first, time.time())
    async with connected(fresh_database_url) as connection:
        await connection.execute("TRUNCATE visitor_salts")
    await first.renew(fresh_database_url)
    await second.renew(fresh_database_url)
    assert known(second, time.time()) == known(first, time.time()) == someone


async def test_a_salt_whose_key_is_gone_is_made_anew(
    fresh_database_url: str, tmp_path: Path
) -> None:
    former = node(tmp_path / "1", keys=KEYS)
    await former.renew(fresh_database_url)
    others = [node(tmp_path / str(number), keys=OTHER_KEYS) for number in range(2, 6)]
    await asyncio.gather(*(one.renew(fresh_database_url) for one in others))
    (someone,) = {known(one, time.time()) for one in others}
    assert someone not in {None, known(former, time.time())}
    # As is its file: the same folder with the new key only.
    moved = node(tmp_path / "1", keys=OTHER_KEYS)
    assert known(moved, time.time()) is None
    await moved.renew(fresh_database_url)
    assert known(node(tmp_path / "1", keys=OTHER_KEYS), time.time()) == someone


async def test_a_rotated_key_that_is_still_listed_changes_no_salt(
    fresh_database_url: str, tmp_path: Path
) -> None:
    former = node(tmp_path / "1")
    await former.renew(fresh_database_url)
    both = SecretKeys(
        ["another secret for tests, 32 and more", "a secret for tests that nobody else has"]
    )
    rotated = node(tmp_path / "2", keys=both)
    await rotated.renew(fresh_database_url)
    assert known(rotated, time.time()) == known(former, time.time()) is not None


@pytest.mark.parametrize("wrong_s", [3_600, -3_600, 86_400, -40 * 86_400])
async def test_a_clock_that_is_wrong_turns_the_day_with_the_others(
    wrong_s: int, fresh_database_url: str, tmp_path: Path
) -> None:
    right = node(tmp_path / "1")
    wrong = node(tmp_path / "2", clock=lambda: time.time() + wrong_s)
    await right.renew(fresh_database_url)
    await wrong.renew(fresh_database_url)
    midnight = (time.time() // DAY_S + 1) * DAY_S
    # Rounds measure Postgres' clock to the milliseconds that it takes to ask.
    for at in (time.time(), midnight - 2, midnight + 2, midnight + DAY_S - 2):
        assert known(wrong, at + wrong_s) == known(right, at) is not None
    for at in (midnight + 2, midnight + WINDOW - 2, midnight + WINDOW + 2):
        here, there = right.yesterday(at), wrong.yesterday(at + wrong_s)
        assert (here is None) == (there is None) == (at > midnight + WINDOW)


async def test_a_clock_that_jumps_is_set_right_in_the_next_round(
    fresh_database_url: str, tmp_path: Path
) -> None:
    jumped_s = 0.0
    salts = node(tmp_path, clock=lambda: time.time() + jumped_s)
    await salts.renew(fresh_database_url)
    someone = known(salts, time.time())
    jumped_s = 10.0 * DAY_S
    assert known(salts, time.time() + jumped_s) is None
    await salts.renew(fresh_database_url)
    assert known(salts, time.time() + jumped_s) == someone


async def test_a_start_amid_a_replacement_finds_salts(tmp_path: Path) -> None:
    file = SaltFile(tmp_path, KEYS)
    file.keep({TODAY: bytes(32)})

    def replace() -> None:
        for number in range(40):
            file.keep({TODAY: bytes((number,)) * 32})

    def read() -> list[dict[int, bytes]]:
        return [SaltFile(tmp_path, KEYS).read() for _ in range(300)]

    found, _ = await asyncio.gather(asyncio.to_thread(read), asyncio.to_thread(replace))
    assert {} not in found
