"""Draft and publish versions of a program's terms, under the workspace's lane."""

from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from pydantic import Field
from sqlalchemy import Row, func, insert, select, update

from app import terms
from app.apart import apart
from app.db.tables import PlanVersion, Program
from app.db.tx import Tx
from app.errors import Conflict, FieldError, InvalidRequest, NotFound
from app.ids import uuid7
from app.program.plans.agree import refuse_overlap, refuse_stranger
from app.terms import PlanDocument
from app.wire import In, Instant, PartnerId


class PlanDraft(In):
    """The terms, as in a new program. Of one partner's own terms only `combine`, `rules` and
    `gates`: all else is the program's.
    """

    plan: PlanDocument
    partner_id: PartnerId | None = Field(
        default=None, description="Whose own terms they are; absent: the program's."
    )


class PlanPublish(In):
    """effective_from: sales from then on, not in the past; absent: from now on. effective_until:
    only of a partner's own terms; absent: until they are ended.
    """

    effective_from: Instant | None = None
    effective_until: Instant | None = None


async def draft(tx: Tx, workspace: UUID, program_id: UUID, wanted: PlanDraft) -> UUID:
    """The new version's id. tx: in the lane, so that versions are numbered one by one."""
    partner_id = wanted.partner_id
    is_agreement = partner_id is not None
    document = await apart(partial(terms.checked, wanted.plan, is_agreement=is_agreement))
    program = await tx.first(
        select(Program.archived_at).where(
            Program.workspace_id == workspace, Program.id == program_id
        )
    )
    if program is None:
        raise NotFound
    if program.archived_at is not None:
        raise Conflict("The program is archived.")
    if partner_id is not None:
        await refuse_stranger(tx, workspace, program_id, partner_id)
    latest = select(func.coalesce(func.max(PlanVersion.version), 0)).where(
        PlanVersion.workspace_id == workspace,
        PlanVersion.program_id == program_id,
        PlanVersion.partner_id.is_not_distinct_from(partner_id),
    )
    plan_id = uuid7()
    await tx.execute(
        insert(PlanVersion).values(
            id=plan_id,
            workspace_id=workspace,
            program_id=program_id,
            partner_id=partner_id,
            version=await tx.scalar(latest) + 1,
            document=document,
        )
    )
    return plan_id


async def publish(tx: Tx, workspace: UUID, plan_id: UUID, wanted: PlanPublish) -> None:
    """From then on the version never changes. tx: in the lane.

    NotFound; Conflict if it is published already, its program archived, or if the partner has
    other own terms at the same time; InvalidRequest for an instant in the past.
    """
    row = await tx.first(
        select(
            PlanVersion.published_at,
            PlanVersion.program_id,
            PlanVersion.partner_id,
            Program.archived_at,
        )
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
    begins = wanted.effective_from or now
    if begins < now:
        remedy = "Send a later instant, or leave it out for now."
        raise InvalidRequest(errors=[FieldError("body/effective_from", "In the past", remedy)])
    ends = _end(row, begins, wanted.effective_until)
    if row.partner_id is not None:
        await refuse_overlap(tx, workspace, row, begins, ends)
    await tx.execute(
        update(PlanVersion)
        .where(PlanVersion.workspace_id == workspace, PlanVersion.id == plan_id)
        .values(effective_from=begins, effective_until=ends, published_at=now)
    )


def _end(row: Row[Any], begins: datetime, ends: datetime | None) -> datetime | None:
    if ends is None:
        return None
    place = "body/effective_until"
    if row.partner_id is None:
        remedy = "Leave it out: a program's terms end when its next version begins."
        raise InvalidRequest(errors=[FieldError(place, "Only of a partner's own terms", remedy)])
    if ends <= begins:
        remedy = "Send an instant after effective_from."
        raise InvalidRequest(errors=[FieldError(place, "They would end before they begin", remedy)])
    return ends
