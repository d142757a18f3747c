"""`/v1/track/lead|sale|refund`: own servers tell, and get the decision in the answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Final, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from sqlalchemy import select

from app.auth import Caller, Scope, get_database, needs
from app.conversions import road
from app.conversions.batching import Batches
from app.conversions.intake import incoming
from app.conversions.intake.incoming import Incoming
from app.conversions.outcomes import OutcomeOut, outcomes
from app.conversions.providers.mapping import Mapped
from app.conversions.requests import MAX_AHEAD, LeadIn, RefundIn, SaleIn
from app.db.engine import Database
from app.db.tables import Partner, Program
from app.db.tx import Tx
from app.errors import ConflictingEvent, FieldError, InvalidRequest, LaneBusy, NotFound, Problem
from app.idempotency import Answer, Claim, Found, keep, take
from app.openapi import documented
from app.secret_keys import SecretKeys
from app.wire import EventId, Out
from app.writing import Writes, claim_of, stop_at

router: Final = APIRouter(prefix="/track", tags=["Conversions"], route_class=Writes)
BATCH: Final = 20
"""Concurrent requests decided in one transaction."""
_CONFLICTING: Final = (
    "This key came before with another amount, currency or customer."
    " Send it as it was, or under a key of its own."
)

Writer = Annotated[Caller, Depends(needs(Scope.CONVERSIONS_WRITE))]


class Tracked(Out):
    """duplicate: the key came before with the same content; the outcome is as it stands now."""

    event_id: EventId
    duplicate: bool
    outcome: OutcomeOut


@dataclass(frozen=True, slots=True)
class _Telling:
    """A request that waits to be decided, and its idempotency key."""

    message: Incoming
    claim: Claim | None


class Tracker:
    """Decides what own servers tell, in batches of what comes at the same time."""

    def __init__(self, database: Database, keys: SecretKeys) -> None:
        self._database = database
        self._keys = keys
        self._batches = Batches(self._run, limit=BATCH)

    async def tell(
        self, workspace: UUID, mapped: Mapped, body: bytes, claim: Claim | None = None
    ) -> Tracked:
        """Store, decide, answer; ConflictingEvent if the key is taken by another meaning.

        claim: the request's, whose answer is kept in the batch's transaction.
        """
        told = _Telling(Incoming(workspace, "api", mapped, body), claim)
        answered = await self._batches.submit(workspace, told)
        if not isinstance(answered, Tracked):
            stop_at(answered)
        assert isinstance(answered, Tracked)
        return answered

    async def tell_alone(self, tx: Tx, workspace: UUID, mapped: Mapped, body: bytes) -> Tracked:
        """The same in a lane transaction of the caller's."""
        (answered,) = await self._decide(tx, workspace, [Incoming(workspace, "api", mapped, body)])
        if isinstance(answered, Problem):
            raise answered
        return answered

    async def _run(self, workspace: UUID, batch: Sequence[_Telling]) -> list[Tracked | Found]:
        async with self._database.lane(workspace) as tx:
            claims = [one.claim for one in batch if one.claim is not None]
            taken = iter(await take(tx, claims, self._keys) if claims else ())
            answers: list[Tracked | Found] = [
                next(taken) if one.claim is not None else None for one in batch
            ]
            free = [n for n, answer in enumerate(answers) if answer is None]
            decided = await self._decide(tx, workspace, [batch[n].message for n in free])
            for n, answer in zip(free, decided, strict=True):
                answers[n] = answer
            kept = [
                (one.claim, Answer(200, "application/json", answer.model_dump_json().encode()))
                for one, answer in zip(batch, answers, strict=True)
                if one.claim is not None and isinstance(answer, Tracked)
            ]
            await keep(tx, kept, self._keys)
        return answers

    async def _decide(
        self, tx: Tx, workspace: UUID, messages: Sequence[Incoming]
    ) -> list[Tracked | ConflictingEvent]:
        if not messages:
            return []
        stored = await incoming.store(tx, messages, self._keys.click_keys)
        await road.decide(tx, workspace, [s.event_id for s in stored if not s.duplicate])
        became = await outcomes(tx, workspace, [s.event_id for s in stored])
        return [
            ConflictingEvent(_CONFLICTING)
            if s.conflicting
            else Tracked(
                event_id=s.event_id, duplicate=s.duplicate, outcome=became[s.event_id].outcome
            )
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
    await _refuse_unknown(get_database(request), caller.workspace_id, body)
    return await tracker.tell(
        caller.workspace_id, body.mapped(now), await request.body(), claim_of(request)
    )


async def _refuse_unknown(
    database: Database, workspace: UUID, body: LeadIn | SaleIn | RefundIn
) -> None:
    """A program or a partner that the body names must be of the workspace."""
    program = None if isinstance(body, RefundIn) else body.program_id
    referrer = body.referrer if isinstance(body, LeadIn) else None
    said = None if isinstance(body, RefundIn) else body.self_reported
    named: tuple[tuple[type[Program | Partner], UUID | None, str, str], ...] = (
        (Program, program, "body/program_id", "No such program here"),
        (
            Partner,
            referrer.partner_id if referrer else None,
            "body/referrer/partner_id",
            "No such partner here",
        ),
        (
            Partner,
            said.partner_id if said else None,
            "body/self_reported/partner_id",
            "No such partner here",
        ),
    )
    if not any(wanted for _, wanted, _, _ in named):
        return
    async with database.read() as read:
        for table, wanted, place, problem in named:
            if wanted is not None and not await read.scalar(
                select(table.id).where(table.workspace_id == workspace, table.id == wanted)
            ):
                raise NotFound(errors=[FieldError(place, problem)])
