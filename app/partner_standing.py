"""What a partner's export tells of its standing in programs: what it has, and terms of its own."""

from typing import Any
from uuid import UUID

from sqlalchemy import select

from app.db.tables import PartnerQualification, PlanVersion
from app.db.tx import Read
from app.wire import Instant, Out, PlanId, ProgramId


class QualifiedOut(Out):
    """What the partner has in a program since an instant: a tier, a certificate, an agreement."""

    program_id: ProgramId
    since: Instant
    tier: str
    certified: bool
    certified_until: Instant | None
    agreement: str


class OwnTermsOut(Out):
    """Published terms of the partner alone; sales before effective_from have nothing of them."""

    id: PlanId
    program_id: ProgramId
    version: int
    effective_from: Instant | None
    effective_until: Instant | None
    plan: dict[str, Any]


async def qualified(read: Read, workspace: UUID, partner: UUID) -> list[QualifiedOut]:
    columns = [getattr(PartnerQualification, name) for name in QualifiedOut.model_fields]
    rows = await read.dicts(
        select(*columns)
        .where(
            PartnerQualification.workspace_id == workspace,
            PartnerQualification.partner_id == partner,
        )
        .order_by(PartnerQualification.since, PartnerQualification.program_id)
    )
    return [QualifiedOut(**row) for row in rows]


async def own_terms(read: Read, workspace: UUID, partner: UUID) -> list[OwnTermsOut]:
    rows = await read.dicts(
        select(
            PlanVersion.id,
            PlanVersion.program_id,
            PlanVersion.version,
            PlanVersion.effective_from,
            PlanVersion.effective_until,
            PlanVersion.document.label("plan"),
        )
        .where(
            PlanVersion.workspace_id == workspace,
            PlanVersion.partner_id == partner,
            PlanVersion.published_at.is_not(None),
        )
        .order_by(PlanVersion.program_id, PlanVersion.version)
    )
    return [OwnTermsOut(**row) for row in rows]
