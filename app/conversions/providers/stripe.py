"""Stripe: which events to ask for, whether a request is theirs, and what its body means."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from types import MappingProxyType
from typing import Final

from stripe import WebhookSignature

from app.conversions.providers import (
    stripe_disputes,
    stripe_people,
    stripe_refunds,
    stripe_sales,
    stripe_ties,
)
from app.conversions.providers.mapping import Ignored, Mapped, Meaning
from app.conversions.providers.reading import ignored, of_other_mode, read_message
from app.conversions.providers.shapes import Node
from app.conversions.providers.stripe_shapes import Envelope

TOLERANCE_S: Final = 300
_HEADER: Final = "stripe-signature"

_READERS: Final[Mapping[str, Callable[[Envelope], Mapped | Ignored]]] = MappingProxyType(
    {
        "checkout.session.completed": stripe_sales.session,
        "checkout.session.async_payment_succeeded": stripe_sales.session,
        "customer.created": stripe_people.customer,
        "customer.updated": stripe_people.customer,
        "customer.discount.created": stripe_people.discount,
        "customer.subscription.created": stripe_people.subscription,
        "customer.subscription.updated": stripe_people.subscription,
        "customer.subscription.deleted": stripe_people.subscription_deleted,
        "invoice.paid": stripe_sales.invoice,
        "invoice_payment.paid": stripe_ties.invoice_payment,
        "payment_intent.succeeded": stripe_sales.payment_intent,
        "charge.succeeded": stripe_ties.charge,
        "charge.updated": stripe_ties.charge,
        "charge.refunded": stripe_refunds.charge_refunded,
        "charge.refund.updated": stripe_refunds.refund,
        "charge.dispute.created": stripe_disputes.dispute,
        "charge.dispute.updated": stripe_disputes.dispute,
        "charge.dispute.closed": stripe_disputes.dispute,
        "charge.dispute.funds_withdrawn": stripe_disputes.dispute,
        "charge.dispute.funds_reinstated": stripe_disputes.dispute,
        "credit_note.created": stripe_refunds.credit_note,
        "credit_note.updated": stripe_refunds.credit_note,
        "credit_note.voided": stripe_refunds.credit_note,
        "refund.created": stripe_refunds.refund,
        "refund.updated": stripe_refunds.refund,
        "refund.failed": stripe_refunds.refund,
    }
)

EVENT_TYPES: Final = tuple(_READERS)
"""What to switch on at the provider."""


def verify(
    headers: Mapping[str, str], body: bytes, secrets: Sequence[str], *, now: datetime
) -> bool:
    """Whether one of the secrets signed this body within 300 s of now, before or after.

    Several secrets, because the old one goes on signing for a while when it is rolled.
    """
    header = next((text for name, text in headers.items() if name.lower() == _HEADER), "")
    if not _signed_near(header, now.timestamp()):
        return False
    return any(_signed_with(secret, header, body) for secret in secrets)


def read(body: bytes, *, live: bool, received_at: datetime, with_tax: bool = False) -> Meaning:
    """What a stored body means. Never raises: what is not Stripe's is Senseless.

    live: the workspace's mode; events of the other one are ignored. with_tax: whether commissions
    are worked out on amounts with their tax.
    """
    return read_message(
        body,
        id_name="id",
        type_name="type",
        types=_READERS,
        read_event=partial(_read_event, live=live, received_at=received_at, with_tax=with_tax),
    )


def _signed_near(header: str, now_s: float) -> bool:
    """Whether the header's one `t` lies within the tolerance on both sides.

    The library takes the first of several and looks at the past only, so neither is left to it.
    """
    stamps = [pair.split("=")[1:] for pair in header.split(",") if pair.split("=")[0] == "t"]
    if len(stamps) != 1 or len(stamps[0]) != 1:
        return False
    text = stamps[0][0]
    if not (text.isascii() and text.isdigit() and len(text) <= 12):
        return False
    return abs(now_s - int(text)) <= TOLERANCE_S


def _signed_with(secret: str, header: str, body: bytes) -> bool:
    try:
        return bool(WebhookSignature.verify_header(body, header, secret))
    except Exception:  # noqa: BLE001 - malformed headers raise ValueError, TypeError and others
        return False


def _read_event(
    message: Node, external_id: str, *, live: bool, received_at: datetime, with_tax: bool
) -> Meaning:
    event_type = message.needed_id("type")
    if (livemode := message.flag("livemode")) != live:
        return of_other_mode(external_id, event_type, livemode=livemode)
    reader = _READERS.get(event_type)
    if reader is None:
        return ignored(external_id, event_type)
    created_at = message.instant("created")
    if created_at is None:
        raise message.wrong("created", "missing")
    holder = message.node("data")
    if "object" not in holder:
        raise holder.wrong("object", "missing")
    return reader(
        Envelope(
            message=message,
            external_id=external_id,
            type=event_type,
            account=message.id("account"),
            created_at=created_at,
            received_at=received_at,
            thing=holder.node("object"),
            with_tax=with_tax,
        )
    )
