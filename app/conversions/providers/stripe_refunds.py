"""Stripe's refunds: each object in its newest state, and the total that a charge has seen.

Both are dated by the event, which is when they were observed: the newest observation wins.
"""

from typing import Final

from app.conversions.providers.mapping import Contact, Ignored, Mapped
from app.conversions.providers.stripe_money import currency_of, in_minor_units
from app.conversions.providers.stripe_shapes import Envelope
from app.conversions.providers.stripe_ties import charge_keys, ignored
from app.core.events import Refund, RefundTotal

COUNTS: Final = frozenset({"pending", "succeeded"})


def refund(event: Envelope) -> Mapped | Ignored:
    """One refund object. It counts while pending or succeeded, not once failed or canceled.

    One that names no payment gives back a customer's cash balance: nothing that was sold.
    """
    thing = event.thing
    payments = event.keys(
        ("payment_intent", thing.id("payment_intent")),
        ("charge", thing.id("charge")),
    )
    if not payments:
        return ignored(event)
    currency = currency_of(thing)
    return Mapped(
        external_id=event.external_id,
        kind="refund",
        occurred_at=event.known_at(),
        body=Refund(
            refund_id=event.scoped("refund", thing.needed_id("id")),
            amount=in_minor_units(thing, "amount", currency),
            currency=currency,
            counts=thing.text("status") in COUNTS,
        ),
        payments=payments,
        contact=Contact(event.aliases(event.buyer())),
        type=event.type,
    )


def charge_refunded(event: Envelope) -> Mapped:
    """All that went back of a charge until now."""
    thing = event.thing
    currency = currency_of(thing)
    return Mapped(
        external_id=event.external_id,
        kind="refund_total",
        occurred_at=event.known_at(),
        body=RefundTotal(
            amount=in_minor_units(thing, "amount_refunded", currency),
            currency=currency,
        ),
        payments=charge_keys(event),
        contact=Contact(event.aliases(event.buyer())),
        type=event.type,
    )
