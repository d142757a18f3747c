"""The plain way: one transaction per sale, one statement per row, a warm pool, several at once.

It writes the same nine tables as our road and keeps the balances, but explains less: no facts, no
hash chain, no refolding. What a careful team would write first.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import orjson

CONCURRENCY = 8

TABLES = """
CREATE SCHEMA plain;
CREATE TABLE plain.events (id uuid PRIMARY KEY, key text UNIQUE, body bytea, state text);
CREATE TABLE plain.bodies (event_id uuid PRIMARY KEY, body bytea);
CREATE TABLE plain.customers (id uuid PRIMARY KEY, external_id text UNIQUE);
CREATE TABLE plain.touches (id uuid PRIMARY KEY, customer_id uuid, link_id uuid);
CREATE TABLE plain.conversions (id uuid PRIMARY KEY, customer_id uuid, amount bigint,
  reasons jsonb);
CREATE TABLE plain.commissions (id uuid PRIMARY KEY, conversion_id uuid, partner_id uuid,
  amount bigint, status text);
CREATE TABLE plain.decisions (id uuid PRIMARY KEY, customer_id uuid, facts jsonb);
CREATE TABLE plain.transfers (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  debit text, credit text, amount bigint);
CREATE TABLE plain.accounts (id text PRIMARY KEY, debits numeric, credits numeric);
"""


@dataclass(frozen=True, slots=True)
class PlainSale:
    """A sale as the rival takes it."""

    key: str
    customer: str
    link: UUID
    amount: int


async def prepare(url: str) -> asyncpg.Pool:
    pool = await asyncpg.create_pool(url, min_size=CONCURRENCY, max_size=CONCURRENCY)
    await pool.execute(TABLES)
    return pool


async def decide_all(pool: asyncpg.Pool, sales: Sequence[PlainSale]) -> None:
    queue = list(reversed(sales))

    async def work() -> None:
        while queue:
            sale = queue.pop()
            async with pool.acquire() as connection, connection.transaction():
                await decide(connection, sale)

    async with asyncio.TaskGroup() as group:
        for _ in range(CONCURRENCY):
            group.create_task(work())


async def decide(connection: Any, sale: PlainSale) -> None:
    event, customer, conversion, commission = (uuid4() for _ in range(4))
    body = orjson.dumps({"customer": sale.customer, "amount": sale.amount})
    stored = await connection.fetchval(
        "INSERT INTO plain.events VALUES ($1, $2, $3, 'received')"
        " ON CONFLICT DO NOTHING RETURNING id",
        event, sale.key, body,
    )  # fmt: skip
    if stored is None:
        return
    await connection.execute("INSERT INTO plain.bodies VALUES ($1, $2)", event, body)
    link = await connection.fetchrow(
        "SELECT program_id, partner_id FROM links WHERE id = $1", sale.link
    )
    plan = await connection.fetchval(
        "SELECT document FROM plan_versions WHERE program_id = $1 AND published_at IS NOT NULL"
        " ORDER BY version DESC LIMIT 1",
        link["program_id"],
    )
    rate_bps = orjson.loads(plan)["rules"][0]["pay"]["percent_bps"]
    amount = sale.amount * rate_bps // 10_000
    await connection.execute("INSERT INTO plain.customers VALUES ($1, $2)", customer, sale.customer)
    await connection.execute(
        "INSERT INTO plain.touches VALUES ($1, $2, $3)", uuid4(), customer, sale.link
    )
    reasons = orjson.dumps([{"code": "rule_paid", "at": datetime.now(UTC)}]).decode()
    await connection.execute(
        "INSERT INTO plain.conversions VALUES ($1, $2, $3, $4)",
        conversion, customer, sale.amount, reasons,
    )  # fmt: skip
    await connection.execute(
        "INSERT INTO plain.commissions VALUES ($1, $2, $3, $4, 'pending')",
        commission, conversion, link["partner_id"], amount,
    )  # fmt: skip
    await connection.execute(
        "INSERT INTO plain.decisions VALUES ($1, $2, $3)", uuid4(), customer, reasons
    )
    pending = f"pending:{link['partner_id']}"
    await connection.execute(
        "INSERT INTO plain.transfers (debit, credit, amount) VALUES ('expense', $1, $2)",
        pending, amount,
    )  # fmt: skip
    for account, debit, credit in (("expense", amount, 0), (pending, 0, amount)):
        await connection.execute(
            "INSERT INTO plain.accounts VALUES ($1, $2, $3) ON CONFLICT (id) DO UPDATE SET"
            " debits = plain.accounts.debits + excluded.debits,"
            " credits = plain.accounts.credits + excluded.credits",
            account, debit, credit,
        )  # fmt: skip
    await connection.execute("UPDATE plain.events SET state = 'applied' WHERE id = $1", event)
