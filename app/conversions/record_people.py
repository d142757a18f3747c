"""Customers, the names they go by, and who turned out to be whom."""

from typing import Any
from uuid import UUID

import asyncpg

from app.conversions.decided import Batch
from app.db import bulk
from app.db import tables as t


async def write_people(driver: "asyncpg.Connection[Any]", batch: Batch) -> None:
    """Customers that are new or turned out to be one, and all the names they go by now."""
    workspace = batch.workspace
    made = [d.person.id for d in batch.decided if d.person.made]
    await bulk.insert(
        driver,
        t.Customer,
        [
            {
                "workspace_id": workspace,
                "id": customer,
                "email": "",
                "name": "",
                "created_at": batch.counters.now,
            }
            for customer in made
        ],
    )
    for decided in batch.decided:
        for absorbed in decided.person.absorbed:
            await _absorb(driver, workspace, absorbed, decided.person.id)
    await driver.execute(
        """
        INSERT INTO customer_names (workspace_id, name, customer_id)
        SELECT $1, * FROM unnest($2::text[], $3::uuid[])
        ON CONFLICT (workspace_id, name) DO NOTHING
        """,
        workspace,
        [name for d in batch.decided for name in sorted(d.person.names)],
        [d.person.id for d in batch.decided for _ in d.person.names],
    )
    await _write_contacts(driver, batch)


async def _absorb(
    driver: "asyncpg.Connection[Any]", workspace: UUID, absorbed: UUID, by: UUID
) -> None:
    for table in ("customer_names", "events", "conversions", "commissions"):
        await driver.execute(
            f"UPDATE {table} SET customer_id = $3 WHERE workspace_id = $1 AND customer_id = $2",
            workspace,
            absorbed,
            by,
        )
    await driver.execute(
        "UPDATE customers SET merged_into = $3"
        " WHERE workspace_id = $1 AND (id = $2 OR merged_into = $2)",
        workspace,
        absorbed,
        by,
    )


async def _write_contacts(driver: "asyncpg.Connection[Any]", batch: Batch) -> None:
    """Aliases in clear, e-mail and name, from the bodies of the news: they stay in Postgres."""
    news = [event.id for decided in batch.decided for event in decided.person.news]
    customers = [d.person.id for d in batch.decided for _ in d.person.news]
    await driver.execute(
        """
        UPDATE customer_names n SET namespace = a.alias->>1, external_id = a.alias->>2
        FROM (
          SELECT jsonb_array_elements(b.contact->'aliases') AS alias FROM event_bodies b
          WHERE b.workspace_id = $1 AND b.event_id = ANY($2)
        ) a
        WHERE n.workspace_id = $1 AND n.name = a.alias->>0 AND n.namespace IS NULL
        """,
        batch.workspace,
        news,
    )
    await driver.execute(
        """
        UPDATE customers c SET
          email = CASE WHEN k.email <> '' THEN k.email ELSE c.email END,
          name = CASE WHEN k.name <> '' THEN k.name ELSE c.name END
        FROM (
          SELECT u.customer,
            coalesce((array_agg(b.contact->>'email' ORDER BY e.occurred_at DESC, e.id DESC)
              FILTER (WHERE b.contact->>'email' <> ''))[1], '') AS email,
            coalesce((array_agg(b.contact->>'name' ORDER BY e.occurred_at DESC, e.id DESC)
              FILTER (WHERE b.contact->>'name' <> ''))[1], '') AS name
          FROM unnest($2::uuid[], $3::uuid[]) AS u (event, customer)
          JOIN event_bodies b ON b.workspace_id = $1 AND b.event_id = u.event
          JOIN events e ON e.workspace_id = $1 AND e.id = u.event
          GROUP BY u.customer
        ) k
        WHERE c.workspace_id = $1 AND c.id = k.customer AND (k.email <> '' OR k.name <> '')
        """,
        batch.workspace,
        news,
        customers,
    )
