"""Bodies of `/v1/track/*` and of the alias route, strict, and what they say in our words."""

from datetime import datetime, timedelta
from typing import Annotated, Final, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from app.conversions.deal_links import TYPE as DEAL_LINKED
from app.conversions.deal_links import DealLink
from app.conversions.imported import CUSTOMER, SALE, ImportedCustomer, ImportedSale
from app.conversions.late_codes import TYPE as CODE_KNOWN
from app.conversions.late_codes import CodeKnown
from app.conversions.providers.mapping import Alias, Contact, Mapped
from app.conversions.providers.track import (
    DEFAULT_EVENT_NAME,
    TrackLead,
    TrackRefund,
    TrackSale,
    lead,
    refund,
    sale,
)
from app.conversions.reassignments import TYPE as REASSIGNED
from app.conversions.reassignments import Reassigning
from app.conversions.who_brought import Clicked, CodeText, ReferrerIn, SelfReported
from app.core.events import Dispute, Line, Named
from app.core.identity import person_name
from app.core.money import MAX_AMOUNT
from app.core.sales import DUPLICATE
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

MAX_AHEAD: Final = timedelta(minutes=5)
"""How far a sender's clock may be ahead of ours."""

Metadata = Annotated[dict[str, str | int | bool | None], Field(max_length=50)]


class AliasIn(In):
    """Another name of the customer: `stripe:` and a `cus_…`, say, or `own` and your own id."""

    namespace: Namespace = Field(examples=["stripe:"])
    external_id: ExternalId = Field(examples=["cus_NffrFeUfNV2Hib"])

    def alias(self) -> Alias:
        return Alias(self.namespace, self.external_id)


class LeadIn(Clicked):
    """A sign-up or another step before money. Key: the customer and the event's name."""

    customer_external_id: ExternalId = Field(examples=["user-17"])
    customer_aliases: Annotated[list[AliasIn], Field(max_length=20)] = []  # noqa: RUF012
    code: CodeText | None = None
    referrer: ReferrerIn | None = None
    self_reported: SelfReported | None = None
    event_name: Annotated[str, StringConstraints(min_length=1, max_length=100)] = DEFAULT_EVENT_NAME
    customer_email: Email | None = None
    customer_name: Annotated[str, StringConstraints(max_length=200)] = ""
    customer_country: Country | None = None
    occurred_at: Instant | None = None
    program_id: ProgramId | None = None
    metadata: Metadata = {}  # noqa: RUF012 (pydantic copies defaults)

    def mapped(self, received_at: datetime) -> Mapped:
        return lead(
            TrackLead(
                customer_external_id=self.customer_external_id,
                received_at=received_at,
                customer_aliases=tuple(a.alias() for a in self.customer_aliases),
                click_ids=self.tokens,
                code=self.code or "",
                referrer=self.referrer.named if self.referrer else None,
                self_reported=self.self_reported.named if self.self_reported else "",
                heard_from=self.self_reported.answer if self.self_reported else "",
                event_name=self.event_name,
                customer_email=self.customer_email or "",
                customer_name=self.customer_name,
                customer_country=self.customer_country or "",
                occurred_at=self.occurred_at,
                program_id=self.program_id,
            )
        )


class LineIn(In):
    """One product of a sale. amount: its part of the sale's amount, minor units."""

    product_id: ExternalId
    amount: Annotated[int, Field(strict=True, ge=-MAX_AMOUNT, le=MAX_AMOUNT)]
    quantity: Annotated[int, Field(strict=True, ge=0, le=1_000_000_000)] = 1


