"""`/v1/deals`: prospects that partners and customers register, and what becomes of them."""

from typing import Annotated, Any, Final, Self

from fastapi import APIRouter, Depends, Query
from sqlalchemy import ColumnElement, Row, Select, case, func, select
from starlette.responses import Response

from app import problems
from app.auth import Caller, ReadDep, Scope, TxDep, in_lane, needs
from app.db.tables import Deal, DealConflict, DealProspect, DealState
from app.db.tx import Read, Tx
from app.errors import Conflict, LaneBusy, NotFound
from app.errors import DealConflict as Late
from app.openapi import documented
from app.pages import Order, PageDep, page
from app.program.deals.register import DealCreate, First, register
from app.program.deals.stages import (
    MAX_EXTENSIONS,
    OPEN,
    Action,
    DealUpdate,
    Stage,
    Step,
    Words,
    change,
    take,
)
from app.prospects import Match
from app.wire import (
    CustomerId,
    DealConflictId,
    DealId,
    ExternalId,
    In,
    Instant,
    KeyId,
    Listed,
    Out,
    PartnerId,
    ProgramId,
)
from app.writing import Writes

router: Final = APIRouter(prefix="/deals", tags=["Deals"], route_class=Writes)
_ORDER: Final = Order("deal", Deal.registered_at, Deal.id, Deal.workspace_id)
_LATE_ORDER: Final = Order("dlcf", DealConflict.at, DealConflict.id, DealConflict.workspace_id)
Reader = Annotated[Caller, Depends(needs(Scope.DEALS_READ))]
Writer = Annotated[Caller, Depends(needs(Scope.DEALS_WRITE))]
Lane = Annotated[Tx, in_lane(Scope.DEALS_WRITE)]
_STEP: Final = documented(Conflict)


class Because(In):
    """Why, in a few words. Name nobody here who need not be named."""

    reason: Words = ""


class Won(Because):
    """customer_external_id: whom the prospect became, by your own id."""

    customer_external_id: ExternalId | None = None


class DealOut(Out):
    """company to note: empty if they were not told, or erased. lock_until: until then it is kept.

    customer_external_id, customer_id: whom the prospect became, as you told it or as we found it
    by the contact's address.
    """

    id: DealId
    program_id: ProgramId
    partner_id: PartnerId
    stage: Stage
    company: str
    domain: str
    contact_name: str
    contact_email: str
    product: str
    note: str
    customer_external_id: str | None
    customer_id: CustomerId | None
    registered_at: Instant
    lock_until: Instant
    extensions_left: int

    @classmethod
    def of(cls, row: Row[Any], **more: Any) -> Self:
        told = ("company", "domain", "contact_name", "contact_email", "note")
        kept = ("id", "program_id", "partner_id", "product", "registered_at")
        return cls(
            **{name: getattr(row, name) for name in (*kept, "lock_until", "customer_id")},
            **{name: getattr(row, name) or "" for name in told},
            stage=row.stage_now,
            customer_external_id=row.customer_external_id or None,
            extensions_left=MAX_EXTENSIONS - row.extensions if row.stage_now in OPEN else 0,
            **more,
        )


class StepOut(Out):
    """One step. key_id: by whose key; none if the lock ended by itself."""

    stage: Stage
    at: Instant
    lock_until: Instant
    key_id: KeyId | None
    reason: str


class DealWhole(DealOut):
    """history: oldest first."""

    history: list[StepOut]


class DealConflictOut(Out):
    """A registration that came too late. partner_id: whose. deal_id, customer_id: who was first."""

    id: DealConflictId
    program_id: ProgramId
    partner_id: PartnerId
    matched: Match
    deal_id: DealId | None
    customer_id: CustomerId | None
    key_id: KeyId
    at: Instant


@router.post(
    "",
    status_code=201,
    response_model=DealWhole,
    responses=documented(NotFound, Conflict, Late, LaneBusy),
)
async def register_deal(body: DealCreate, caller: Writer, tx: Lane) -> DealWhole | Response:
    """Register a prospect for a partner, who keeps it until the lock ends.

    If a deal or a customer of the workspace has the same e-mail address, domain or company name,
    it is refused (`deal_conflict`) with the match and its date, and the attempt is recorded.
    """
    made = await register(tx, caller.workspace_id, body, key=caller.key_id)
    if isinstance(made, First):
        # Answered, not raised, so that the record of the attempt is committed.
        return problems.answer(made.problem())
    return await _shown(tx, caller, made)


@router.get("")
async def list_deals(
    caller: Reader,
    read: ReadDep,
    wanted: PageDep,
    *,
    program_id: Annotated[ProgramId | None, Query()] = None,
    partner_id: Annotated[PartnerId | None, Query()] = None,
    stage: Annotated[Stage | None, Query()] = None,
) -> Listed[DealOut]:
    """Deals, newest first. One whose lock has ended is `expired`."""
    statement = _deals(caller)
    filters: tuple[tuple[ColumnElement[Any], Any], ...] = (
        (Deal.program_id.expression, program_id),
        (Deal.partner_id.expression, partner_id),
        (_stage_now(), stage),
    )
    for column, value in filters:
        if value is not None:
            statement = statement.where(column == value)
    rows, has_more = await page(read, statement, _ORDER, wanted, workspace=caller.workspace_id)
    return Listed(data=[DealOut.of(row) for row in rows], has_more=has_more)


