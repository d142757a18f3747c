"""Say what a partner has in a program from an instant on, under the workspace's lane."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, StringConstraints
from sqlalchemy import Row, func, select
from sqlalchemy.dialects.postgresql import insert

from app.core.gates import TIER
from app.db.tables import Enrollment, PartnerQualification
from app.db.tx import Read, Tx
from app.errors import FieldError, InvalidRequest, NotFound
from app.wire import In, Instant

Tier = Annotated[str, StringConstraints(pattern=f"^{TIER.pattern}$", max_length=64)]
AgreementName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]


class QualificationSet(In):
    """All that the partner has from then on; what is absent it has not.

    since: not in the past; absent: now.
    """

    tier: Tier | None = Field(default=None, examples=["gold"])
    certified: bool = Field(default=False, strict=True)
    certified_until: Instant | None = None
    agreement: AgreementName | None = Field(
        default=None,
        description="Which version of the agreement it has accepted.",
        examples=["2026-01"],
    )
    since: Instant | None = None


async def qualify(
    tx: Tx, workspace: UUID, program_id: UUID, partner_id: UUID, wanted: QualificationSet
) -> None:
    """What lies ahead at that very instant is written anew; the same as holds then, not at all.

    tx: in the lane, so that no sale decided before can fall under it. NotFound for a partner who is
    not in the program; InvalidRequest for an instant in the past, or a certificate without one.
    """
    await refuse_stranger(tx, workspace, program_id, partner_id)
    now: datetime = await tx.scalar(select(func.clock_timestamp()))
    since = wanted.since or now
    _refuse(wanted, since, now)
    values: dict[str, Any] = {
        "tier": wanted.tier or "",
        "certified": wanted.certified,
        "certified_until": wanted.certified_until,
        "agreement": wanted.agreement or "",
    }
    holding = await held(tx, workspace, program_id, partner_id, since)
    if holding and all(getattr(holding, name) == value for name, value in values.items()):
        return
    fact = insert(PartnerQualification).values(
        workspace_id=workspace,
        program_id=program_id,
        partner_id=partner_id,
        since=since,
        **values,
    )
    keys = ["workspace_id", "program_id", "partner_id", "since"]
    await tx.execute(fact.on_conflict_do_update(index_elements=keys, set_=values))


async def refuse_stranger(read: Read, workspace: UUID, program_id: UUID, partner_id: UUID) -> None:
    """NotFound for a partner who is not in the program."""
    place = await read.first(
        select(Enrollment.partner_id).where(
            Enrollment.workspace_id == workspace,
            Enrollment.program_id == program_id,
            Enrollment.partner_id == partner_id,
        )
    )
    if place is None:
        raise NotFound


async def held(
    read: Read, workspace: UUID, program_id: UUID, partner_id: UUID, at: datetime
) -> Row[Any] | None:
    """What the partner has at an instant, as it was written; None: nothing was."""
    return await read.first(
        select(PartnerQualification)
        .where(
            PartnerQualification.workspace_id == workspace,
            PartnerQualification.program_id == program_id,
            PartnerQualification.partner_id == partner_id,
            PartnerQualification.since <= at,
        )
        .order_by(PartnerQualification.since.desc())
        .limit(1)
    )


def _refuse(wanted: QualificationSet, since: datetime, now: datetime) -> None:
    place, problem, remedy = "certified_until", "", ""
    if since < now:
        place, problem = "since", "In the past"
        remedy = "Send a later instant, or leave it out for now: what is decided stays."
    elif wanted.certified_until is not None and not wanted.certified:
        problem, remedy = "There is no certificate that could run out", "Send certified: true."
    elif wanted.certified_until is not None and wanted.certified_until <= since:
        problem, remedy = "It would have run out already", "Send an instant after since."
    if problem:
        raise InvalidRequest(errors=[FieldError(f"body/{place}", problem, remedy)])
