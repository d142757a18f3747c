"""What an import tells of customers and past sales: events of a source of its own, `imported`.

They go through the inbox like all others. A customer binds and pays nobody; a sale pays, unless
the earlier system has settled it.
"""

from dataclasses import replace
from datetime import datetime
from typing import Annotated, Final

from pydantic import Field, StringConstraints

from app.conversions.providers.mapping import Alias, Mapped
from app.conversions.providers.track import TrackLead, TrackSale, lead, sale
from app.core.events import Lead, Payment
from app.wire import Amount, Country, Currency, Email, ExternalId, In, Instant, PartnerId, ProgramId

CUSTOMER: Final = "import.customer"
SALE: Final = "import.sale"
_EVENT_NAME: Final = "imported"


class ImportedCustomer(In):
    """A customer as an earlier system had it. Key: the customer. partner_id: who brought it."""

    program_id: ProgramId
    customer_external_id: ExternalId
    alias_namespace: (
        Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.:-]{1,64}$")] | None
    ) = None
    alias_external_id: ExternalId | None = None
    customer_email: Email | None = None
    customer_name: Annotated[str, StringConstraints(max_length=200)] = ""
    customer_country: Country | None = None
    partner_id: PartnerId | None = None
    occurred_at: Instant | None = None

    def mapped(self, received_at: datetime) -> Mapped:
        alias = Alias(self.alias_namespace or "", self.alias_external_id or "")
        told = lead(
            TrackLead(
                customer_external_id=self.customer_external_id,
                received_at=received_at,
                customer_aliases=(alias,) if alias.namespace else (),
                referrer=self.partner_id,
                event_name=_EVENT_NAME,
                customer_email=self.customer_email or "",
                customer_name=self.customer_name,
                customer_country=self.customer_country or "",
                occurred_at=self.occurred_at,
                program_id=self.program_id,
            )
        )
        # Leads may earn by some plans: the earlier system has paid for this one, or would not.
        return replace(told, body=Lead(_EVENT_NAME, settled=True), type=CUSTOMER)


class ImportedSale(In):
    """A sale of the time before. Key: the invoice. paid: the earlier system settled it."""

    program_id: ProgramId
    customer_external_id: ExternalId
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
                customer_external_id=self.customer_external_id,
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
        referrers = (self.partner_id,) if self.partner_id else ()
        body = replace(told.body, settled=self.paid)
        return replace(told, body=body, referrers=referrers, type=SALE)
