"""Paddle's adjustments: what happened to a transaction after it was billed, by `action`.

A credit moves no money: it lowers the grand total of this transaction while it is unpaid, or of a
later one. A warning may become a chargeback, and then comes again as one.
Source: Paddle's documents of the adjustment entity and of credit balances.
"""

from typing import Literal

from app.conversions.providers.mapping import Contact, Ignored, Mapped
from app.conversions.providers.paddle_shapes import Notification, scoped
from app.core.events import Body, Dispute, Refund

State = Literal["open", "won", "lost"]


def adjustment(event: Notification) -> Mapped | Ignored:
    """One adjustment in one state."""
    match event.thing.text("action"):
        case "refund" if event.with_tax or not _of_tax_alone(event):
            return _about(event, _refund(event))
        case "chargeback":
            return _about(event, _dispute(event, _chargeback_state(event)))
        case "chargeback_reverse" if event.thing.text("status") in ("", "approved"):
            return _about(event, _dispute(event, "won"))
        case "":
            raise event.thing.wrong("action", "missing")
        case _:
            return event.ignored()


def _about(event: Notification, body: Refund | Dispute) -> Mapped:
    thing = event.thing
    told: Body = body
    return event.mapped(
        "refund" if isinstance(body, Refund) else "dispute",
        told,
        Contact(event.aliases(thing.id("customer_id"))),
        transaction=thing.needed_id("transaction_id"),
    )


def _refund(event: Notification) -> Refund:
    """It counts once it is approved; most of them wait for Paddle's review."""
    thing = event.thing
    return Refund(
        refund_id=scoped("adjustment", thing.needed_id("id")),
        amount=thing.node("totals").needed_digits("total"),
        currency=thing.currency("currency_code"),
        counts=thing.text("status") == "approved",
    )


def _of_tax_alone(event: Notification) -> bool:
    """Buyers who tell their VAT number later get the tax back, of which nobody earned anything."""
    totals = event.thing.node("totals")
    return "subtotal" in totals and totals.needed_digits("subtotal") == 0


def _dispute(event: Notification, state: State) -> Dispute:
    """A reverse is an adjustment of its own that names nothing but the transaction.

    Therefore a transaction has one dispute, in its newest state.
    """
    thing = event.thing
    return Dispute(
        dispute_id=scoped("dispute", thing.needed_id("transaction_id")),
        amount=thing.node("totals").needed_digits("total"),
        currency=thing.currency("currency_code"),
        state=state,
    )


def _chargeback_state(event: Notification) -> State:
    """Approved is lost: Paddle makes a chargeback when the customer has got the money back."""
    match event.thing.text("status"):
        case "pending_approval":
            return "open"
        case "rejected" | "reversed":
            return "won"
        case _:
            return "lost"
