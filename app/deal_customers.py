"""Who turned out to be a registered prospect: a customer who has the contact's very address.

A pair comes about when a deal is accepted, which looks for its customer then, or when a customer
comes or tells an address, which some decision does: the worker looks at the decisions since its
last round. What both miss, since they happened at once, is found when everything is compared.
"""

import time
from collections import deque
from collections.abc import Collection
from typing import Any, Final
from uuid import UUID

import asyncpg

from app.db.engine import Database
from app.prospects import email_key

_BATCH: Final = 100
_OVERLAP: Final = 3
"""Rounds whose decisions are looked at again: longer than a step of a deal takes."""
_EVERYTHING_S: Final = 600

_LINK: Final = """
UPDATE deals SET linked = true, customer_id = found.customer_id
FROM (
  SELECT d.id, c.id AS customer_id FROM deals d
  JOIN deal_prospects p ON p.workspace_id = d.workspace_id AND p.deal_id = d.id
  CROSS JOIN LATERAL (
    WITH same AS MATERIALIZED (
      SELECT id, created_at FROM customers
      WHERE workspace_id = d.workspace_id AND merged_into IS NULL AND email <> ''
        AND reverse(lower(email)) COLLATE "C" = reverse(lower(p.contact_email)) COLLATE "C"
    )
    SELECT id FROM same ORDER BY created_at, id LIMIT 1
  ) c
  WHERE d.stage IN ('accepted', 'qualified') AND NOT d.linked AND p.contact_email <> ''{only}
  ORDER BY d.id LIMIT $1 FOR UPDATE OF d SKIP LOCKED
) found WHERE deals.id = found.id
RETURNING deals.id
"""
"""Materialized, or all customers of the workspace would be read in the order of their age."""
_LINK_ALL: Final = _LINK.format(only="")
_LINK_THESE: Final = _LINK.format(only=" AND d.id = ANY($2)")
_LAST: Final = """
SELECT w.id, coalesce(
  (SELECT max(decision_no) FROM decisions WHERE workspace_id = w.id), 0) AS decision_no
FROM workspaces w
"""
_TOLD: Final = """
SELECT DISTINCT c.email FROM decisions d
JOIN customers c ON c.workspace_id = d.workspace_id AND c.id = d.customer_id
WHERE d.workspace_id = $1 AND d.decision_no > $2 AND d.decision_no <= $3 AND c.email <> ''
  AND EXISTS (SELECT FROM deal_keys WHERE workspace_id = $1)
"""
_HOLDERS: Final = """
SELECT DISTINCT deal_id FROM deal_keys WHERE workspace_id = $1 AND name = ANY($2)
"""


async def link_deals(driver: "asyncpg.Connection[Any]", deals: Collection[UUID]) -> None:
    """Link those of them that are accepted to the oldest customer with the contact's address."""
    await driver.execute(_LINK_THESE, len(deals), list(deals))


class Finder:
    """One worker's rounds. What it has seen is its own; a new one begins with everything."""

    def __init__(self) -> None:
        self._seen: deque[dict[UUID, int]] = deque(maxlen=_OVERLAP)
        """By workspace, the last decision of each of the latest rounds."""
        self._everything_at = -float("inf")

    async def find(self, database: Database) -> None:
        """Link accepted deals to customers who have come, or told an address, since."""
        async with database.tx() as tx:
            driver = await tx.driver()
            last = {row["id"]: row["decision_no"] for row in await driver.fetch(_LAST)}
        if time.monotonic() - self._everything_at >= _EVERYTHING_S:
            began = time.monotonic()
            await _link_all(database)
            self._everything_at = began
        else:
            for workspace, decision_no in last.items():
                before = self._seen[0].get(workspace, 0)
                if before < decision_no:
                    await _link_told(database, workspace, before, decision_no)
        self._seen.append(last)


async def _link_all(database: Database) -> None:
    linked = _BATCH
    while linked == _BATCH:
        async with database.tx() as tx:
            driver = await tx.driver()
            linked = len(await driver.fetch(_LINK_ALL, _BATCH))


async def _link_told(database: Database, workspace: UUID, after: int, until: int) -> None:
    """Link deals to the customers of these decisions."""
    async with database.tx() as tx:
        driver = await tx.driver()
        told = await driver.fetch(_TOLD, workspace, after, until)
        keys = {email_key(row["email"]) for row in told}
        if not keys:
            return
        held = await driver.fetch(_HOLDERS, workspace, list(keys))
        if held:
            await link_deals(driver, [row["deal_id"] for row in held])