class SaleIn(Clicked):
    """A paid invoice. Key: the invoice. amount: what commissions are worked out on."""

    customer_external_id: ExternalId = Field(examples=["user-17"])
    customer_aliases: Annotated[list[AliasIn], Field(max_length=20)] = []  # noqa: RUF012
    amount: Annotated[Amount, Field(ge=1)]
    currency: Currency
    invoice_id: ExternalId = Field(examples=["INV-2026-0001"])
    code: CodeText | None = None
    self_reported: SelfReported | None = None
    product_id: ExternalId | None = None
    quantity: Annotated[int, Field(strict=True, ge=1, le=1_000_000_000)] | None = None
    lines: Annotated[list[LineIn], Field(max_length=100)] = []  # noqa: RUF012 (pydantic)
    subscription_id: ExternalId | None = None
    customer_country: Country | None = None
    occurred_at: Instant | None = None
    program_id: ProgramId | None = None
    metadata: Metadata = {}  # noqa: RUF012 (pydantic copies defaults)

    @model_validator(mode="after")
    def _lines_sum(self) -> Self:
        if self.lines and sum(line.amount for line in self.lines) != self.amount:
            raise ValueError("the lines do not sum to the amount")
        if self.lines and self.product_id is not None:
            raise ValueError("send product_id or lines, not both")
        return self

    def mapped(self, received_at: datetime) -> Mapped:
        return sale(
            TrackSale(
                customer_external_id=self.customer_external_id,
                amount=self.amount,
                currency=self.currency,
                invoice_id=self.invoice_id,
                received_at=received_at,
                customer_aliases=tuple(a.alias() for a in self.customer_aliases),
                click_ids=self.tokens,
                code=self.code or "",
                self_reported=self.self_reported.named if self.self_reported else "",
                heard_from=self.self_reported.answer if self.self_reported else "",
                product_id=self.product_id or "",
                quantity=self.quantity,
                lines=tuple(Line(x.product_id, x.amount, x.quantity) for x in self.lines),
                subscription_id=self.subscription_id or "",
                customer_country=self.customer_country or "",
                occurred_at=self.occurred_at,
                program_id=self.program_id,
            )
        )


class RefundIn(In):
    """Money that went back. With refund_id the amount is that refund's own; without, the total."""

    invoice_id: ExternalId
    amount_refunded: Amount
    currency: Currency
    refund_id: ExternalId | None = None
    occurred_at: Instant | None = None

    def mapped(self, received_at: datetime) -> Mapped:
        return refund(
            TrackRefund(
                invoice_id=self.invoice_id,
                amount_refunded=self.amount_refunded,
                currency=self.currency,
                received_at=received_at,
                refund_id=self.refund_id or "",
                occurred_at=self.occurred_at,
            )
        )


class KnownAlias(In):
    """A name that some source gave a customer, in whatever form it takes there."""

    namespace: str
    external_id: str


class Joining(In):
    """As stored: a customer, by a name that it has, gets another one."""

    known: KnownAlias
    alias: AliasIn

    def mapped(self, received_at: datetime) -> Mapped:
        known = Alias(self.known.namespace, self.known.external_id)
        names = (known, self.alias.alias())
        return Mapped(
            external_id="alias:" + ":".join(person_name(a.namespace, a.external_id) for a in names),
            kind="named",
            occurred_at=received_at,
            body=Named(),
            contact=Contact(names),
            type="customer.alias",
        )


class Referring(In):
    """As stored: who is named as the referrer of a customer became a partner of a program."""

    known: KnownAlias
    partner_id: PartnerId
    program_id: ProgramId

    def mapped(self, received_at: datetime) -> Mapped:
        known = Alias(self.known.namespace, self.known.external_id)
        who = person_name(known.namespace, known.external_id)
        return Mapped(
            external_id=f"referrer:{self.partner_id}:{self.program_id}:{who}",
            kind="named",
            occurred_at=received_at,
            body=Named(),
            contact=Contact((known,)),
            type="customer.referrer",
        )


class Verdict(In):
    """As stored: whether a sale is another one told again. number: of the verdicts on it."""

    key: str
    gross: int
    currency: str
    duplicate: bool
    number: int

    def mapped(self, received_at: datetime) -> Mapped:
        state: Literal["won", "lost"] = "lost" if self.duplicate else "won"
        return Mapped(
            external_id=f"verdict:{self.number}:{self.key}",
            kind="dispute",
            occurred_at=received_at,
            body=Dispute(DUPLICATE, self.gross, self.currency, state),
            payments=(self.key,),
            type="conversion.verdict",
        )


TrackIn = (
    LeadIn | SaleIn | RefundIn | Joining | Referring | DealLink | CodeKnown | Verdict
    | ImportedCustomer | ImportedSale | Reassigning
)  # fmt: skip
BY_TYPE: Final[dict[str, type[TrackIn]]] = {
    "track.lead": LeadIn,
    "track.sale": SaleIn,
    "track.refund": RefundIn,
    "customer.alias": Joining,
    "customer.referrer": Referring,
    DEAL_LINKED: DealLink,
    CODE_KNOWN: CodeKnown,
    "conversion.verdict": Verdict,
    REASSIGNED: Reassigning,
    CUSTOMER: ImportedCustomer,
    SALE: ImportedSale,
}
"""How a stored body of ours is read again."""
