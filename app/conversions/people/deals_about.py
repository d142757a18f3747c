"""What registered leads hold about a customer: shown to it, and erased with it."""

from collections.abc import Collection
from typing import Any, Final
from uuid import UUID

import asyncpg

from app.conversions.people.about import Person
from app.wire import Instant, Out

MOST: Final = 1_000

_ABOUT: Final = """
WITH addresses AS (
  SELECT lower(email) AS email FROM customers
  WHERE workspace_id = $1 AND id = ANY($2) AND email <> ''
  UNION
  SELECT lower(b.contact->>'email') FROM events e
  JOIN event_bodies b ON b.workspace_id = e.workspace_id AND b.event_id = e.id
  WHERE e.workspace_id = $1 AND e.customer_id = ANY($2) AND b.contact->>'email' <> ''
), own AS (
  SELECT external_id FROM customer_names
  WHERE workspace_id = $1 AND customer_id = ANY($2) AND namespace = 'own'
)
SELECT d.id, d.product, d.stage, d.registered_at,
  p.company, p.domain, p.contact_name, p.contact_email, p.note
FROM deals d JOIN deal_prospects p ON p.workspace_id = d.workspace_id AND p.deal_id = d.id
WHERE d.workspace_id = $1 AND (
  d.customer_id = ANY($2)
  OR lower(p.contact_email) IN (SELECT email FROM addresses)
  OR p.customer_external_id IN (SELECT external_id FROM own)
)
ORDER BY d.registered_at DESC, d.id DESC LIMIT $3
"""


class RegisteredOut(Out):
    """A deal that names the customer, without who registered it."""

    company: str
    domain: str
    contact_name: str
    contact_email: str
    product: str
    note: str
    stage: str
    registered_at: Instant


async def deals_about(
    driver: "asyncpg.Connection[Any]", workspace: UUID, someone: Person
) -> list[RegisteredOut]:
    """The latest 1,000 that name the person by id, by an own id or by address."""
    rows = await driver.fetch(_ABOUT, workspace, someone.ids, MOST)
    return [RegisteredOut(**{n: row[n] for n in RegisteredOut.model_fields}) for row in rows]


async def forget_deals(driver: "asyncpg.Connection[Any]", workspace: UUID, someone: Person) -> int:
    """Erase what deals say of a customer; who registered, stages and dates stay. How many.

    Before the customer's names and addresses go, by which they are found.
    """
    rows = await driver.fetch(_ABOUT, workspace, someone.ids, None)
    await _forget(driver, workspace, [row["id"] for row in rows])
    return len(rows)


async def _forget(
    driver: "asyncpg.Connection[Any]", workspace: UUID, deals: Collection[UUID]
) -> None:
    """The prospects of deals, and the words that people wrote beside them."""
    own = "workspace_id = $1 AND deal_id = ANY($2)"
    for statement in (
        f"DELETE FROM deal_prospects WHERE {own}",
        f"DELETE FROM deal_keys WHERE {own} AND name LIKE 'email:%'",
        f"UPDATE deal_states SET reason = '' WHERE {own}",
        "UPDATE deals SET product = '' WHERE workspace_id = $1 AND id = ANY($2)",
    ):
        await driver.execute(statement, workspace, list(deals))
