"""Looking for prospects and for ended locks reads what is sought, and nothing else."""

from uuid import UUID

import pytest

from app.db.engine import Database
from app.deal_customers import _LINK_ALL
from app.ids import uuid7
from app.program.deals.register import _CUSTOMERS
from app.program.deals.stages import _EXPIRE

SPAN = (["elpmaxe.4d@"], ["elpmaxe.4dA"])


@pytest.mark.parametrize("sought", ["when one registers", "when a customer may have come"])
async def test_customers_are_found_by_the_index_of_addresses(
    fresh_database: Database, sought: str
) -> None:
    workspace = uuid7()
    async with fresh_database.tx() as tx:
        driver = await tx.driver()
        await driver.execute(
            "INSERT INTO workspaces (id, name, mode, first) VALUES ($1, 'w', 'test', false)",
            workspace,
        )
        await driver.execute(
            "INSERT INTO customers (workspace_id, id, email, name)"
            " SELECT $1, gen_random_uuid(), 'u' || i || '@d' || i % 900 || '.example', ''"
            " FROM generate_series(1, 20000) i",
            workspace,
        )
        await driver.execute("ANALYZE customers")
        parameters: tuple[UUID | list[str] | int, ...] = (workspace, *SPAN)
        statement = _CUSTOMERS
        if sought != "when one registers":
            statement, parameters = _LINK_ALL, (10,)
        plan = await driver.fetch(f"EXPLAIN {statement}", *parameters)
    scans = [row[0] for row in plan if "on customers" in row[0]]
    assert len(scans) == 1
    assert "ix_customers_email_backwards" in scans[0]


async def test_locks_that_have_ended_are_searched(database: Database) -> None:
    """Whoever registers does it in the lane: not all open deals may be read for it."""
    async with database.tx() as tx:
        driver = await tx.driver()
        await driver.execute("SET LOCAL enable_seqscan = off")
        plan = await driver.fetch(f"EXPLAIN {_EXPIRE}", None, [], 10)
    assert any("Index Cond: (lock_until <=" in row[0] for row in plan)
