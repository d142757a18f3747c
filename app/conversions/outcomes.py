"""What became of events: the conversion each is about, its commissions and its reasons."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from app.db.tx import Read
from app.ledger.http import CommissionSummary
from app.sentences import ReasonOut
from app.wire import ConversionId, Out


class OutcomeOut(Out):
    """conversion_id: none while the event waits or is about no conversion."""

    conversion_id: ConversionId | None
    commissions: list[CommissionSummary]
    reasons: list[ReasonOut]


@dataclass(frozen=True, slots=True)
class EventOutcome:
    """An event's row and its outcome."""

    row: Mapping[str, Any]
    outcome: OutcomeOut


async def outcomes(read: Read, workspace: UUID, events: Sequence[UUID]) -> dict[UUID, EventOutcome]:
    """By event id, as things stand now. The event's own reasons come first."""
    driver = await read.driver()
    rows = await driver.fetch(
        """
        SELECT e.id, e.source, e.type, e.external_id, e.state, e.reasons, e.attempts, e.conflicts,
          e.occurred_at, e.received_at, e.conversion_id, e.customer_id,
          c.reasons AS conversion_reasons
        FROM events e
        LEFT JOIN conversions c ON c.workspace_id = e.workspace_id AND c.id = e.conversion_id
        WHERE e.workspace_id = $1 AND e.id = ANY($2)
        """,
        workspace,
        events,
    )
    commissions: dict[UUID, list[CommissionSummary]] = defaultdict(list)
    for commission in await driver.fetch(
        "SELECT * FROM commissions WHERE workspace_id = $1 AND conversion_id = ANY($2)"
        " AND NOT superseded ORDER BY id",
        workspace,
        [row["conversion_id"] for row in rows if row["conversion_id"]],
    ):
        commissions[commission["conversion_id"]].append(CommissionSummary.of(commission))
    return {row["id"]: EventOutcome(row, _outcome(row, commissions)) for row in rows}


def _outcome(
    row: Mapping[str, Any], commissions: Mapping[UUID, list[CommissionSummary]]
) -> OutcomeOut:
    told = [*row["reasons"], *(row["conversion_reasons"] or [])]
    return OutcomeOut(
        conversion_id=row["conversion_id"],
        commissions=commissions.get(row["conversion_id"], []),
        reasons=ReasonOut.all_of(told),
    )
