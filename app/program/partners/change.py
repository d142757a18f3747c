"""Change a partner, suspend and reactivate it in a program, archive it."""

from typing import Any, Literal
from uuid import UUID

from pydantic import Field
from sqlalchemy import Row, func, insert, select, update

from app.db.tables import (
    Enrollment,
    EnrollmentState,
    Link,
    Partner,
    PartnerCountry,
    PartnerMember,
)
from app.db.tx import Tx
from app.errors import Conflict, FieldError, NotFound
from app.wire import Country, Email, ExternalId, In, Name, ProgramId

Status = Literal["active", "suspended"]


class EnrollmentUpdate(In):
    """status: sales while it is suspended earn nothing."""

    program_id: ProgramId
    status: Status


class PartnerUpdate(In):
    """What is absent stays; `null` clears external_id and country."""

    name: Name = ""
    email: Email = ""
    external_id: ExternalId | None = None
    country: Country | None = None
    enrollments: list[EnrollmentUpdate] = Field(default=[], max_length=100)


async def change(tx: Tx, workspace: UUID, partner_id: UUID, wanted: PartnerUpdate) -> None:
    """tx: in the lane, since a suspension must not pass by a sale that is being decided.

    NotFound for the partner or a program it is not in; Conflict if it is archived.
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
    await _change_first_member(tx, workspace, partner_id, wanted)
    for i, enrollment in enumerate(wanted.enrollments):
        place = f"body/enrollments/{i}/program_id"
        if not await _set_state(tx, workspace, partner_id, enrollment):
            problem, remedy = "The partner is not in this program", "Enroll it first."
            raise NotFound(problem, errors=[FieldError(place, problem, remedy)])


async def archive(tx: Tx, workspace: UUID, partner_id: UUID) -> None:
    """Suspend it everywhere and archive its links: they lead to their fallbacks. Twice: nothing.

    tx: in the lane.
    """
    partner = await _locked(tx, workspace, partner_id)
    if partner.archived_at is not None:
        return
    places = await tx.all(
        select(Enrollment.program_id).where(
            Enrollment.workspace_id == workspace, Enrollment.partner_id == partner_id
        )
    )
    for place in places:
        suspended = EnrollmentUpdate(program_id=place.program_id, status="suspended")
        await _set_state(tx, workspace, partner_id, suspended)
    now = func.clock_timestamp()
    await tx.execute(update(Partner).where(Partner.id == partner_id).values(archived_at=now))
    await tx.execute(
        update(Link)
        .where(
            Link.workspace_id == workspace,
            Link.partner_id == partner_id,
            Link.archived_at.is_(None),
        )
        .values(archived_at=now)
    )


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


async def _set_state(tx: Tx, workspace: UUID, partner_id: UUID, wanted: EnrollmentUpdate) -> bool:
    """Whether the partner is in the program at all; the same state twice writes nothing."""
    current = await tx.scalar(
        select(EnrollmentState.state)
        .where(
            EnrollmentState.workspace_id == workspace,
            EnrollmentState.program_id == wanted.program_id,
            EnrollmentState.partner_id == partner_id,
        )
        .order_by(EnrollmentState.since.desc())
        .limit(1)
    )
    if current is not None and current != wanted.status:
        await tx.execute(
            insert(EnrollmentState).values(
                workspace_id=workspace,
                program_id=wanted.program_id,
                partner_id=partner_id,
                since=func.clock_timestamp(),
                state=wanted.status,
            )
        )
    return current is not None
