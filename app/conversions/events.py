"""`/v1/events`: what came in, what became of it, and trying again."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, Self
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from pydantic import Field
from sqlalchemy import select

from app.auth import Caller, ReadDep, Scope, TxDep, needs
from app.conversions import incoming
from app.conversions.outcomes import EventOutcome, OutcomeOut, outcomes
from app.conversions.providers.mapping import Mapped
from app.conversions.providers.registry import PROVIDERS
from app.db.tables import EventRow
from app.db.tx import Read, Tx
from app.errors import NotFound
from app.pages import Order, PageDep, page
from app.secret_keys import SecretKeys
from app.wire import CustomerId, EventId, Instant, Listed, Out, SourceId
from app.writing import Writes

router: Final = APIRouter(prefix="/events", tags=["Sources and events"], route_class=Writes)
Reader = Annotated[Caller, Depends(needs(Scope.CONVERSIONS_READ))]
Writer = Annotated[Caller, Depends(needs(Scope.CONVERSIONS_WRITE))]
_ORDER: Final = Order("evt", EventRow.received_at, EventRow.id, EventRow.workspace_id)

State = Literal["received", "applied", "parked", "ignored", "dead"]


class EventOut(Out):
    """source_id: none for `/v1/track/*`. conflicts: how often its key came with another meaning."""

    id: EventId
    source_id: SourceId | None
    type: str = Field(examples=["invoice.paid"])
    external_id: str = Field(examples=["evt_1NG8Du2eZvKYlo2CUI79vXWy"])
    state: State
    attempts: int
    conflicts: int
    customer_id: CustomerId | None
    occurred_at: Instant | None
    received_at: Instant
    outcome: OutcomeOut

    @classmethod
    def of(cls, event: EventOutcome) -> Self:
        row = event.row
        own = row["source"] == "api"
        plain = (
            "id", "type", "external_id", "state", "attempts", "conflicts", "customer_id",
            "occurred_at", "received_at",
        )  # fmt: skip
        return cls(
            source_id=None if own else UUID(row["source"]),
            outcome=event.outcome,
            **{name: row[name] for name in plain},
        )


@dataclass(frozen=True, slots=True)
class _Filter:
    state: Annotated[State | None, Query()] = None
    source_id: Annotated[SourceId | None, Query()] = None


@router.get("")
async def list_events(
    caller: Reader, read: ReadDep, wanted: PageDep, only: Annotated[_Filter, Depends()]
) -> Listed[EventOut]:
    """Events, the latest receipt first."""
    statement = select(EventRow.id).where(EventRow.workspace_id == caller.workspace_id)
    if only.state is not None:
        statement = statement.where(EventRow.state == only.state)
    if only.source_id is not None:
        statement = statement.where(EventRow.source == str(only.source_id))
    rows, has_more = await page(read, statement, _ORDER, wanted, workspace=caller.workspace_id)
    became = await outcomes(read, caller.workspace_id, [row.id for row in rows])
    return Listed(data=[EventOut.of(became[row.id]) for row in rows], has_more=has_more)


@router.get("/{event_id}")
async def get_event(event_id: EventId, caller: Reader, read: ReadDep) -> EventOut:
    """One event with its outcome as it stands now."""
    return await _shown(read, caller, event_id)


@router.post("/{event_id}/replay", status_code=202)
async def replay_event(event_id: EventId, caller: Writer, tx: TxDep, request: Request) -> EventOut:
    """Read its bytes anew and decide it again if it was dead or ignored; harmless at any time."""
    await replay(tx, caller.workspace_id, event_id, request.app.state.secret_keys)
    return await _shown(tx, caller, event_id)


async def replay(tx: Tx, workspace: UUID, event_id: UUID, keys: SecretKeys) -> None:
    """Put an event that was never decided back into the inbox; NotFound if there is none.

    What was decided stays: its facts are in the ledger's reasons and would change nothing. An event
    whose bytes were erased is decided by what they meant on their day, if they meant anything.
    """
    driver = await tx.driver()
    row = await driver.fetchrow(
        """
        SELECT e.id, e.source, e.state, e.decision_no, e.received_at, b.body, b.headers, s.provider,
          s.program_ids, w.mode
        FROM events e
        LEFT JOIN event_bodies b ON b.workspace_id = e.workspace_id AND b.event_id = e.id
        JOIN workspaces w ON w.id = e.workspace_id
        LEFT JOIN sources s ON s.workspace_id = e.workspace_id AND s.id::text = e.source
        WHERE e.workspace_id = $1 AND e.id = $2 FOR UPDATE OF e
        """,
        workspace,
        event_id,
    )
    if row is None:
        raise NotFound
    if row["decision_no"] is not None or row["state"] not in {"dead", "ignored"}:
        return
    if row["provider"] is not None and row["body"] is not None:
        await _read_anew(tx, workspace, row, keys)
    await driver.execute(
        "UPDATE events SET state = 'received', attempts = 0, next_attempt_at = clock_timestamp()"
        " WHERE workspace_id = $1 AND id = $2 AND mapped IS NOT NULL",
        workspace,
        event_id,
    )


async def _read_anew(tx: Tx, workspace: UUID, row: Mapping[str, Any], keys: SecretKeys) -> None:
    """Today's reader may know what the one of that day ignored."""
    meaning = PROVIDERS[row["provider"]].read(
        row["body"],
        live=row["mode"] == "live",
        received_at=row["received_at"],
        headers=row["headers"],
    )
    if not isinstance(meaning, Mapped):
        return
    await incoming.store_reading(
        tx, workspace, row["id"], meaning, keys.click_keys, tuple(row["program_ids"])
    )


async def _shown(read: Read, caller: Caller, event_id: UUID) -> EventOut:
    became = await outcomes(read, caller.workspace_id, [event_id])
    if event_id not in became:
        raise NotFound
    return EventOut.of(became[event_id])
