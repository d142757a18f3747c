"""What an import tells of customers and past sales: events of a source of its own, `imported`.

They go through the inbox like all others. A customer binds and pays nobody; a sale pays, unless
the earlier system has settled it.
"""

from dataclasses import replace
from datetime import datetime
from typing import Annotated, Final

from pydantic import Field, StringConstraints

from app.conversions.providers.mapping import Alias, Contact, Mapped
from app.conversions.providers.track import OWN, TrackSale, sale
from app.core.events import Lead, Payment
from app.core.identity import person_name
from app.wire import (
    Amount,
    Country,
    Currency,
    Email,
    ExternalId,
    In,
    Instant,
    Namespace,
    PartnerId,
    ProgramId,
)

CUSTOMER: Final = "import.customer"
SALE: Final = "import.sale"
_EVENT_NAME: Final = "imported"


class _Named(In):
    """Whom a row is about: by your own id, by an id elsewhere (`stripe:`, `cus_…`), or by both."""

    customer_external_id: ExternalId | None = None
    alias_namespace: Namespace | None = None
    alias_external_id: ExternalId | None = None

    @property
    def aliases(self) -> tuple[Alias, ...]:
        own = Alias(OWN, self.customer_external_id or "")
        other = Alias(self.alias_namespace or "", self.alias_external_id or "")
        return tuple(alias for alias in (own, other) if alias.external_id)


class ImportedCustomer(_Named):
    """A customer as an earlier system had it. Key: the customer. partner_id: who brought it."""

    program_id: ProgramId
    customer_email: Email | None = None
    customer_name: Annotated[str, StringConstraints(max_length=200)] = ""
    customer_country: Country | None = None
    partner_id: PartnerId | None = None
    occurred_at: Instant | None = None

    def mapped(self, received_at: datetime) -> Mapped:
        first = self.aliases[0]
        return Mapped(
            external_id=f"lead:{person_name(first.namespace, first.external_id)}:{_EVENT_NAME}",
            kind="lead",
            occurred_at=self.occurred_at or received_at,
            # Leads may earn by some plans: this one's bonus was the earlier system's to pay.
            body=Lead(_EVENT_NAME, settled=True),
            referrers=(self.partner_id,) if self.partner_id else (),
            country=self.customer_country or "",
            contact=Contact(self.aliases, email=self.customer_email or "", name=self.customer_name),
            program_ids=(self.program_id,),
            type=CUSTOMER,
        )


class ImportedSale(_Named):
    """A sale of the time before. Key: the invoice. paid: the earlier system settled it."""

    program_id: ProgramId
    invoice_id: ExternalId
    amount: Annotated[Amount, Field(ge=1)]
    currency: Currency
    occurred_at: Instant
    paid: bool
    partner_id: PartnerId | None = None
    product_id: ExternalId | None = None
    quantity: Annotated[int, Field(strict=True, ge=1, le=1_000_000_000)] | None = None
    subscription_id: ExternalId | None = None
    customer_country: Country | None = None

    def mapped(self, received_at: datetime) -> Mapped:
        told = sale(
            TrackSale(
                customer_external_id=self.customer_external_id or "",
                amount=self.amount,
                currency=self.currency,
                invoice_id=self.invoice_id,
                received_at=received_at,
                product_id=self.product_id or "",
                quantity=self.quantity,
                subscription_id=self.subscription_id or "",
                customer_country=self.customer_country or "",
                occurred_at=self.occurred_at,
                program_id=self.program_id,
            )
        )
        assert isinstance(told.body, Payment)
        return replace(
            told,
            body=replace(told.body, settled=self.paid),
            referrers=(self.partner_id,) if self.partner_id else (),
            contact=Contact(self.aliases),
            type=SALE,
        )
