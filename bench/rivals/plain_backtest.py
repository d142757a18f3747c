"""The plain way to try terms on history: sale by sale, each with queries of its own, the two plans
read and their conditions compiled anew each time.

It does less than ours: it takes who is credited from what is recorded, and folds nothing.
"""

import asyncio
import time
from dataclasses import replace
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from app.core import conditions
from app.core.commission import rule_on
from app.core.plans import parse
from tests.core.made_sales import SALE

_SALE = """
SELECT c.*, e.mapped->>'country' AS country FROM conversions c
JOIN events e ON e.workspace_id = c.workspace_id AND e.conversion_id = c.id
WHERE c.workspace_id = $1 AND c.id = $2 AND e.mapped->>'kind' = 'payment'
"""
_BEFORE = """
SELECT count(*) AS sales, coalesce(sum(base - refunded), 0)::bigint AS value FROM conversions
WHERE workspace_id = $1 AND customer_id = $2 AND occurred_at < $3
"""


def run(url: str, workspace: UUID, versions: tuple[UUID, UUID], sales: list[UUID]) -> float:
    """Seconds for these sales; a function of its own, so that a process can be given it."""
    return asyncio.run(_run(url, workspace, versions, sales))


async def _run(url: str, workspace: UUID, versions: tuple[UUID, UUID], sales: list[UUID]) -> float:
    connection = await asyncpg.connect(url)
    totals: dict[str, int] = {}
    began = time.perf_counter()
    try:
        for sale in sales:
            await _try(connection, workspace, versions, sale, totals)
    finally:
        await connection.close()
    return time.perf_counter() - began


async def _try(
    connection: "asyncpg.Connection[Any]",
    workspace: UUID,
    versions: tuple[UUID, UUID],
    sale: UUID,
    totals: dict[str, int],
) -> None:
    row = await connection.fetchrow(_SALE, workspace, sale)
    assert row is not None
    before = await connection.fetchrow(_BEFORE, workspace, row["customer_id"], row["occurred_at"])
    assert before is not None
    facts = replace(
        SALE,
        kind=row["kind"],
        currency=row["currency"],
        new=row["is_new"],
        at=row["occurred_at"],
        amount=row["base"],
        gross=row["gross"],
        customer_country=row["country"],
        customer_sales=before["sales"],
        customer_value=before["value"],
        payment=before["sales"] + 1,
    )
    for version in versions:
        document = await connection.fetchval(
            "SELECT document FROM plan_versions WHERE workspace_id = $1 AND id = $2",
            workspace,
            version,
        )
        conditions.compile_condition.cache_clear()
        for paid in rule_on(parse(orjson.loads(document)), facts).paid:
            key = f"{version}:{paid.currency}"
            totals[key] = totals.get(key, 0) + paid.amount
