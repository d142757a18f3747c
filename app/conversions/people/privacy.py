"""`/v1/customers/{id}/export` and `/erase`: what a person may ask of whoever holds their data."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request

from app.auth import Caller, LaterDep, Scope, get_database, needs
from app.conversions.people.erase import erase_customer, search
from app.conversions.people.export import CustomerExport, export_customer
from app.erasures import ErasureOut
from app.errors import LaneBusy
from app.openapi import documented
from app.pages import PageDep
from app.wire import CustomerId
from app.writing import Writes

router: Final = APIRouter(prefix="/customers", tags=["Privacy"], route_class=Writes)
Admin = Annotated[Caller, Depends(needs(Scope.ADMIN))]


@router.get("/{customer_id}/export")
async def export_personal_data(
    customer_id: CustomerId, caller: Admin, request: Request, wanted: PageDep
) -> CustomerExport:
    """Everything that is held about a customer, to be handed to the person.

    The messages about the customer come in pages, newest first; all else is on each page. Who
    earned by the customer is other people's data and is not in it.
    """
    async with get_database(request).snapshot() as read:
        return await export_customer(read, caller.workspace_id, customer_id, wanted)


@router.post("/{customer_id}/erase", responses=documented(LaneBusy))
async def erase_personal_data(
    customer_id: CustomerId, caller: Admin, request: Request, later: LaterDep
) -> ErasureOut:
    """Erase e-mail, name, aliases and raw messages of a customer and of all joined to it, for good.

    Of clicks that were claimed for it link, time and class stay. Conversions, commissions and the
    ledger stay as they are, under ids that name nobody. Whoever buys again afterwards is known
    again by what the new messages tell. Twice: the first answer.
    """
    searched = await search(get_database(request), caller.workspace_id, customer_id)
    tx = await later.lane(caller.workspace_id)
    return await erase_customer(tx, caller.workspace_id, searched, key=caller.key_id)
