"""Change a partner, suspend and reactivate it in a program, archive it."""

from typing import Any
from uuid import UUID

from pydantic import Field
from sqlalchemy import Row, func, insert, select, update

from app.companies import join_company
from app.db.tables import Partner, PartnerCountry, PartnerMember
from app.db.tx import Tx
from app.enrollments import Status, retire, set_status
from app.errors import Conflict, FieldError, NotFound
from app.wire import Country, Email, ExternalId, In, Name, PartnerId, ProgramId


class EnrollmentUpdate(In):
    """status: sales while it is suspended earn nothing."""

    program_id: ProgramId
    status: Status


class PartnerUpdate(In):
    """What is absent stays; `null` clears external_id, country and company."""

    name: Name = ""
    email: Email = ""
    external_id: ExternalId | None = None
    country: Country | None = None
    company: PartnerId | None = None
    enrollments: list[EnrollmentUpdate] = Field(default=[], max_length=100)


async def change(tx: Tx, workspace: UUID, partner_id: UUID, wanted: PartnerUpdate) -> None:
    """tx: in the lane, since a suspension must not pass by a sale that is being decided.

    NotFound for the partner, its company or a program it is not in; Conflict if it is archived, or
    a company would belong to a company.
    """
    partner = await _locked(tx, workspace, partner_id)
    if partner.archived_at is not None:
        raise Conflict("The partner is archived.")
    values: dict[str, Any] = wanted.model_dump(
        include={"external_id", "country"}, exclude_unset=True
    )
    if "country" in values:
        values["country"] = values["country"] or ""
        await tx.execute(
            insert(PartnerCountry).values(
                workspace_id=workspace,
                partner_id=partner_id,
                since=func.clock_timestamp(),
                country=values["country"],
            )
        )
    if values:
        await tx.execute(update(Partner).where(Partner.id == partner_id).values(**values))
    if "company" in wanted.model_fields_set:
        await join_company(tx, workspace, partner_id, wanted.company)
    await _change_first_member(tx, workspace, partner_id, wanted)
    for i, enrollment in enumerate(wanted.enrollments):
        place = f"body/enrollments/{i}/program_id"
        program = enrollment.program_id
        if not await set_status(tx, workspace, program, partner_id, enrollment.status):
            problem, remedy = "The partner is not in this program", "Enroll it first."
            raise NotFound(problem, errors=[FieldError(place, problem, remedy)])


async def archive(tx: Tx, workspace: UUID, partner_id: UUID) -> None:
    """Suspend it everywhere and archive its links: they lead to their fallbacks. Twice: nothing.

    tx: in the lane.
    """
    partner = await _locked(tx, workspace, partner_id)
    if partner.archived_at is None:
        await retire(tx, workspace, partner_id)


async def _locked(tx: Tx, workspace: UUID, partner_id: UUID) -> Row[Any]:
    row = await tx.first(
        select(Partner.id, Partner.archived_at)
        .where(Partner.workspace_id == workspace, Partner.id == partner_id)
        .with_for_update()
    )
    if row is None:
        raise NotFound
    return row


async def _change_first_member(
    tx: Tx, workspace: UUID, partner_id: UUID, wanted: PartnerUpdate
) -> None:
    values = wanted.model_dump(include={"name", "email"}, exclude_unset=True)
    if not values:
        return
    first = (
        select(PartnerMember.id)
        .where(PartnerMember.workspace_id == workspace, PartnerMember.partner_id == partner_id)
        .order_by(PartnerMember.created_at, PartnerMember.id)
        .limit(1)
    )
    await tx.execute(
        update(PartnerMember).where(PartnerMember.id == first.scalar_subquery()).values(**values)
    )
