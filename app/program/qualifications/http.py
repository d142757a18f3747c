"""`/v1/programs/{id}/partners/{id}/qualification`: what a partner has there, and since when."""

from typing import Annotated, Any, Final, Self
from uuid import UUID

from fastapi import APIRouter, Depends
from sqlalchemy import Row, func, select

from app.auth import Caller, ReadDep, Scope, in_lane, needs
from app.db.tables import PartnerQualification
from app.db.tx import Read, Tx
from app.errors import NotFound
from app.openapi import documented
from app.program.qualifications.qualify import (
    QualificationSet,
    held,
    qualify,
    refuse_stranger,
)
from app.wire import Instant, Out, PartnerId, ProgramId
from app.writing import Writes

_PATH: Final = "/programs/{program_id}/partners/{partner_id}/qualification"
_MOST: Final = 100
router: Final = APIRouter(tags=["Partners"], route_class=Writes)
Reader = Annotated[Caller, Depends(needs(Scope.PARTNERS_READ))]
Writer = Annotated[Caller, Depends(needs(Scope.PARTNERS_WRITE))]
Lane = Annotated[Tx, in_lane(Scope.PARTNERS_WRITE)]


class HeldOut(Out):
    """What a partner has from an instant on, until a later one says otherwise."""

    since: Instant
    tier: str | None
    certified: bool
    certified_until: Instant | None
    agreement: str | None

    @classmethod
    def of(cls, row: Row[Any]) -> Self:
        return cls(
            since=row.since,
            tier=row.tier or None,
            certified=row.certified,
            certified_until=row.certified_until,
            agreement=row.agreement or None,
        )


class QualificationOut(Out):
    """What holds now: certified is false once the certificate has run out.

    history: all that was said, the latest 100, newest first; what lies ahead too.
    """

    program_id: ProgramId
    partner_id: PartnerId
    tier: str | None
    certified: bool
    agreement: str | None
    history: list[HeldOut]


@router.get(_PATH, responses=documented(NotFound))
async def get_qualification(
    program_id: ProgramId, partner_id: PartnerId, caller: Reader, read: ReadDep
) -> QualificationOut:
    """What a partner has in a program: a tier, a certificate, an accepted agreement."""
    await refuse_stranger(read, caller.workspace_id, program_id, partner_id)
    return await _shown(read, caller, program_id, partner_id)


@router.put(_PATH, responses=documented(NotFound))
async def set_qualification(
    program_id: ProgramId, partner_id: PartnerId, body: QualificationSet, caller: Writer, tx: Lane
) -> QualificationOut:
    """Say what it has from now or a later instant on. Sales before that are paid as they were."""
    await qualify(tx, caller.workspace_id, program_id, partner_id, body)
    return await _shown(tx, caller, program_id, partner_id)


async def _shown(
    read: Read, caller: Caller, program_id: UUID, partner_id: UUID
) -> QualificationOut:
    now = await read.scalar(select(func.clock_timestamp()))
    row = await held(read, caller.workspace_id, program_id, partner_id, now)
    rows = await read.all(
        select(PartnerQualification)
        .where(
            PartnerQualification.workspace_id == caller.workspace_id,
            PartnerQualification.program_id == program_id,
            PartnerQualification.partner_id == partner_id,
        )
        .order_by(PartnerQualification.since.desc())
        .limit(_MOST)
    )
    is_valid = (
        row is not None
        and row.certified
        and (row.certified_until is None or now < row.certified_until)
    )
    return QualificationOut(
        program_id=program_id,
        partner_id=partner_id,
        tier=row.tier or None if row else None,
        certified=is_valid,
        agreement=row.agreement or None if row else None,
        history=[HeldOut.of(one) for one in rows],
    )
