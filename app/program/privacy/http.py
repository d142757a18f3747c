"""`/v1/partners/{id}/export` and `/erase`, and `/v1/erasures`: who was erased, when, by whom."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends
from sqlalchemy import select

from app.auth import Caller, ReadDep, Scope, in_lane, needs
from app.db.tables import Erasure
from app.db.tx import Tx
from app.erasures import ErasureOut
from app.errors import LaneBusy
from app.openapi import documented
from app.pages import Order, PageDep, page
from app.program.privacy.erase import erase_partner
from app.program.privacy.export import OwedOut, PartnerExport, export_partner, outstanding
from app.tracking_links import BaseUrl
from app.wire import Listed, PartnerId
from app.writing import Writes

router: Final = APIRouter(tags=["Privacy"], route_class=Writes)
Admin = Annotated[Caller, Depends(needs(Scope.ADMIN))]
Lane = Annotated[Tx, in_lane(Scope.ADMIN)]
_ORDER: Final = Order("era", Erasure.erased_at, Erasure.id, Erasure.workspace_id)


class PartnerErased(ErasureOut):
    """outstanding: what the ledger still owes the partner, or is owed; it stays there."""

    outstanding: list[OwedOut]


@router.get("/partners/{partner_id}/export")
async def export_partner_data(
    partner_id: PartnerId, caller: Admin, read: ReadDep, base_url: BaseUrl
) -> PartnerExport:
    """Everything that is held about a partner, to be handed to it."""
    return await export_partner(read, caller.workspace_id, partner_id, base_url)


@router.post("/partners/{partner_id}/erase", responses=documented(LaneBusy))
async def erase_partner_data(partner_id: PartnerId, caller: Admin, tx: Lane) -> PartnerErased:
    """Erase members' names and addresses, external_id and what the links say; for good.

    The partner is archived and its links with it: they lead to their fallbacks, and their codes
    stay taken. Sales from now on earn it nothing; what it earned stays in the ledger. Twice: the
    first answer, with the balances as they are now.
    """
    erasure = await erase_partner(tx, caller.workspace_id, partner_id, key=caller.key_id)
    owed = await outstanding(tx, caller.workspace_id, partner_id)
    return PartnerErased(**erasure.model_dump(), outstanding=owed)


@router.get("/erasures")
async def list_erasures(caller: Admin, read: ReadDep, wanted: PageDep) -> Listed[ErasureOut]:
    """All erasures of the workspace, newest first; they are never changed nor deleted."""
    statement = select(Erasure.__table__).where(Erasure.workspace_id == caller.workspace_id)
    rows, has_more = await page(read, statement, _ORDER, wanted, workspace=caller.workspace_id)
    data = [ErasureOut.of(dict(row._mapping)) for row in rows]  # noqa: SLF001 (public)
    return Listed(data=data, has_more=has_more)
