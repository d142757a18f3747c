"""What became of events: the conversion each is about, its commissions and its reasons."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from app.db import bulk
from app.db import tables as t
from app.db.tx import Read
from app.ledger.http import CommissionSummary
from app.sentences import ReasonOut
from app.wire import ConversionId, Out

_COLUMNS: Final = (
    "id, source, type, external_id, state, reasons, attempts, conflicts, occurred_at,"
    " received_at, overdue_at, conversion_id, customer_id"
)


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
    rows = await bulk.fetch(
        driver, t.EventRow, workspace=workspace, key="id", keys=events, columns=_COLUMNS
    )
    about = sorted({row["conversion_id"] for row in rows if row["conversion_id"]})
    conversions = await bulk.fetch(
        driver, t.Conversion, workspace=workspace, key="id", keys=about, columns="id, reasons"
    )
    earned = await bulk.fetch(
        driver, t.Commission, workspace=workspace, key="conversion_id", keys=about
    )
    reasons = {row["id"]: row["reasons"] for row in conversions}
    commissions: dict[UUID, list[CommissionSummary]] = defaultdict(list)
    for row in sorted(earned, key=lambda row: row["id"]):
        if not row["superseded"]:
            commissions[row["conversion_id"]].append(CommissionSummary.of(row))
    return {row["id"]: EventOutcome(row, _outcome(row, reasons, commissions)) for row in rows}


def _outcome(
    row: Mapping[str, Any],
    reasons: Mapping[UUID, list[Any]],
    commissions: Mapping[UUID, list[CommissionSummary]],
) -> OutcomeOut:
    about = row["conversion_id"]
    return OutcomeOut(
        conversion_id=about,
        commissions=commissions.get(about, []),
        reasons=ReasonOut.all_of([*_own(row), *reasons.get(about, [])]),
    )


def _own(row: Mapping[str, Any]) -> list[Any]:
    if row["state"] != "parked" or row["overdue_at"] is None:
        return list(row["reasons"])
    # Worked out here, so that whoever parks it anew need not know that it was told.
    times = {"since": row["received_at"].isoformat(), "at": row["overdue_at"].isoformat()}
    return [*row["reasons"], {"code": "parent_missing", "params": times}]
