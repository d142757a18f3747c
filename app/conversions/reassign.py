"""`/v1/customers/{id}/reassign`: people say whose a customer is, with a reason."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Final, Self
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import Field, StringConstraints, model_validator

from app.auth import Caller, Scope, in_lane, needs
from app.conversions.customers import CustomerWhole, a_name, survivor, whole
from app.conversions.reassignments import Reassigning
from app.conversions.track import Tracker, TrackerDep
from app.db.tx import Tx
from app.enrollments import current_status
from app.errors import Conflict, FieldError, LaneBusy, NotFound
from app.ids import uuid7
from app.openapi import documented
from app.wire import CustomerId, In, PartnerId, ProgramId
from app.writing import Writes

router: Final = APIRouter(prefix="/customers", tags=["Customers"], route_class=Writes)
Writer = Annotated[Caller, Depends(needs(Scope.ADMIN))]
Lane = Annotated[Tx, in_lane(Scope.ADMIN)]


class Reassignment(In):
    """partner_id: null for nobody's; else with the program in which it earns."""

    partner_id: PartnerId | None
    program_id: ProgramId | None = None
    reason: Annotated[
        str,
        StringConstraints(strip_whitespace=True, min_length=1, max_length=1_000),
        Field(examples=["Both agreed that Ana ran the demo."]),
    ]

    @model_validator(mode="after")
    def _both_or_neither(self) -> Self:
        if (self.partner_id is None) != (self.program_id is None):
            raise ValueError("send partner_id and program_id, or null for both")
        return self


@dataclass(frozen=True, slots=True)
class Gift:
    """Whose a customer is to be, nobody's without ids; why; and by which key."""

    program_id: UUID | None
    partner_id: UUID | None
    reason: str
    author: UUID


@router.post("/{customer_id}/reassign", responses=documented(NotFound, Conflict, LaneBusy))
async def reassign_customer(
    customer_id: CustomerId, body: Reassignment, caller: Writer, tx: Lane, tracker: TrackerDep
) -> CustomerWhole:
    """Give a customer to a partner, or to nobody: what is open and what comes is the partner's.

    What has closed stays as it is. It holds until it is said otherwise, or the program's terms for
    bindings end it.
    """
    workspace = caller.workspace_id
    customer = await survivor(tx, workspace, customer_id)
    if body.program_id is not None and body.partner_id is not None:
        await _check_place(tx, workspace, body.program_id, body.partner_id)
    said = Gift(body.program_id, body.partner_id, body.reason, caller.key_id)
    await give(tx, tracker, workspace, customer, said)
    return await whole(tx, workspace, customer)


async def give(tx: Tx, tracker: Tracker, workspace: UUID, customer: UUID, said: Gift) -> None:
    """Write down whose a customer is from now on, and decide it anew. tx: in the lane.

    Conflict if no name of the customer is known any more.
    """
    known = await a_name(tx, workspace, customer)
    told = Reassigning(
        id=uuid7(),
        namespace=known.namespace,
        external_id=known.external_id,
        program_id=said.program_id,
        partner_id=said.partner_id,
        reason=said.reason,
        author=said.author,
    )
    stored = told.model_dump_json().encode()
    # As it will be read again; the driver's own ids have a type of their own.
    meaning = Reassigning.model_validate_json(stored).mapped(datetime.now(UTC))
    await tracker.tell_alone(tx, workspace, meaning, stored)


async def _check_place(tx: Tx, workspace: UUID, program: UUID, partner: UUID) -> None:
    """NotFound unless the partner is in the program; Conflict if it is suspended there."""
    status = await current_status(tx, workspace, program, partner)
    if status is None:
        raise NotFound(errors=[FieldError("body/partner_id", "No such partner in the program")])
    if status != "active":
        raise Conflict("The partner is suspended in this program.")
