"""`/v1/track/lead|sale|refund`: own servers tell, and get the decision in the answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Final, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from sqlalchemy import select

from app.auth import Caller, Scope, get_database, needs
from app.conversions import incoming, road
from app.conversions.batching import Batches
from app.conversions.incoming import Incoming
from app.conversions.outcomes import OutcomeOut, outcomes
from app.conversions.providers.mapping import Mapped
from app.conversions.requests import MAX_AHEAD, LeadIn, RefundIn, SaleIn
from app.db.engine import Database
from app.db.tables import Program
from app.errors import ConflictingEvent, FieldError, InvalidRequest, LaneBusy, NotFound
from app.openapi import documented
from app.secret_keys import SecretKeys
from app.wire import EventId, Out

router: Final = APIRouter(prefix="/track", tags=["Conversions"])
BATCH: Final = 20
"""Concurrent requests decided in one transaction."""

Writer = Annotated[Caller, Depends(needs(Scope.CONVERSIONS_WRITE))]


class Tracked(Out):
    """duplicate: the key came before with the same content; the outcome is as it stands now."""

    event_id: EventId
    duplicate: bool
    outcome: OutcomeOut


@dataclass(frozen=True, slots=True)
class _Told:
    """A request's answer in the making."""

    event_id: UUID
    duplicate: bool
    conflicting: bool
    outcome: OutcomeOut


class Tracker:
    """Decides what own servers tell, in batches of what comes at the same time."""

    def __init__(self, database: Database, keys: SecretKeys) -> None:
        self._database = database
        self._keys = keys
        self._batches = Batches(self._decide, limit=BATCH)

    async def tell(self, workspace: UUID, mapped: Mapped, body: bytes) -> Tracked:
        """Store, decide, answer; ConflictingEvent if the key is taken by another meaning."""
        message = Incoming(workspace, "api", mapped, body)
        told = await self._batches.submit(workspace, message)
        if told.conflicting:
            raise ConflictingEvent(
                "This key came before with another amount, currency or customer."
                " Send it as it was, or under a key of its own."
            )
        return Tracked(event_id=told.event_id, duplicate=told.duplicate, outcome=told.outcome)

    async def _decide(self, workspace: UUID, messages: Sequence[Incoming]) -> list[_Told]:
        async with self._database.lane(workspace) as tx:
            stored = await incoming.store(tx, messages, self._keys.click_keys)
            await road.decide(tx, workspace, [s.event_id for s in stored if not s.duplicate])
            became = await outcomes(tx, workspace, [s.event_id for s in stored])
        return [
            _Told(s.event_id, s.duplicate, s.conflicting, became[s.event_id].outcome)
            for s in stored
        ]


def get_tracker(request: Request) -> Tracker:
    return cast("Tracker", request.app.state.tracker)


TrackerDep = Annotated[Tracker, Depends(get_tracker)]
_RESPONSES: Final = documented(ConflictingEvent, NotFound, LaneBusy)


@router.post("/lead", responses=_RESPONSES)
async def track_lead(
    body: LeadIn, caller: Writer, request: Request, tracker: TrackerDep
) -> Tracked:
    """A sign-up or another step before money. Key: `customer_external_id` and `event_name`."""
    return await _tell(body, caller, request, tracker)


@router.post("/sale", responses=_RESPONSES)
async def track_sale(
    body: SaleIn, caller: Writer, request: Request, tracker: TrackerDep
) -> Tracked:
    """A paid invoice. Key: `invoice_id`."""
    return await _tell(body, caller, request, tracker)


@router.post("/refund", responses=_RESPONSES)
async def track_refund(
    body: RefundIn, caller: Writer, request: Request, tracker: TrackerDep
) -> Tracked:
    """Money that went back. It may come before its sale: then it waits for it."""
    return await _tell(body, caller, request, tracker)


async def _tell(
    body: LeadIn | SaleIn | RefundIn, caller: Caller, request: Request, tracker: Tracker
) -> Tracked:
    now = datetime.now(UTC)
    if body.occurred_at is not None and body.occurred_at > now + MAX_AHEAD:
        raise InvalidRequest(
            errors=[
                FieldError(
                    "body/occurred_at",
                    "More than 5 minutes ahead of our clock",
                    "Send when it happened, with the right offset.",
                )
            ]
        )
    program = getattr(body, "program_id", None)
    if program is not None:
        await _refuse_unknown_program(get_database(request), caller.workspace_id, program)
    return await tracker.tell(caller.workspace_id, body.mapped(now), await request.body())


async def _refuse_unknown_program(database: Database, workspace: UUID, program: UUID) -> None:
    async with database.read() as read:
        found = await read.scalar(
            select(Program.id).where(Program.workspace_id == workspace, Program.id == program)
        )
    if found is None:
        raise NotFound(errors=[FieldError("body/program_id", "No such program here")])