@router.get("/conflicts")
async def list_deal_conflicts(
    caller: Reader,
    read: ReadDep,
    wanted: PageDep,
    *,
    partner_id: Annotated[PartnerId | None, Query()] = None,
) -> Listed[DealConflictOut]:
    """Registrations that came too late, newest first; for whoever runs the program."""
    statement = select(DealConflict.__table__).where(
        DealConflict.workspace_id == caller.workspace_id
    )
    if partner_id is not None:
        statement = statement.where(DealConflict.partner_id == partner_id)
    rows, has_more = await page(read, statement, _LATE_ORDER, wanted, workspace=caller.workspace_id)
    names = DealConflictOut.model_fields
    data = [DealConflictOut(**{name: getattr(row, name) for name in names}) for row in rows]
    return Listed(data=data, has_more=has_more)


@router.get("/{deal_id}")
async def get_deal(deal_id: DealId, caller: Reader, read: ReadDep) -> DealWhole:
    """One deal with its history."""
    return await _shown(read, caller, deal_id)


@router.patch("/{deal_id}", responses=documented(Conflict))
async def change_deal(deal_id: DealId, body: DealUpdate, caller: Writer, tx: TxDep) -> DealWhole:
    """Change note and product, or forget the contact. What it is matched by does not change."""
    await change(tx, caller.workspace_id, deal_id, body)
    return await _shown(tx, caller, deal_id)


@router.post("/{deal_id}/accept", responses=_STEP)
async def accept_deal(deal_id: DealId, body: Because, caller: Writer, tx: TxDep) -> DealWhole:
    """Accept a registered deal: from now on it can be won."""
    return await _step(deal_id, "accept", body, caller, tx)


@router.post("/{deal_id}/reject", responses=_STEP)
async def reject_deal(deal_id: DealId, body: Because, caller: Writer, tx: TxDep) -> DealWhole:
    """Refuse a registered or accepted deal; the prospect is anybody's again."""
    return await _step(deal_id, "reject", body, caller, tx)


@router.post("/{deal_id}/qualify", responses=_STEP)
async def qualify_deal(deal_id: DealId, body: Because, caller: Writer, tx: TxDep) -> DealWhole:
    """Mark an accepted deal as one that may well be won."""
    return await _step(deal_id, "qualify", body, caller, tx)


@router.post("/{deal_id}/win", responses=_STEP)
async def win_deal(deal_id: DealId, body: Won, caller: Writer, tx: TxDep) -> DealWhole:
    """Mark an accepted or qualified deal as won, and tell which customer the prospect became.

    Within a second the customer is attributed by the deal, as of its registration. A deal that was
    won without a customer takes one later by the same call.
    """
    return await _step(deal_id, "win", body, caller, tx)


@router.post("/{deal_id}/lose", responses=_STEP)
async def lose_deal(deal_id: DealId, body: Because, caller: Writer, tx: TxDep) -> DealWhole:
    """Mark an open deal as lost; the prospect is anybody's again."""
    return await _step(deal_id, "lose", body, caller, tx)


@router.post("/{deal_id}/extend", responses=_STEP)
async def extend_deal(deal_id: DealId, body: Because, caller: Writer, tx: TxDep) -> DealWhole:
    """Keep an open deal's prospect as many days longer as the lock had; twice at most."""
    return await _step(deal_id, "extend", body, caller, tx)


async def _step(
    deal_id: DealId, action: Action, body: Because, caller: Caller, tx: Tx
) -> DealWhole:
    customer = (body.customer_external_id or "") if isinstance(body, Won) else ""
    step = Step(action, caller.key_id, body.reason, customer)
    await take(tx, caller.workspace_id, deal_id, step)
    return await _shown(tx, caller, deal_id)


async def _shown(read: Read, caller: Caller, deal_id: DealId) -> DealWhole:
    row = await read.first(_deals(caller).where(Deal.id == deal_id))
    if row is None:
        raise NotFound
    steps = await read.all(
        select(DealState.__table__)
        .where(DealState.workspace_id == caller.workspace_id, DealState.deal_id == deal_id)
        .order_by(DealState.number)
        .limit(100)
    )
    history = [
        StepOut(**{name: getattr(step, name) for name in StepOut.model_fields}) for step in steps
    ]
    return DealWhole.of(row, history=history)


def _deals(caller: Caller) -> Select[Any]:
    return (
        select(
            *Deal.__table__.columns,
            _stage_now().label("stage_now"),
            *(
                c
                for c in DealProspect.__table__.columns
                if c.name not in {"workspace_id", "deal_id"}
            ),
        )
        .outerjoin(
            DealProspect,
            (DealProspect.workspace_id == Deal.workspace_id) & (DealProspect.deal_id == Deal.id),
        )
        .where(Deal.workspace_id == caller.workspace_id)
    )


def _stage_now() -> ColumnElement[str]:
    """As written, but for a lock that has ended since."""
    ended = Deal.stage.in_(OPEN) & (Deal.lock_until <= func.clock_timestamp())
    return case((ended, "expired"), else_=Deal.stage)
