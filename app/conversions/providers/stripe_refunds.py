"""Stripe's refunds: each object in its newest state, the total that a charge has seen, and what
credit notes give back in other ways.

All are dated by the event, which is when they were observed: the newest observation wins.
"""

from fractions import Fraction
from typing import Final

from app.conversions.providers.mapping import Contact, Ignored, Mapped
from app.conversions.providers.shapes import Node
from app.conversions.providers.stripe_money import (
    currency_of,
    in_minor_units,
    part_in_minor_units,
)
from app.conversions.providers.stripe_shapes import Envelope
from app.conversions.providers.stripe_ties import charge_keys, ignored
from app.core.events import Refund, RefundTotal
from app.core.money import MAX_AMOUNT

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


def credit_note(event: Envelope) -> Mapped | Ignored:
    """What a credit note gave back besides refunds, which come as objects of their own.

    To the customer's balance, say, or outside of Stripe. What it took off before the payment has
    lowered `amount_paid` already. Voided, it counts no more.
    """
    thing = event.thing
    currency = currency_of(thing)
    given = _given_back(thing)
    if given == 0:
        return ignored(event)
    left = max(0, given - _in_refunds(thing, given))
    return Mapped(
        external_id=event.external_id,
        kind="refund",
        occurred_at=event.known_at(),
        body=Refund(
            refund_id=event.scoped("credit_note", thing.needed_id("id")),
            amount=part_in_minor_units(left, Fraction(1), currency),
            currency=currency,
            counts=thing.text("status") != "void",
        ),
        payments=event.keys(("invoice", thing.needed_id("invoice"))),
        contact=Contact(event.aliases(event.buyer())),
        type=event.type,
    )


def _given_back(thing: Node) -> int:
    """After the payment, in Stripe's units. Older API versions tell one amount and its type."""
    if "post_payment_amount" in thing:
        return thing.needed_whole("post_payment_amount")
    return thing.needed_whole("amount") if thing.text("type") == "post_payment" else 0


def _in_refunds(thing: Node, given: int) -> int:
    """How much of it the note's refunds give, in Stripe's units.

    Older API versions name one refund, without an amount unless it came expanded: it is then what
    neither the customer's balance nor anybody outside of Stripe gave.
    """
    if "refunds" in thing:
        return sum(part.needed_whole("amount_refunded") for part in thing.nodes("refunds"))
    if "refund" not in thing:
        return 0
    if isinstance(thing.fields["refund"], dict):
        return thing.node("refund").needed_whole("amount")
    balance = thing.fields.get("customer_balance_transaction")
    on_balance = thing.node("customer_balance_transaction") if isinstance(balance, dict) else None
    credited = -(on_balance.whole("amount", least=-MAX_AMOUNT) or 0) if on_balance else 0
    return given - credited - (thing.whole("out_of_band_amount") or 0)
