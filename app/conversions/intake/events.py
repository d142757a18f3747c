"""`/v1/events`: what came in, what became of it, and trying again."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, Self
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from pydantic import Field
from sqlalchemy import Select, and_, select

from app.auth import Caller, ReadDep, Scope, TxDep, needs
from app.conversions.intake import conflicts
from app.conversions.intake.put_back import put_back
from app.conversions.outcomes import EventOutcome, OutcomeOut, outcomes
from app.conversions.providers.track import OWN_SOURCES
from app.db.tables import EventRow
from app.db.tx import Read
from app.errors import NotFound
from app.pages import Order, PageDep, page
from app.secret_keys import SecretKeys
from app.sentences import ReasonOut
from app.wire import CustomerId, EventId, Instant, Listed, Out, SourceId
from app.writing import Writes

router: Final = APIRouter(prefix="/events", tags=["Sources and events"], route_class=Writes)
Reader = Annotated[Caller, Depends(needs(Scope.CONVERSIONS_READ))]
Writer = Annotated[Caller, Depends(needs(Scope.CONVERSIONS_WRITE))]
_ORDER: Final = Order("evt", EventRow.received_at, EventRow.id, EventRow.workspace_id)

State = Literal["received", "applied", "parked", "ignored", "dead"]


class EventOut(Out):
    """source_id: none for `/v1/track/*` and imports.

    conflicts: how often its key came with another meaning. overdue_at: when it had been parked for
    longer than it should be.
    """

    id: EventId
    source_id: SourceId | None
    type: str = Field(examples=["invoice.paid"])
    external_id: str = Field(examples=["evt_1NG8Du2eZvKYlo2CUI79vXWy"])
    state: State
    attempts: int
    conflicts: int
    overdue_at: Instant | None
    customer_id: CustomerId | None
    occurred_at: Instant | None
    received_at: Instant
    outcome: OutcomeOut

    @classmethod
    def of(cls, event: EventOutcome, **more: Any) -> Self:
        row = event.row
        own = row["source"] in OWN_SOURCES
        plain = (
            "id", "type", "external_id", "state", "attempts", "conflicts", "overdue_at",
            "customer_id", "occurred_at", "received_at",
        )  # fmt: skip
        return cls(
            source_id=None if own else UUID(row["source"]),
            outcome=event.outcome,
            **{name: row[name] for name in plain},
            **more,
        )


class NamedOut(Out):
    """A name of the customer, as the sender said it."""

    namespace: str = Field(examples=["stripe:"])
    external_id: str = Field(examples=["cus_4QFJOjw2pOmAGJ"])


class SaidOut(Out):
    """understood: the canonical event; none if it means nothing to us, for the reasons given.

    customers: none of them once the message is erased or past its retention.
    """

    understood: dict[str, Any] | None
    customers: list[NamedOut]
    reasons: list[ReasonOut]

    @classmethod
    def of(cls, row: Mapping[str, Any], **more: Any) -> Self:
        aliases = (row["contact"] or {}).get("aliases", [])
        return cls(
            understood=row["mapped"],
            customers=[NamedOut(namespace=n, external_id=i) for _, n, i in aliases],
            reasons=ReasonOut.all_of(row["reasons"]),
            **more,
        )


class OtherwiseOut(SaidOut):
    """What came under the event's key with another meaning. The first one stands."""

    times: int
    first_at: Instant
    last_at: Instant


class EventWhole(EventOut):
    """said: what it says. conflicting: what its key came with otherwise, to compare."""

    said: SaidOut
    conflicting: list[OtherwiseOut]


@dataclass(frozen=True, slots=True)
class _Filter:
    state: Annotated[State | None, Query()] = None
    source_id: Annotated[SourceId | None, Query()] = None
    conflicting: Annotated[
        bool | None, Query(description="Whether its key came with another meaning.")
    ] = None
    overdue: Annotated[
        bool | None, Query(description="Whether it has been parked for longer than it should be.")
    ] = None

    def on(self, statement: Select[Any]) -> Select[Any]:
        if self.state is not None:
            statement = statement.where(EventRow.state == self.state)
        if self.source_id is not None:
            statement = statement.where(EventRow.source == str(self.source_id))
        if self.conflicting is not None:
            conflicting = EventRow.conflicts > 0
            statement = statement.where(conflicting if self.conflicting else ~conflicting)
        if self.overdue is not None:
            overdue = and_(EventRow.state == "parked", EventRow.overdue_at.is_not(None))
            statement = statement.where(overdue if self.overdue else ~overdue)
        return statement


@router.get("")
async def list_events(
    caller: Reader, read: ReadDep, wanted: PageDep, only: Annotated[_Filter, Depends()]
) -> Listed[EventOut]:
    """Events, the latest receipt first."""
    statement = only.on(select(EventRow.id).where(EventRow.workspace_id == caller.workspace_id))
    rows, has_more = await page(read, statement, _ORDER, wanted, workspace=caller.workspace_id)
    became = await outcomes(read, caller.workspace_id, [row.id for row in rows])
    return Listed(data=[EventOut.of(became[row.id]) for row in rows], has_more=has_more)


@router.get("/{event_id}")
async def get_event(event_id: EventId, caller: Reader, read: ReadDep) -> EventWhole:
    """One event with what it says, its outcome as it stands now, and what contradicts it."""
    return await _shown(read, caller, event_id)


@router.post("/{event_id}/replay", status_code=202)
async def replay_event(
    event_id: EventId, caller: Writer, tx: TxDep, request: Request
) -> EventWhole:
    """Read its bytes anew and decide it again if it was dead or ignored; harmless at any time."""
    keys: SecretKeys = request.app.state.secret_keys
    await put_back(tx, caller.workspace_id, [event_id], keys.click_keys)
    return await _shown(tx, caller, event_id)


async def _shown(read: Read, caller: Caller, event_id: UUID) -> EventWhole:
    workspace = caller.workspace_id
    became = await outcomes(read, workspace, [event_id])
    if event_id not in became:
        raise NotFound
    driver = await read.driver()
    said = await driver.fetchrow(
        """
        SELECT e.mapped, e.reasons, b.contact FROM events e
        LEFT JOIN event_bodies b ON b.workspace_id = e.workspace_id AND b.event_id = e.id
        WHERE e.workspace_id = $1 AND e.id = $2
        """,
        workspace,
        event_id,
    )
    assert said is not None
    others = (await conflicts.kept(read, workspace, [event_id]))[event_id]
    return EventWhole.of(
        became[event_id],
        said=SaidOut.of(said),
        conflicting=[
            OtherwiseOut.of(row, **{n: row[n] for n in ("times", "first_at", "last_at")})
            for row in others
        ],
    )
