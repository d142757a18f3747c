"""What our own `/v1/track/*` requests mean. The edge has checked them; here they become events.

An invoice id is the client's own, so a sale's key is its invoice, as with a provider's.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, TypeVar
from uuid import UUID

from app.conversions.providers.mapping import Alias, Contact, Mapped
from app.core.events import Lead, Line, Payment, Refund, RefundTotal
from app.core.identity import person_name

T = TypeVar("T")
OWN: Final = "own"
IMPORTED: Final = "imported"
OWN_SOURCES: Final = frozenset({"api", IMPORTED})
"""Of events that no billing system sent."""
DEFAULT_EVENT_NAME: Final = "lead"
_INVOICE_AUTHORITY: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackLead:
    """`POST /v1/track/lead`. received_at stands in for a missing occurred_at.

    code: as the buyer typed it. referrer: a partner, or a customer by a name of its own.
    self_reported, heard_from: who brought it as the customer says, and in which words.
    """

    customer_external_id: str
    received_at: datetime
    customer_aliases: tuple[Alias, ...] = ()
    click_ids: tuple[str, ...] = ()
    code: str = ""
    referrer: UUID | Alias | None = None
    self_reported: UUID | str = ""
    heard_from: str = ""
    event_name: str = DEFAULT_EVENT_NAME
    customer_email: str = ""
    customer_name: str = ""
    customer_country: str = ""
    occurred_at: datetime | None = None
    program_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackSale:
    """`POST /v1/track/sale`. amount: minor units, gross and base at once.

    lines, where given, sum to the amount (the edge refuses others); product_id without lines
    makes one line of the whole amount. quantity: that of the lines, else 1.
    """

    customer_external_id: str
    amount: int
    currency: str
    invoice_id: str
    received_at: datetime
    customer_aliases: tuple[Alias, ...] = ()
    click_ids: tuple[str, ...] = ()
    code: str = ""
    self_reported: UUID | str = ""
    heard_from: str = ""
    product_id: str = ""
    quantity: int | None = None
    lines: tuple[Line, ...] = ()
    subscription_id: str = ""
    customer_country: str = ""
    occurred_at: datetime | None = None
    program_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackRefund:
    """`POST /v1/track/refund`. With refund_id its own amount, else all refunded until now."""

    invoice_id: str
    amount_refunded: int
    currency: str
    received_at: datetime
    refund_id: str = ""
    occurred_at: datetime | None = None


def lead(track: TrackLead) -> Mapped:
    """Key: the customer, as sent and hashed, and the event's name."""
    who = person_name(OWN, track.customer_external_id)
    return Mapped(
        external_id=f"lead:{who}:{track.event_name}",
        kind="lead",
        occurred_at=track.occurred_at or track.received_at,
        body=Lead(event_name=track.event_name),
        click_ids=_distinct(track.click_ids),
        codes=_given(track.code),
        referrers=_given(track.referrer),
        self_reported=_given(track.self_reported),
        country=track.customer_country,
        contact=Contact(
            own_aliases(track.customer_external_id, track.customer_aliases),
            email=track.customer_email,
            name=track.customer_name,
            heard_from=track.heard_from,
        ),
        program_ids=_given(track.program_id),
        type="track.lead",
    )


def sale(track: TrackSale) -> Mapped:
    """Key: the invoice."""
    lines = track.lines
    if not lines and track.product_id:
        lines = (Line(track.product_id, track.amount, track.quantity or 1),)
    quantity = track.quantity or sum(line.quantity for line in lines) or 1
    subscription = subscription_key(track.subscription_id) if track.subscription_id else ""
    return Mapped(
        external_id=f"sale:{track.invoice_id}",
        kind="payment",
        occurred_at=track.occurred_at or track.received_at,
        body=Payment(
            authority=_INVOICE_AUTHORITY,
            gross=track.amount,
            base=track.amount,
            currency=track.currency,
            lines=lines,
            quantity=quantity,
            subscription=subscription,
        ),
        click_ids=_distinct(track.click_ids),
        codes=_given(track.code),
        self_reported=_given(track.self_reported),
        payments=(invoice_key(track.invoice_id),),
        country=track.customer_country,
        contact=Contact(
            own_aliases(track.customer_external_id, track.customer_aliases),
            heard_from=track.heard_from,
        ),
        program_ids=_given(track.program_id),
        type="track.sale",
    )


def refund(track: TrackRefund) -> Mapped:
    """Key: the refund's id; without one, all that was said, so that each total is news once."""
    if track.refund_id:
        return Mapped(
            external_id=f"refund:{track.refund_id}",
            kind="refund",
            occurred_at=track.occurred_at or track.received_at,
            body=Refund(
                refund_id=f"{OWN}::refund:{track.refund_id}",
                amount=track.amount_refunded,
                currency=track.currency,
                counts=True,
            ),
            payments=(invoice_key(track.invoice_id),),
            type="track.refund",
        )
    said_at = track.occurred_at.astimezone(UTC).isoformat() if track.occurred_at else ""
    return Mapped(
        external_id=f"refund_total:{track.invoice_id}:{track.amount_refunded}:{said_at}",
        kind="refund_total",
        occurred_at=track.occurred_at or track.received_at,
        body=RefundTotal(
            amount=track.amount_refunded,
            currency=track.currency,
            dated=track.occurred_at is not None,
        ),
        payments=(invoice_key(track.invoice_id),),
        type="track.refund",
    )


def subscription_key(subscription_id: str) -> str:
    return f"{OWN}::subscription:{subscription_id}"


def invoice_key(invoice_id: str) -> str:
    return f"{OWN}::invoice:{invoice_id}"


def own_aliases(external_id: str, others: tuple[Alias, ...]) -> tuple[Alias, ...]:
    """The client's own id of a customer first, then what else it is called."""
    return tuple(dict.fromkeys((Alias(OWN, external_id), *others)))


def _given(value: T | None) -> tuple[T, ...]:
    """What was given, if it was: an empty text is nothing."""
    return (value,) if value else ()


def _distinct(click_ids: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(click_ids))
