"""Make a partner with its first member, enroll it, and give it a link."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Row, func, insert, select
from sqlalchemy.dialects.postgresql import insert as upsert

from app.add_links import add
from app.companies import found_in
from app.db.tables import (
    Enrollment,
    EnrollmentState,
    Partner,
    PartnerCountry,
    PartnerMember,
    Program,
)
from app.db.tx import Tx
from app.errors import Conflict, NotFound, unknown
from app.ids import uuid7
from app.tracking_links import NewLink
from app.wire import Country, Email, ExternalId, In, Name, PartnerId, ProgramId


class PartnerCreate(In):
    """recruited_by: the partner who brought this one. company: the partner that it belongs to."""

    program_id: ProgramId
    name: Name
    email: Email
    external_id: ExternalId | None = None
    country: Country | None = None
    recruited_by: PartnerId | None = None
    company: PartnerId | None = None


class EnrollmentCreate(In):
    """A further program of a partner."""

    program_id: ProgramId
    recruited_by: PartnerId | None = None


@dataclass(frozen=True, slots=True)
class NewPartner:
    """What was made. link_id: its default link."""

    id: UUID
    link_id: UUID


async def create(tx: Tx, workspace: UUID, new: PartnerCreate) -> NewPartner:
    """NotFound for an unknown program, recruiter or company; Conflict for a taken external_id, or a
    company that belongs to one.
    """
    partner_id = uuid7()
    # A taken external_id is found by the constraint: `problems.CONSTRAINTS`.
    await tx.execute(
        insert(Partner).values(
            id=partner_id,
            workspace_id=workspace,
            external_id=new.external_id,
            country=new.country or "",
        )
    )
    await tx.execute(
        insert(PartnerCountry).values(
            workspace_id=workspace,
            partner_id=partner_id,
            since=func.clock_timestamp(),
            country=new.country or "",
        )
    )
    await tx.execute(
        insert(PartnerMember).values(
            id=uuid7(),
            workspace_id=workspace,
            partner_id=partner_id,
            name=new.name,
            email=new.email,
        )
    )
    if new.company is not None:
        await found_in(tx, workspace, partner_id, new.company)
    place = EnrollmentCreate(program_id=new.program_id, recruited_by=new.recruited_by)
    return NewPartner(id=partner_id, link_id=await enroll(tx, workspace, partner_id, place))


async def enroll(tx: Tx, workspace: UUID, partner_id: UUID, place: EnrollmentCreate) -> UUID:
    """Give a partner a place in a program, active from now on, and a default link: its id.

    NotFound for what is unknown or archived; Conflict if it has a place there already, or would
    recruit itself in a ring.
    """
    if await _find(tx, workspace, partner_id, Partner) is None:
        raise NotFound
    if await _find(tx, workspace, place.program_id, Program) is None:
        raise unknown("body/program_id", "No program with this id that is not archived")
    recruiter = place.recruited_by
    if recruiter is not None and (
        recruiter == partner_id or await _find(tx, workspace, recruiter, Partner) is None
    ):
        raise unknown("body/recruited_by", "No other partner with this id that is not archived")
    if recruiter is not None and await _leads_to(tx, workspace, place, partner_id):
        raise Conflict("The partner recruited its recruiter, or who recruited that one.")
    keys = {
        "workspace_id": workspace,
        "program_id": place.program_id,
        "partner_id": partner_id,
    }
    made = await tx.first(
        upsert(Enrollment)
        .values(**keys, recruited_by=recruiter)
        .on_conflict_do_nothing()
        .returning(Enrollment.partner_id)
    )
    if made is None:
        raise Conflict("The partner is in this program already.")
    await tx.execute(
        insert(EnrollmentState).values(**keys, since=func.clock_timestamp(), state="active")
    )
    link = NewLink(program_id=place.program_id, partner_id=partner_id, is_default=True)
    return await add(tx, workspace, link)


async def _leads_to(tx: Tx, workspace: UUID, place: EnrollmentCreate, partner_id: UUID) -> bool:
    """Whether the partner is among those who recruited its recruiter, however far up."""
    driver = await tx.driver()
    found: bool = await driver.fetchval(
        """
        WITH RECURSIVE above AS (
          SELECT $3::uuid AS partner_id
          UNION
          SELECT e.recruited_by FROM above a
          JOIN enrollments e ON e.workspace_id = $1 AND e.program_id = $2
            AND e.partner_id = a.partner_id
          WHERE e.recruited_by IS NOT NULL
        )
        SELECT EXISTS (SELECT FROM above WHERE partner_id = $4)
        """,
        workspace,
        place.program_id,
        place.recruited_by,
        partner_id,
    )
    return found


async def _find(
    tx: Tx, workspace: UUID, wanted: UUID, table: type[Partner | Program]
) -> Row[tuple[UUID]] | None:
    return await tx.first(
        select(table.id).where(
            table.workspace_id == workspace, table.id == wanted, table.archived_at.is_(None)
        )
    )
