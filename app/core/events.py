"""What a source told us, in our own words: the only thing that the fold reads of the world's news.

One Event is one message. Its body says what happened; its names say whom and which payment it is
about; its touches say who may have brought the customer. No personal data: people are digests.
"""

from datetime import datetime
from typing import Literal
from uuid import UUID

from app.core.records import record


@record
class ClickTouch:
    """A click token that verified. traffic_class: `human`, `duplicate`, `bot`, `head`, …"""

    click_id: UUID
    link_id: UUID
    traffic_class: str
    at: datetime


@record
class InvalidToken:
    """Something came as a click id that is none of ours; it counts nothing and refuses nothing."""

    position: int


@record
class CodeTouch:
    """A referral code as it was used. code: in normal form (`codes.normal`), a `provider:id` of a
    discount there, or empty if it can be neither. at: when the event that tells it occurred.
    """

    code: str
    at: datetime


@record
class ReferrerTouch:
    """Somebody said who referred the customer: a partner, or a customer by the digest of an alias.

    partner_id: None if person tells it. person: `identity.person_name`, or empty.
    """

    partner_id: UUID | None
    person: str
    at: datetime


@record
class DealTouch:
    """A registered lead that turned out to be this customer.

    number: the entry of the deal's history that it tells; of one deal the highest counts. at: when
    it was registered. until: the end of its lock; None once it is won.
    """

    deal_id: UUID
    number: int
    program_id: UUID
    partner_id: UUID
    at: datetime
    until: datetime | None


@record
class SelfReportedTouch:
    """The customer said who brought it: a partner, or by a code in normal form, or empty if that
    can be none. What else it said is personal and no part of an Event.
    """

    partner_id: UUID | None
    code: str
    at: datetime


Touch = ClickTouch | InvalidToken | CodeTouch | ReferrerTouch | DealTouch | SelfReportedTouch


@record
class Line:
    """One product of a sale. amount: its share of the base, minor units, may be negative."""

    product_id: str
    amount: int
    quantity: int


@record
class Lead:
    """A sign-up or another step before money. event_name: the sender's own word for it.

    settled: what it earned was settled by an earlier system; it binds its customer, pays nobody.
    """

    event_name: str
    settled: bool = False


@record
class Payment:
    """A sale as one message describes it.

    authority: whose figures win when several messages describe one sale: 3 the invoice,
    2 the checkout session, 1 the payment intent. gross: what was paid; base: what commissions
    are worked out on; both minor units. subscription: scoped id, or empty. settled: as a lead's.
    """

    authority: int
    gross: int
    base: int
    currency: str
    lines: tuple[Line, ...] = ()
    lines_complete: bool = True
    quantity: int = 1
    subscription: str = ""
    settled: bool = False


@record
class Tie:
    """Ids that name each other, nothing more: an invoice and its payment intent, say."""


@record
class Subscribed:
    """Which subscription a payment is of, where the payment's own messages don't say."""

    subscription: str


@record
class Refund:
    """One refund object in one state. amount: this refund's own; counts: money went back."""

    refund_id: str
    amount: int
    currency: str
    counts: bool


@record
class RefundTotal:
    """All that was refunded of a payment so far. dated: the sender gave the time itself."""

    amount: int
    currency: str
    dated: bool = True


@record
class Dispute:
    """A dispute (chargeback) in one state. amount: what is disputed, minor units.

    While it is open what was earned on the amount is held; lost, the amount went back; won, not.
    An inquiry is none. Of states at one instant a final one is the later.
    """

    dispute_id: str
    amount: int
    currency: str
    state: Literal["open", "won", "lost"]


@record
class Named:
    """Names, touches or a country of a customer became known; nothing was bought."""


@record
class Churn:
    """A subscription ended."""

    subscription: str


@record
class Reassigned:
    """People said whose the customer is from then on: of open and later conversions. The latest
    counts.

    partner_id, program_id: both, or neither, for nobody's. author: the key that said so.
    """

    program_id: UUID | None
    partner_id: UUID | None
    author: UUID


Body = (
    Lead | Payment | Tie | Subscribed | Refund | RefundTotal | Dispute | Named | Churn | Reassigned
)
Kind = Literal[
    "lead",
    "payment",
    "tie",
    "subscribed",
    "refund",
    "refund_total",
    "dispute",
    "named",
    "churn",
    "reassigned",
]


@record
class Event:
    """One message of a source.

    id: our own (UUIDv7), tells arrival, never decides. source: `api`, `imported` or a source's id.
    people: digests of the customer's aliases (`identity.person_name`). payments: keys
    `provider:account:type:id` with type invoice, payment_intent, charge or session.
    program_ids: if given, only these programs may earn. country: ISO 3166-1 alpha-2 or empty.
    """

    id: UUID
    source: str
    external_id: str
    kind: Kind
    occurred_at: datetime
    received_at: datetime
    body: Body
    people: tuple[str, ...] = ()
    payments: tuple[str, ...] = ()
    touches: tuple[Touch, ...] = ()
    country: str = ""
    program_ids: tuple[UUID, ...] = ()

    @property
    def order(self) -> tuple[datetime, str, str, str]:
        """The order that decides: when it happened, then what, whence and which."""
        return (self.occurred_at, self.kind, self.source, self.external_id)
