"""Draft and publish versions of a program's terms, under the workspace's lane."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import func, insert, select, update

from app import terms
from app.db.tables import PlanVersion, Program
from app.db.tx import Tx
from app.errors import Conflict, FieldError, InvalidRequest, NotFound
from app.ids import uuid7
from app.terms import PlanDocument
from app.wire import In, Instant


class PlanDraft(In):
    """The terms, as in a new program."""

    plan: PlanDocument


class PlanPublish(In):
    """effective_from: sales from then on, not in the past; absent: from now on."""

    effective_from: Instant | None = None


async def draft(tx: Tx, workspace: UUID, program_id: UUID, wanted: PlanDraft) -> UUID:
    """The new version's id. tx: in the lane, so that versions are numbered one by one."""
    document = terms.checked(wanted.plan)
    program = await tx.first(
        select(Program.archived_at).where(
            Program.workspace_id == workspace, Program.id == program_id
        )
    )
    if program is None:
        raise NotFound
    if program.archived_at is not None:
        raise Conflict("The program is archived.")
    latest = select(func.max(PlanVersion.version)).where(
        PlanVersion.workspace_id == workspace, PlanVersion.program_id == program_id
    )
    plan_id = uuid7()
    await tx.execute(
        insert(PlanVersion).values(
            id=plan_id,
            workspace_id=workspace,
            program_id=program_id,
            version=await tx.scalar(latest) + 1,
            document=document,
        )
    )
    return plan_id


async def publish(tx: Tx, workspace: UUID, plan_id: UUID, wanted: datetime | None) -> None:
    """From then on the version never changes. tx: in the lane.

    wanted: when it comes into force; none: now. NotFound; Conflict if it is published already or
    its program archived; InvalidRequest for an instant in the past.
    """
    row = await tx.first(
        select(PlanVersion.published_at, Program.archived_at)
        .join(Program, Program.id == PlanVersion.program_id)
        .where(PlanVersion.workspace_id == workspace, PlanVersion.id == plan_id)
    )
    if row is None:
        raise NotFound
    if row.published_at is not None:
        raise Conflict("This version is published; draft another one.")
    if row.archived_at is not None:
        raise Conflict("The program is archived.")
    # After the lock: no sale decided before can fall under the new terms.
    now: datetime = await tx.scalar(select(func.clock_timestamp()))
    effective_from = wanted or now
    if effective_from < now:
        remedy = "Send a later instant, or leave it out for now."
        raise InvalidRequest(errors=[FieldError("body/effective_from", "In the past", remedy)])
    await tx.execute(
        update(PlanVersion)
        .where(PlanVersion.workspace_id == workspace, PlanVersion.id == plan_id)
        .values(effective_from=effective_from, published_at=now)
    )
