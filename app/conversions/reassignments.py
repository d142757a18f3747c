"""What people said of whose a customer is: as it is stored, and as the customer shows it."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

import asyncpg
import orjson

from app.conversions.providers.mapping import Alias, Contact, Mapped
from app.core.events import Reassigned
from app.wire import In, Instant, KeyId, Out, PartnerId, ProgramId

TYPE: Final = "customer.reassign"


class Reassigning(In):
    """As stored: a customer, by a name that it has, is a partner's from then on, or nobody's.

    reason: in people's words, so it stays in the raw message. author: the API key.
    """

    id: UUID
    namespace: str
    external_id: str
    program_id: UUID | None
    partner_id: UUID | None
    reason: str
    author: UUID

    def mapped(self, received_at: datetime) -> Mapped:
        """Key: its own id. Said twice is two entries of the history."""
        return Mapped(
            external_id=f"reassign:{self.id}",
            kind="reassigned",
            occurred_at=received_at,
            body=Reassigned(self.program_id, self.partner_id, self.author),
            contact=Contact((Alias(self.namespace, self.external_id),)),
            type=TYPE,
        )


class ReassignmentOut(Out):
    """partner_id, program_id: none for nobody's. author_key_id: who said so. reason: null once the
    raw message is gone, by erasure or retention.
    """

    program_id: ProgramId | None
    partner_id: PartnerId | None
    reason: str | None
    author_key_id: KeyId
    at: Instant


async def reassignments_of(
    driver: "asyncpg.Connection[Any]", workspace: UUID, customer: UUID, *, most: int
) -> list[ReassignmentOut]:
    """The latest ones, the one that counts first: in the order of the fold, backwards."""
    rows = await driver.fetch(
        """
        SELECT e.occurred_at, e.mapped->'body' AS said, b.body
        FROM events e
        LEFT JOIN event_bodies b ON b.workspace_id = e.workspace_id AND b.event_id = e.id
        WHERE e.workspace_id = $1 AND e.customer_id = $2 AND e.type = $3 AND e.source = 'api'
        ORDER BY e.occurred_at DESC, e.external_id COLLATE "C" DESC LIMIT $4
        """,
        workspace,
        customer,
        TYPE,
        most,
    )
    return [
        ReassignmentOut(
            program_id=_id(row["said"]["program_id"]),
            partner_id=_id(row["said"]["partner_id"]),
            reason=orjson.loads(row["body"])["reason"] if row["body"] else None,
            author_key_id=UUID(row["said"]["author"]),
            at=row["occurred_at"],
        )
        for row in rows
    ]


def _id(text: str | None) -> UUID | None:
    return UUID(text) if text else None
