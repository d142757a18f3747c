"""`/v1/claims`: a partner says that it referred a customer; it is heard, and answered."""

from dataclasses import dataclass
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import Field, StringConstraints
from sqlalchemy import Select, func

from app.auth import Caller, ReadDep, Scope, TxDep, in_lane, needs
from app.conversions.claims.decide import Answer, Grounds, Refusal, Status, accept, settle
from app.conversions.claims.file import ClaimCreate, Words, file_claim
from app.conversions.claims.shown import ClaimOut, ClaimWhole, claims, shown
from app.conversions.claims.subject import ids_about
from app.conversions.track import TrackerDep
from app.db.tables import Claim, Customer
from app.db.tx import Tx
from app.errors import ClaimExists, ClaimTooLate, Conflict, LaneBusy, NotFound
from app.openapi import documented
from app.pages import Order, PageDep, narrowed, page
from app.wire import ClaimId, CustomerId, In, Instant, Listed, PartnerId, ProgramId
from app.writing import Writes

router: Final = APIRouter(prefix="/claims", tags=["Claims"], route_class=Writes)
_ORDER: Final = Order("clm", Claim.filed_at, Claim.id, Claim.workspace_id)
Reader = Annotated[Caller, Depends(needs(Scope.CLAIMS_READ))]
Writer = Annotated[Caller, Depends(needs(Scope.CLAIMS_WRITE))]
Admin = Annotated[Caller, Depends(needs(Scope.ADMIN))]
FilingLane = Annotated[Tx, in_lane(Scope.CLAIMS_WRITE)]
DecidingLane = Annotated[Tx, in_lane(Scope.ADMIN)]


class Acceptance(In):
    """answer: what the partner is told."""

    reason_code: Grounds
    answer: Annotated[str, StringConstraints(strip_whitespace=True, max_length=2_000)] = ""


class Rejection(In):
    """answer: what the partner is told, in your words."""

    reason_code: Refusal
    answer: Words = Field(examples=["Another partner had registered them in April."])


@router.post(
    "",
    status_code=201,
    responses=documented(NotFound, Conflict, ClaimExists, ClaimTooLate, LaneBusy),
)
async def file_a_claim(body: ClaimCreate, caller: Writer, tx: FilingLane) -> ClaimWhole:
    """File a partner's claim that it referred a customer.

    Named by something that nobody is known by yet, it waits for its customer. A partner has one
    open claim on a customer (`claim_exists`); the program may limit how long after the first sale
    it takes claims (`claim_too_late`).
    """
    claim_id = await file_claim(tx, caller.workspace_id, body, key=caller.key_id)
    return await shown(tx, caller.workspace_id, claim_id)


@dataclass(frozen=True, slots=True)
class _Filter:
    program_id: Annotated[ProgramId | None, Query()] = None
    partner_id: Annotated[PartnerId | None, Query()] = None
    customer_id: Annotated[CustomerId | None, Query()] = None
    status: Annotated[Status | None, Query()] = None
    from_: Annotated[Instant | None, Query(alias="from")] = None
    to: Annotated[Instant | None, Query()] = None

    def on(self, statement: Select[Any], workspace: UUID) -> Select[Any]:
        equal = (
            (Claim.program_id, self.program_id),
            (Claim.partner_id, self.partner_id),
            (Claim.status, self.status),
        )
        if self.customer_id is not None:
            who = func.coalesce(Customer.merged_into, Customer.id)
            told = Claim.id.in_(ids_about(workspace, self.customer_id))
            statement = statement.where(told, who == self.customer_id)
        return narrowed(statement, equal, Claim.filed_at, self.from_, self.to)


@router.get("")
async def list_claims(
    caller: Reader, read: ReadDep, wanted: PageDep, only: Annotated[_Filter, Depends()]
) -> Listed[ClaimOut]:
    """Claims, newest first; `from` and `to` compare when they were filed."""
    statement = only.on(claims(caller.workspace_id), caller.workspace_id)
    rows, has_more = await page(read, statement, _ORDER, wanted, workspace=caller.workspace_id)
    return Listed(data=[ClaimOut.of(row) for row in rows], has_more=has_more)


@router.get("/{claim_id}")
async def get_claim(claim_id: ClaimId, caller: Reader, read: ReadDep) -> ClaimWhole:
    """One claim with its history, what accepting it moved, and why the partner had not earned."""
    return await shown(read, caller.workspace_id, claim_id)


@router.post("/{claim_id}/accept", responses=documented(Conflict, LaneBusy))
async def accept_claim(
    claim_id: ClaimId, body: Acceptance, caller: Admin, tx: DecidingLane, tracker: TrackerDep
) -> ClaimWhole:
    """Accept a claim: the customer is the partner's, as by `/v1/customers/{id}/reassign`.

    What is open and what comes is the partner's, what has closed stays; `outcome` tells which.
    Other open claims on the customer are rejected (`other_claim_accepted`). Twice: the first
    answer.
    """
    answer = Answer("accepted", caller.key_id, body.reason_code, body.answer)
    await accept(tx, tracker, caller.workspace_id, claim_id, answer)
    return await shown(tx, caller.workspace_id, claim_id)


@router.post("/{claim_id}/reject", responses=documented(Conflict))
async def reject_claim(claim_id: ClaimId, body: Rejection, caller: Admin, tx: TxDep) -> ClaimWhole:
    """Reject a claim with a reason and an answer. The partner may file another one."""
    answer = Answer("rejected", caller.key_id, body.reason_code, body.answer)
    await settle(tx, caller.workspace_id, claim_id, answer)
    return await shown(tx, caller.workspace_id, claim_id)


@router.post("/{claim_id}/withdraw", responses=documented(Conflict))
async def withdraw_claim(claim_id: ClaimId, caller: Writer, tx: TxDep) -> ClaimWhole:
    """Take an open claim back."""
    await settle(tx, caller.workspace_id, claim_id, Answer("withdrawn", caller.key_id))
    return await shown(tx, caller.workspace_id, claim_id)
