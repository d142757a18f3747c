"""Registered leads become touches: who turned out to be which customer is told as an event.

The program's side writes down what people do to a deal; here that is read and told, as an event of
source `api`, to the customer whom the prospect became.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import asyncpg

from app.conversions.intake import incoming
from app.conversions.intake.incoming import Incoming
from app.conversions.providers.mapping import Alias, Contact, Mapped
from app.conversions.providers.track import OWN
from app.core.events import DealTouch, Named
from app.core.identity import person_name
from app.db.engine import Database
from app.wire import In

TYPE: Final = "deal.linked"
_BATCH: Final = 100

_UNTOLD: Final = """
SELECT d.workspace_id, d.id, d.number, d.program_id, d.partner_id, d.stage, d.registered_at,
  d.lock_until, s.at, p.customer_external_id, n.namespace, n.external_id
FROM deals d
JOIN deal_states s
  ON s.workspace_id = d.workspace_id AND s.deal_id = d.id AND s.number = d.number
LEFT JOIN deal_prospects p ON p.workspace_id = d.workspace_id AND p.deal_id = d.id
LEFT JOIN customers c ON c.workspace_id = d.workspace_id AND c.id = d.customer_id
LEFT JOIN LATERAL (
  SELECT namespace, external_id FROM customer_names
  WHERE workspace_id = d.workspace_id AND customer_id = coalesce(c.merged_into, c.id)
    AND external_id IS NOT NULL
  ORDER BY namespace, external_id LIMIT 1
) n ON true
WHERE d.linked AND d.told_number < d.number
ORDER BY d.workspace_id, d.id LIMIT $1 FOR UPDATE OF d SKIP LOCKED
"""
_UNNOTED: Final = """
SELECT d.workspace_id, d.id, p.customer_external_id FROM deals d
JOIN deal_prospects p ON p.workspace_id = d.workspace_id AND p.deal_id = d.id
WHERE d.linked AND d.customer_id IS NULL AND p.customer_external_id <> ''
ORDER BY d.number DESC, d.id LIMIT $1
"""


class DealLink(In):
    """As stored: a deal's entry, and a name of the customer whom it is about. at: of the entry."""

    namespace: str
    external_id: str
    deal_id: UUID
    number: int
    program_id: UUID
    partner_id: UUID
    registered_at: datetime
    until: datetime | None
    at: datetime

    def mapped(self, _received_at: datetime) -> Mapped:
        """Key: the deal and the entry."""
        return Mapped(
            external_id=f"deal:{self.deal_id}:{self.number}",
            kind="named",
            occurred_at=self.at,
            body=Named(),
            deals=(
                DealTouch(
                    deal_id=self.deal_id,
                    number=self.number,
                    program_id=self.program_id,
                    partner_id=self.partner_id,
                    at=self.registered_at,
                    until=self.until,
                ),
            ),
            contact=Contact((Alias(self.namespace, self.external_id),)),
            type=TYPE,
        )


async def tell_deals(database: Database) -> int:
    """Store an event for each entry of linked deals that is not told yet; how many deals."""
    told = 0
    while True:
        async with database.tx() as tx:
            driver = await tx.driver()
            rows = await driver.fetch(_UNTOLD, _BATCH)
            links = [(row["workspace_id"], link) for row in rows if (link := _link(row))]
            messages = [
                Incoming(workspace, "api", link.mapped(link.at), link.model_dump_json().encode())
                for workspace, link in links
            ]
            if messages:
                await incoming.store(tx, messages, ())
            await driver.executemany(
                "UPDATE deals SET told_number = $2 WHERE id = $1",
                [(row["id"], row["number"]) for row in rows],
            )
            await _note_customers(driver)
        told += len(rows)
        if len(rows) < _BATCH:
            return told


async def _note_customers(driver: "asyncpg.Connection[Any]") -> None:
    """Which customers they are who were named by the caller's ids, once they are decided on."""
    rows = await driver.fetch(_UNNOTED, _BATCH)
    if not rows:
        return
    named = [person_name(OWN, row["customer_external_id"]) for row in rows]
    await driver.execute(
        """
        UPDATE deals SET customer_id = n.customer_id
        FROM unnest($1::uuid[], $2::uuid[], $3::text[]) AS d (workspace_id, id, name)
        JOIN customer_names n ON n.workspace_id = d.workspace_id AND n.name = d.name
        WHERE deals.id = d.id
        """,
        [row["workspace_id"] for row in rows],
        [row["id"] for row in rows],
        named,
    )


def _link(row: Mapping[str, Any]) -> DealLink | None:
    """None if the customer's names were erased: nothing more can be told to it."""
    own = row["customer_external_id"]
    namespace, external_id = (OWN, own) if own else (row["namespace"], row["external_id"])
    if external_id is None:
        return None
    return DealLink(
        namespace=namespace,
        external_id=external_id,
        deal_id=row["id"],
        number=row["number"],
        program_id=row["program_id"],
        partner_id=row["partner_id"],
        registered_at=row["registered_at"],
        until=_until(row),
        at=row["at"],
    )


def _until(row: Mapping[str, Any]) -> datetime | None:
    """Until when a first conversion is the deal's: a rejected one has none, a won one each."""
    lock_until: datetime = row["lock_until"]
    ends: dict[str, datetime | None] = {
        "won": None,
        "rejected": row["registered_at"],
        "lost": min(lock_until, row["at"]),
    }
    return ends.get(row["stage"], lock_until)
