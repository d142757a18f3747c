"""Erase a partner's personal data; its ids, its earnings and its dated states stay."""

from uuid import UUID

from sqlalchemy import delete, func, select, update

from app.claim_words import forget_claims
from app.db.tables import (
    Deal,
    DealKey,
    DealProspect,
    DealState,
    Link,
    Partner,
    PartnerMember,
    Program,
)
from app.db.tx import Tx
from app.enrollments import retire
from app.erasures import ErasureOut, latest, record
from app.errors import NotFound


async def erase_partner(tx: Tx, workspace: UUID, partner_id: UUID, *, key: UUID) -> ErasureOut:
    """Members' names and addresses, external_id, and what its links say; it is archived for good.

    tx: in the lane. NotFound. Twice: the first erasure's record.
    """
    partner = await tx.first(
        select(Partner.id)
        .where(Partner.workspace_id == workspace, Partner.id == partner_id)
        .with_for_update()
    )
    if partner is None:
        raise NotFound
    counts = {
        "members": await _blank_members(tx, workspace, partner_id),
        "external_ids": await _blank_external_id(tx, partner_id),
        "archived_links": await retire(tx, workspace, partner_id),
        "links": await _blank_links(tx, workspace, partner_id),
        "deals": await _forget_prospects(tx, workspace, partner_id),
        "claims": await forget_claims(tx, workspace, partner_id, key),
    }
    before = await latest(tx, workspace, partner_id)
    if before is not None and not any(counts.values()):
        return before
    erasure = await record(
        tx, workspace, key=key, kind="partner", subject=partner_id, counts=counts
    )
    await tx.execute(
        update(Partner).where(Partner.id == partner_id).values(erased_at=erasure.erased_at)
    )
    return erasure


async def _blank_members(tx: Tx, workspace: UUID, partner: UUID) -> int:
    blanked = await tx.execute(
        update(PartnerMember)
        .where(
            PartnerMember.workspace_id == workspace,
            PartnerMember.partner_id == partner,
            (PartnerMember.name != "") | (PartnerMember.email != ""),
        )
        .values(name="", email="")
    )
    return int(blanked.rowcount)


async def _blank_external_id(tx: Tx, partner: UUID) -> int:
    blanked = await tx.execute(
        update(Partner)
        .where(Partner.id == partner, Partner.external_id.is_not(None))
        .values(external_id=None)
    )
    return int(blanked.rowcount)


async def _blank_links(tx: Tx, workspace: UUID, partner: UUID) -> int:
    """What was put on its links for it alone.

    Codes stay: they stand printed in the world, and nobody else may get them. Fallbacks stay: they
    are the program's own pages.
    """
    home = select(Program.default_destination).where(Program.id == Link.program_id)
    blanked = await tx.execute(
        update(Link)
        .where(
            Link.workspace_id == workspace,
            Link.partner_id == partner,
            (Link.subs != {})
            | (Link.utm != {})
            | Link.asset_id.is_not(None)
            | (Link.destination != home.scalar_subquery()),
        )
        .values(subs={}, utm={}, asset_id=None, destination=home.scalar_subquery())
    )
    return int(blanked.rowcount)


async def _forget_prospects(tx: Tx, workspace: UUID, partner: UUID) -> int:
    """Whom its deals name, and what was written beside them: told by the partner, for its sake.

    It can earn by none of them any more, so their locks end now.
    """
    own = select(Deal.id).where(Deal.workspace_id == workspace, Deal.partner_id == partner)
    gone = await tx.execute(
        delete(DealProspect).where(
            DealProspect.workspace_id == workspace, DealProspect.deal_id.in_(own)
        )
    )
    await tx.execute(
        delete(DealKey).where(DealKey.workspace_id == workspace, DealKey.deal_id.in_(own))
    )
    await tx.execute(
        update(DealState)
        .where(DealState.workspace_id == workspace, DealState.deal_id.in_(own))
        .values(reason="")
    )
    ended = func.least(Deal.lock_until, func.clock_timestamp())
    await tx.execute(update(Deal).where(Deal.id.in_(own)).values(product="", lock_until=ended))
    return int(gone.rowcount)
