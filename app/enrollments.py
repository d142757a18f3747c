"""Partners' places in programs: their dated states, and how a partner leaves all of them."""

from typing import Literal
from uuid import UUID

from sqlalchemy import func, insert, select, update

from app.db.tables import Enrollment, EnrollmentState, Link, Partner
from app.db.tx import Read, Tx
from app.tracking_links import is_archived

Status = Literal["active", "suspended"]


async def current_status(
    read: Read, workspace: UUID, program: UUID, partner: UUID
) -> Status | None:
    """A partner's status in a program now; None if it is not in there."""
    status: Status | None = await read.scalar(
        select(EnrollmentState.state)
        .where(
            EnrollmentState.workspace_id == workspace,
            EnrollmentState.program_id == program,
            EnrollmentState.partner_id == partner,
        )
        .order_by(EnrollmentState.since.desc())
        .limit(1)
    )
    return status


async def set_status(tx: Tx, workspace: UUID, program: UUID, partner: UUID, status: Status) -> bool:
    """Whether the partner is in the program at all; the same status twice writes nothing.

    tx: in the lane.
    """
    current = await current_status(tx, workspace, program, partner)
    if current is not None and current != status:
        await tx.execute(
            insert(EnrollmentState).values(
                workspace_id=workspace,
                program_id=program,
                partner_id=partner,
                since=func.clock_timestamp(),
                state=status,
            )
        )
    return current is not None


async def retire(tx: Tx, workspace: UUID, partner: UUID) -> int:
    """Archive a partner, suspend it everywhere, archive its links: how many. tx: in the lane."""
    places = await tx.all(
        select(Enrollment.program_id).where(
            Enrollment.workspace_id == workspace, Enrollment.partner_id == partner
        )
    )
    for place in places:
        await set_status(tx, workspace, place.program_id, partner, "suspended")
    now = func.clock_timestamp()
    await tx.execute(
        update(Partner)
        .where(Partner.id == partner, Partner.archived_at.is_(None))
        .values(archived_at=now)
    )
    archived = await tx.execute(
        update(Link)
        .where(Link.workspace_id == workspace, Link.partner_id == partner, ~is_archived(workspace))
        .values(archived_at=now)
    )
    return int(archived.rowcount)
