"""Customers, the names they go by, and who turned out to be whom."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import asyncpg

from app.conversions.decided import Batch, Decided
from app.db import bulk
from app.db import tables as t


async def write_people(driver: "asyncpg.Connection[Any]", batch: Batch) -> None:
    """Customers that are new or turned out to be one, and all the names they go by now."""
    told = {decided.person.id: _told(batch, decided) for decided in batch.decided}
    await bulk.insert(
        driver,
        t.Customer,
        [
            {
                "workspace_id": batch.workspace,
                "id": decided.person.id,
                **told[decided.person.id],
                "created_at": batch.counters.now,
            }
            for decided in batch.decided
            if decided.person.made
        ],
    )
    for decided in batch.decided:
        person = decided.person
        for absorbed in person.absorbed:
            await _absorb(driver, batch.workspace, absorbed, person.id)
        if not person.made and any(told[person.id].values()):
            await _retell(driver, batch.workspace, person.id, told[person.id])
    await bulk.insert(driver, t.CustomerName, list(_new_names(batch)))
    await _retell_aliases(driver, batch)


def _new_names(batch: Batch) -> Iterator[dict[str, Any]]:
    """Names that nobody had. An alias comes with its namespace and id in clear."""
    for decided in batch.decided:
        clear = {
            name: (namespace, external_id)
            for event in decided.person.news
            for name, namespace, external_id in batch.contacts[event.id].get("aliases", [])
        }
        for name in sorted(decided.person.new_names):
            namespace, external_id = clear.get(name, (None, None))
            yield {
                "workspace_id": batch.workspace,
                "name": name,
                "customer_id": decided.person.id,
                "namespace": namespace,
                "external_id": external_id,
            }


def _told(batch: Batch, decided: Decided) -> dict[str, str]:
    """E-mail, name, and how it came, as the latest news tell them; empty where none do."""
    email = name = heard = ""
    for event in sorted(decided.person.news, key=lambda event: event.order):
        contact = batch.contacts[event.id]
        email, name = contact.get("email") or email, contact.get("name") or name
        heard = contact.get("heard_from") or heard
    return {"email": email, "name": name, "heard_from": heard}


async def _retell(
    driver: "asyncpg.Connection[Any]", workspace: UUID, customer: UUID, told: dict[str, str]
) -> None:
    await driver.execute(
        "UPDATE customers SET email = coalesce(nullif($3, ''), email),"
        " name = coalesce(nullif($4, ''), name), heard_from = coalesce(nullif($5, ''), heard_from)"
        " WHERE workspace_id = $1 AND id = $2",
        workspace,
        customer,
        told["email"],
        told["name"],
        told["heard_from"],
    )


async def _retell_aliases(driver: "asyncpg.Connection[Any]", batch: Batch) -> None:
    """Aliases in clear that were erased, and came again in a message received since."""
    told = {
        name: (namespace, external_id)
        for decided in batch.decided
        if not decided.person.made
        for event in decided.person.news
        for name, namespace, external_id in batch.contacts[event.id].get("aliases", [])
        if name not in decided.person.new_names
    }
    if not told:
        return
    # One look-up a name, as in `identities.known_names`; hardly ever one is found.
    blank = await driver.fetch(
        """
        SELECT k.name FROM unnest($2::text[]) AS k (name)
        CROSS JOIN LATERAL (
          SELECT FROM customer_names
          WHERE workspace_id = $1 AND name = k.name AND external_id IS NULL LIMIT 1
        ) n
        """,
        batch.workspace,
        sorted(told),
    )
    for row in blank:
        await driver.execute(
            "UPDATE customer_names SET namespace = $3, external_id = $4"
            " WHERE workspace_id = $1 AND name = $2",
            batch.workspace,
            row["name"],
            *told[row["name"]],
        )


async def _absorb(
    driver: "asyncpg.Connection[Any]", workspace: UUID, absorbed: UUID, by: UUID
) -> None:
    own = ("customer_names", "events", "conversions", "commissions", "partner_customers")
    for table in own:
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
