"""Months settled by workers that are killed (-9) at each of their writes, and at random moments:
each is settled once, to the cent.
"""

import asyncio
import random
import secrets
from collections import defaultdict
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import asyncpg
import httpx
import pytest

from app.conversions.true_ups import BATCH
from app.core.click_token import ClickToken, sign
from app.core.periods import period_of
from app.ids import decode, first_at, uuid7
from app.secret_keys import SecretKeys
from tests.e2e.client import GIVEN, SECRET_KEYS, Json, Shop, command, open_shop
from tests.service import serve

KEYS: Final = SecretKeys([SECRET_KEYS]).click_keys
PARTNERS: Final = 14
MONTHS: Final = 8
STEP: Final = 30_000
LOWEST_BPS: Final = 1_111
REACHED_BPS: Final = 2_345
WRITES: Final = ("decisions", "commissions", "tallies", "transfers", "accounts", "lanes")
"""The tables that a settlement writes to, as it comes to them."""
KILLS: Final = 4
Months = dict[tuple[str, str], list[int]]
"""Sales by partner and month."""


@pytest.fixture
def seed() -> int:
    return secrets.randbelow(10_000)


async def test_a_month_is_settled_once_wherever_its_worker_is_killed(
    tmp_path: Path, fresh_database_url: str, seed: int
) -> None:
    dice = random.Random(seed)
    given = GIVEN | {"DATABASE_URL": fresh_database_url}
    with (
        serve(tmp_path / "api" / "data", "--role", "api", environment=given) as service,
        httpx.Client(timeout=30) as http,
    ):
        service.ready("api")
        shop = await asyncio.to_thread(selling, service.url, http)
        sold = await asyncio.to_thread(sell, shop, dice)
        assert len(sold) > BATCH
        before = await stands(fresh_database_url)
        for table in WRITES:
            await killed_at(table, fresh_database_url, tmp_path / table, given)
            assert await stands(fresh_database_url) == before, table
        for number in range(KILLS // 2):
            folders = [tmp_path / f"random{number}{one}" for one in "ab"]
            lives = [alive_for(dice.uniform(0, 0.3), fresh_database_url, f, given) for f in folders]
            await asyncio.gather(*lives)
        with worker(tmp_path / "last", given):
            await settled(fresh_database_url)
        await asyncio.to_thread(assert_settled, shop, sold)
        status, printed = await asyncio.to_thread(
            command, service, "verify", DATABASE_URL=fresh_database_url
        )
        assert status == 0, printed


def selling(url: str, http: httpx.Client) -> Shop:
    """A shop whose program settles months by their volume, two weeks after their end."""
    shop = open_shop([url], http)
    steps = [
        {"from": {"amount": start, "currency": "usd"}, "percent_bps": rate}
        for start, rate in ((0, LOWEST_BPS), (STEP, REACHED_BPS))
    ]
    bands = {"by": "revenue", "period": "month", "mode": "whole", "steps": steps}
    program = {
        "name": "Volume",
        "currency": "usd",
        "destination_hosts": ["shop.example.com"],
        "default_destination": "https://shop.example.com/pricing",
        "plan": {
            "hold_days": 14,
            "late_days": 1,
            "attribution": {"model": "last_click", "window_days": 30},
            "combine": "first_match",
            "rules": [{"id": "volume", "pay": {"bands": bands}}],
        },
    }
    shop.program = shop.post("/programs", program, 201)["id"]
    return shop


def sell(shop: Shop, dice: random.Random) -> Months:
    """Two sales to each partner in each of the months, decided in their requests."""
    first = (datetime.now(UTC).replace(day=1) - timedelta(days=35)).replace(day=1)
    months = [first]
    while len(months) < MONTHS:
        months.append((months[-1] - timedelta(days=1)).replace(day=1))
    sold: Months = defaultdict(list)
    requests: list[Json] = []
    for number in range(PARTNERS):
        email = f"partner{number}@example.com"
        told = {"program_id": shop.program, "name": f"Partner{number}", "email": email}
        partner = shop.post("/partners", told, 201)
        for month in (*months, *months):
            at, amount = month + timedelta(days=dice.uniform(0, 27)), dice.randint(100, STEP)
            sold[partner["id"], period_of(at, "month")].append(amount)
            token = clicked(partner["default_link"]["id"], at - timedelta(hours=1))
            requests.append(sale(len(requests), token, amount, at))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda body: shop.post("/track/sale", body), requests))
    return sold


def sale(number: int, token: str, amount: int, at: datetime) -> Json:
    return {
        "customer_external_id": f"user-{number}",
        "click_id": token,
        "amount": amount,
        "currency": "usd",
        "invoice_id": f"INV-{number}",
        "occurred_at": at.isoformat(),
    }


def clicked(link: str, at: datetime) -> str:
    click = UUID(int=first_at(at).int | uuid7().int & ((1 << 80) - 1))
    return sign(ClickToken(click, decode("link", link), "human"), KEYS)


