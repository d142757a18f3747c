"""Sales decided per second, three ways in turn: our road in batches, the same road with one
transaction per sale, and a plain one that writes less, eight connections at once.
"""

import statistics
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from app import collector
from app.conversions import road
from app.conversions.intake import inbox
from app.db.engine import Database
from bench.rivals import one_by_one
from bench.rivals.one_by_one import PlainSale
from bench.rounds import percentile
from bench.table import table
from tests.making import Shop, ago, make_shop, percent, sale

ROUNDS = 5
OURS = 3_000
ALONE = 300
PLAIN = 600
PARTNERS = 50


@dataclass(frozen=True, slots=True)
class Row:
    """Median and all rounds, sales per second."""

    name: str
    median: float
    rounds: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Settled:
    """One round of ours. batches_ms: from the wait for the lane to the commit, each batch."""

    sales_s: float
    batches_ms: tuple[float, ...]


async def measure(url: str) -> tuple[list[Row], list[float]]:
    """The rates, and how long ours took for each batch.

    url: a migrated database. Storing the events is not timed; deciding and writing is.
    """
    database = Database(url)
    partners = [f"p{n}" for n in range(PARTNERS)]
    shop = await make_shop(database, percent(2000), partners)
    pool = await one_by_one.prepare(url)
    ours: list[float] = []
    batches_ms: list[float] = []
    alone: list[float] = []
    plain: list[float] = []
    await decide_in_batches(shop, "warm", partners, 200)
    for n in range(ROUNDS):
        settled = await decide_in_batches(shop, f"r{n}", partners, OURS)
        ours.append(settled.sales_s)
        batches_ms += settled.batches_ms
        alone.append(await _decide_alone(shop, f"a{n}", partners))
        plain.append(await _decide_plain(pool, shop, f"r{n}", partners))
    balance = sum([(await shop.balance(partner)).get("pending", 0) for partner in partners])
    assert balance == 2_00 * (ROUNDS * (OURS + ALONE) + 200), balance
    await pool.close()
    await database.close()
    rows = [
        Row("Finderfee, batches", statistics.median(ours), tuple(ours)),
        Row("plain, eight connections", statistics.median(plain), tuple(plain)),
        Row("Finderfee, one transaction per sale", statistics.median(alone), tuple(alone)),
    ]
    return rows, sorted(batches_ms)


async def decide_in_batches(shop: Shop, label: str, partners: list[str], count: int) -> Settled:
    """Store so many sales, then decide them as the worker does; storing is not timed."""
    await _store(shop, label, partners, count)
    batches_ms: list[float] = []
    began = before = time.perf_counter()
    while await inbox.settle(shop.database, shop.workspace):
        now = time.perf_counter()
        batches_ms.append((now - before) * 1_000)
        before = now
    return Settled(count / (before - began), tuple(batches_ms))


async def _decide_alone(shop: Shop, label: str, partners: list[str]) -> float:
    ids = await _store(shop, label, partners, ALONE)

    async def settle() -> None:
        for event in ids:
            async with shop.database.lane(shop.workspace) as tx:
                await road.decide(tx, shop.workspace, [event])

    return ALONE / await _timed(settle)


async def _store(shop: Shop, label: str, partners: list[str], count: int) -> list[UUID]:
    requests = [
        sale(
            f"{label}-{n}", f"{label}-{n}", 10_00,
            clicks=[shop.click(partners[n % len(partners)], ago(hours=2))],
        )
        for n in range(count)
    ]  # fmt: skip
    stored: list[UUID] = []
    for start in range(0, count, 500):
        stored += await shop.say(*requests[start : start + 500])
    return stored


async def _decide_plain(
    pool: "asyncpg.Pool[asyncpg.Record]", shop: Shop, label: str, partners: list[str]
) -> float:
    sales = [
        PlainSale(f"{label}-{n}", f"{label}-{n}", shop.links[partners[n % len(partners)]], 10_00)
        for n in range(PLAIN)
    ]
    return PLAIN / await _timed(lambda: one_by_one.decide_all(pool, sales))


async def _timed(run: Callable[[], Awaitable[None]]) -> float:
    began = time.perf_counter()
    await run()
    return time.perf_counter() - began


async def main(url: str) -> None:
    collector.calm()  # as the worker does
    rows, batches_ms = await measure(url)
    ours = rows[0].median
    print(
        table(
            ("", "sales/s", "ours is", "rounds"),
            [
                (
                    row.name,
                    f"{row.median:,.0f}",
                    "" if row is rows[0] else f"{ours / row.median:.1f} ×",
                    " ".join(f"{found:,.0f}" for found in row.rounds),
                )
                for row in rows
            ],
        )
    )
    print(f"\n{histogram(batches_ms)}")


def histogram(ordered: list[float], *, step_ms: int = 5, width: int = 50) -> str:
    """How long the batches took, as a figure of text. ordered: milliseconds, not empty."""
    counts = Counter(int(took // step_ms) for took in ordered)
    most = max(counts.values())
    lines = [
        f"{n * step_ms:>4} to {(n + 1) * step_ms:>3} ms  {counts[n]:>5}"
        f"  {'█' * round(width * counts[n] / most)}".rstrip()
        for n in range(min(counts), max(counts) + 1)
    ]
    shares = ", ".join(
        f"{name} {percentile(ordered, share):.1f}"
        for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))
    )
    head = f"{len(ordered):,} batches of {inbox.BATCH}: {shares}, most {ordered[-1]:.1f} ms"
    return "\n".join((head, "", "```", *lines, "```"))
