"""Change what a deal says, or forget whom it names."""

from typing import Any
from uuid import UUID

from sqlalchemy import delete, select, update

from app.db.tables import Deal, DealKey, DealProspect
from app.db.tx import Tx
from app.errors import Conflict
from app.program.deals.prospects import email_key
from app.program.deals.register import Note, Words
from app.program.deals.stages import locked
from app.wire import In


class DealUpdate(In):
    """What is absent stays. contact_name, contact_email: `null` forgets them; another contact is
    another deal.
    """

    note: Note | None = None
    product: Words | None = None
    contact_name: None = None
    contact_email: None = None


async def change(tx: Tx, workspace: UUID, deal_id: UUID, wanted: DealUpdate) -> None:
    """NotFound; Conflict if the prospect was erased and there is nothing left to change."""
    await locked(tx, workspace, deal_id)
    told = {name: value or "" for name, value in wanted.model_dump(exclude_unset=True).items()}
    if "product" in told:
        product = told.pop("product")
        await tx.execute(update(Deal).where(Deal.id == deal_id).values(product=product))
    if told:
        await _change_prospect(tx, workspace, deal_id, told)


async def _change_prospect(tx: Tx, workspace: UUID, deal_id: UUID, told: dict[str, Any]) -> None:
    own = (DealProspect.workspace_id == workspace, DealProspect.deal_id == deal_id)
    email = await tx.scalar(select(DealProspect.contact_email).where(*own))
    if email is None:
        raise Conflict("Whom this deal was about is erased.")
    await tx.execute(update(DealProspect).where(*own).values(**told))
    if "contact_email" in told and email:
        await tx.execute(
            delete(DealKey).where(
                DealKey.workspace_id == workspace,
                DealKey.deal_id == deal_id,
                DealKey.name == email_key(email),
            )
        )
