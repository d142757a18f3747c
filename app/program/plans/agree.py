"""One partner's own terms in a program: who may have them, never two at a time, and their end."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, func, or_, select, update

from app.db.tables import Enrollment, PlanVersion
from app.db.tx import Tx
from app.errors import Conflict, FieldError, InvalidRequest, NotFound
from app.wire import In, Instant


class PlanEnd(In):
    """effective_until: sales from then on are paid by the program's terms again; not in the past;
    absent: from now on.
    """

    effective_until: Instant | None = None


async def refuse_stranger(tx: Tx, workspace: UUID, program_id: UUID, partner_id: UUID) -> None:
    """NotFound for a partner who is not in the program."""
    place = await tx.first(
        select(Enrollment.partner_id).where(
            Enrollment.workspace_id == workspace,
            Enrollment.program_id == program_id,
            Enrollment.partner_id == partner_id,
        )
    )
    if place is None:
        problem = "The partner is not in this program"
        found = FieldError("body/partner_id", problem, "Enroll it first.")
        raise NotFound(f"{problem}.", errors=[found])


async def refuse_overlap(
    tx: Tx, workspace: UUID, row: Row[Any], begins: datetime, ends: datetime | None
) -> None:
    """Conflict if the partner has other terms of its own at any of these times. tx: in the lane."""
    same = [
        PlanVersion.workspace_id == workspace,
        PlanVersion.program_id == row.program_id,
        PlanVersion.partner_id == row.partner_id,
        PlanVersion.published_at.is_not(None),
        or_(PlanVersion.effective_until.is_(None), PlanVersion.effective_until > begins),
    ]
    if ends is not None:
        same.append(PlanVersion.effective_from < ends)
    other = await tx.scalar(select(PlanVersion.version).where(*same).limit(1))
    if other is not None:
        raise Conflict(f"The partner's own terms in version {other} hold then too; end them first.")


async def end(tx: Tx, workspace: UUID, plan_id: UUID, wanted: PlanEnd) -> None:
    """Published terms of one partner's own end sooner, or at all. tx: in the lane, so that no sale
    decided before is one that they no longer cover.

    NotFound; Conflict for a program's terms and for a draft; InvalidRequest for an instant in the
    past, or after the one at which they end anyway.
    """
    row = await tx.first(
        select(PlanVersion).where(PlanVersion.workspace_id == workspace, PlanVersion.id == plan_id)
    )
    if row is None:
        raise NotFound
    if row.partner_id is None:
        raise Conflict("A program's terms end when its next version begins; publish that.")
    if row.published_at is None:
        raise Conflict("This version is a draft; it is in force nowhere.")
    now: datetime = await tx.scalar(select(func.clock_timestamp()))
    ends = wanted.effective_until or now
    _refuse_end(ends, now, row.effective_until)
    await tx.execute(
        update(PlanVersion)
        .where(PlanVersion.workspace_id == workspace, PlanVersion.id == plan_id)
        .values(effective_until=ends)
    )


def _refuse_end(ends: datetime, now: datetime, ends_anyway: datetime | None) -> None:
    if ends_anyway is not None and ends_anyway <= now:
        raise Conflict("These terms have ended already.")
    problem, remedy = "", ""
    if ends < now:
        problem, remedy = "In the past", "Send a later instant, or leave it out for now."
    elif ends_anyway is not None and ends > ends_anyway:
        problem, remedy = "They end before that anyway", "Draft and publish a further version."
    if problem:
        raise InvalidRequest(errors=[FieldError("body/effective_until", problem, remedy)])