@contextmanager
def worker(folder: Path, given: Mapping[str, str]) -> Iterator[Any]:
    folder.mkdir()
    with serve(folder / "data", "--role", "worker", environment=given) as service:
        yield service


async def killed_at(table: str, url: str, folder: Path, given: Mapping[str, str]) -> None:
    """Start a worker, and kill it while it waits to write its settlement to a table."""
    holder, watcher = await asyncpg.connect(url), await asyncpg.connect(url)
    try:
        async with holder.transaction():
            await holder.execute(f"LOCK TABLE {table} IN EXCLUSIVE MODE")
            with worker(folder, given) as service:
                await waiting_at(table, holder, watcher)
                await asyncio.to_thread(service.kill_everything)
        # Whoever it was in Postgres has to find that nobody is there any more.
        await gone(watcher)
    finally:
        await holder.close()
        await watcher.close()


async def waiting_at(table: str, holder: asyncpg.Connection, watcher: asyncpg.Connection) -> None:
    for _ in range(600):
        waits = await watcher.fetchval(
            "SELECT query FROM pg_stat_activity WHERE $1 = ANY(pg_blocking_pids(pid))",
            holder.get_server_pid(),
        )
        if waits is not None:
            assert table in waits
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"no worker came to {table}")


async def gone(watcher: asyncpg.Connection) -> None:
    """Wait until no settlement is under way."""
    for _ in range(200):
        under_way = await watcher.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid() AND backend_xid IS NOT NULL"
        )
        if not under_way:
            return
        await asyncio.sleep(0.05)
    raise AssertionError("what a dead worker began goes on")


async def alive_for(span_s: float, url: str, folder: Path, given: Mapping[str, str]) -> None:
    """Start a worker, and kill it so long after its loops began."""
    connection = await asyncpg.connect(url)
    try:
        began = await connection.fetchval("SELECT clock_timestamp()")
        with worker(folder, given) as service:
            while not await connection.fetchval("SELECT max(beat_at) > $1 FROM heartbeats", began):
                await asyncio.sleep(0.01)
            await asyncio.sleep(span_s)
            await asyncio.to_thread(service.kill_everything)
        await gone(connection)
    finally:
        await connection.close()


async def stands(url: str) -> tuple[Any, ...]:
    """How many rows of what, and where the lanes are."""
    connection = await asyncpg.connect(url)
    try:
        row = await connection.fetchrow(
            "SELECT (SELECT count(*) FROM decisions), (SELECT count(*) FROM commissions),"
            " (SELECT count(*) FROM transfers), (SELECT sum(debits + credits) FROM accounts),"
            " (SELECT sum(decision_no) FROM lanes), (SELECT count(settled_no) FROM tallies)"
        )
        return tuple(row or ())
    finally:
        await connection.close()


async def settled(url: str) -> None:
    """Wait until all months are settled and the rest of each can be paid."""
    connection = await asyncpg.connect(url)
    try:
        for _ in range(1_200):
            left = await connection.fetchval(
                "SELECT (SELECT count(*) FROM tallies WHERE settled_no IS NULL"
                " AND name LIKE 'base:%' AND currency <> '') + (SELECT count(*) FROM commissions"
                " WHERE conversion_id IS NULL AND matured_at IS NULL)"
            )
            if not left:
                return
            await asyncio.sleep(0.05)
        raise AssertionError(f"{left} are left")
    finally:
        await connection.close()


def assert_settled(shop: Shop, sold: Months) -> None:
    found: dict[tuple[str, str], list[int]] = defaultdict(list)
    after = ""
    while True:
        page = shop.get(f"/commissions?limit=100{after}")
        for one in page["data"]:
            if one["settles"]:
                assert one["status"] == "payable"
                found[one["partner_id"], one["settles"]].append(one["amount"])
        if not page["has_more"]:
            break
        after = f"&starting_after={page['data'][-1]['id']}"
    rests = {key: rest(amounts) for key, amounts in sold.items()}
    assert found == {key: [left] for key, left in rests.items() if left}
    for partner in {partner for partner, _ in sold}:
        paid = sum(
            share(n, LOWEST_BPS) for key, ns in sold.items() if key[0] == partner for n in ns
        )
        payable = sum(left for (whose, _), left in rests.items() if whose == partner)
        (row,) = shop.get(f"/partners/{partner}/balance")["data"]
        assert (row["pending"], row["payable"]) == (paid, payable)


def rest(amounts: list[int]) -> int:
    """What a month still pays, by hand."""
    volume = sum(amounts)
    paid = sum(share(amount, LOWEST_BPS) for amount in amounts)
    return share(volume, REACHED_BPS) - paid if volume >= STEP else 0


def share(amount: int, rate_bps: int) -> int:
    return round(Fraction(amount * rate_bps, 10_000))
