"""Whom a claim is about: a customer we know, or a name that nobody has yet."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import CompoundSelect, Select, func, or_, select, union
from sqlalchemy.orm import aliased

from app.conversions.customers import survivor
from app.conversions.providers.track import OWN, invoice_key
from app.conversions.requests import AliasIn
from app.core.identity import person_name
from app.db.tables import Claim, Conversion, Customer, CustomerName
from app.db.tx import Read
from app.errors import NotFound, unknown
from app.wire import ConversionId, CustomerId, ExternalId, In

_WAYS = ("customer_id", "customer_external_id", "customer_alias", "conversion_id", "invoice_id")


class About(In):
    """One of five: our id of the customer or of a conversion of it, your id of the customer,
    another name of it, or the id of an invoice that you told with a sale.
    """

    customer_id: CustomerId | None = None
    customer_external_id: ExternalId | None = None
    customer_alias: AliasIn | None = None
    conversion_id: ConversionId | None = None
    invoice_id: ExternalId | None = None

    @property
    def ways(self) -> tuple[str, ...]:
        """Which of the five were given."""
        return tuple(way for way in _WAYS if getattr(self, way) is not None)


@dataclass(frozen=True, slots=True)
class Subject:
    """customer_id: the customer, none while nobody has the name. name: as in `customer_names`.

    namespace, external_id: the name as it was told; personal data.
    """

    customer_id: UUID | None
    name: str | None = None
    conversion_id: UUID | None = None
    namespace: str = ""
    external_id: str = ""


async def subject(read: Read, workspace: UUID, about: About) -> Subject:
    """NotFound for an id of ours that is none here; a name that nobody has is no mistake."""
    if about.customer_id is not None:
        return Subject(await _customer(read, workspace, about.customer_id))
    if about.conversion_id is not None:
        return await _of_conversion(read, workspace, about.conversion_id)
    if about.invoice_id is not None:
        name = invoice_key(about.invoice_id)
        return Subject(await _who_has(read, workspace, name), name)
    alias = about.customer_alias or AliasIn(
        namespace=OWN, external_id=about.customer_external_id or ""
    )
    name = person_name(alias.namespace, alias.external_id)
    known = await _who_has(read, workspace, name)
    return Subject(known, name, None, alias.namespace, alias.external_id)


def with_customers(workspace: UUID) -> Select[Any]:
    """All claims of a workspace, each with the customer that it is about now."""
    named = (
        select(CustomerName.customer_id)
        .where(CustomerName.workspace_id == workspace, CustomerName.name == Claim.name)
        .correlate(Claim)
        .scalar_subquery()
    )
    told = func.coalesce(Claim.customer_id, named)
    columns = [c for c in Claim.__table__.columns if c.name != "customer_id"]
    return (
        select(*columns, func.coalesce(Customer.merged_into, Customer.id).label("customer_id"))
        .select_from(Claim)
        .outerjoin(Customer, (Customer.workspace_id == workspace) & (Customer.id == told))
        .where(Claim.workspace_id == workspace)
    )


def ids_about(workspace: UUID, customer: UUID) -> CompoundSelect[Any]:
    """Claims that name the customer, or one that it turned out to be, found by index."""
    claim = aliased(Claim)
    same = select(Customer.id).where(
        Customer.workspace_id == workspace,
        or_(Customer.id == customer, Customer.merged_into == customer),
    )
    names = select(CustomerName.name).where(
        CustomerName.workspace_id == workspace, CustomerName.customer_id.in_(same)
    )
    own = select(claim.id).where(claim.workspace_id == workspace)
    return union(own.where(claim.customer_id.in_(same)), own.where(claim.name.in_(names)))


async def _customer(read: Read, workspace: UUID, customer: UUID) -> UUID:
    try:
        return await survivor(read, workspace, customer)
    except NotFound as error:
        raise unknown("body/customer_id", "No such customer here") from error


async def _of_conversion(read: Read, workspace: UUID, conversion: UUID) -> Subject:
    customer: UUID | None = await read.scalar(
        select(Conversion.customer_id).where(
            Conversion.workspace_id == workspace, Conversion.id == conversion
        )
    )
    if customer is None:
        raise unknown("body/conversion_id", "No such conversion here")
    return Subject(customer, None, conversion)


async def _who_has(read: Read, workspace: UUID, name: str) -> UUID | None:
    customer: UUID | None = await read.scalar(
        select(CustomerName.customer_id).where(
            CustomerName.workspace_id == workspace, CustomerName.name == name
        )
    )
    return customer
