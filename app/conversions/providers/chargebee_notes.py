"""Chargebee's credit notes: what went back of an invoice.

A refundable note says in `amount_refunded` how much was paid out of it; what is kept as credit
lowers a later invoice's `amount_paid` instead. Notes that adjust an unpaid invoice move no money.
Source: apidocs.chargebee.com, credit notes; enumerations of Chargebee's Python library.
"""

from app.conversions.providers.chargebee_money import in_minor_units
from app.conversions.providers.chargebee_shapes import Occurrence, needed, scoped
from app.conversions.providers.mapping import Ignored, Mapped
from app.conversions.providers.shapes import Node
from app.core.events import Body, Dispute, Refund


def credit_note(event: Occurrence) -> Mapped | Ignored:
    """One note in one state. A refund event without its note is told by the note's own events."""
    thing = event.content.node("credit_note")
    number = thing.text("reference_invoice_id")
    if thing.text("type") != "refundable" or not number:
        return event.ignored()
    body: Body = _chargeback(thing) if _is_chargeback(thing) else _refund(thing)
    return event.mapped(
        "dispute" if isinstance(body, Dispute) else "refund",
        body,
        event.contact(thing.text("customer_id")),
        occurred_at=event.version_at(thing),
        invoice=number,
    )


def _refund(thing: Node) -> Refund:
    currency = thing.currency("currency_code")
    return Refund(
        refund_id=scoped("credit_note", needed(thing, "id")),
        amount=in_minor_units(thing, "amount_refunded", currency),
        currency=currency,
        counts=_stands(thing),
    )


def _chargeback(thing: Node) -> Dispute:
    """Lost, as Chargebee makes the note when the bank took the money; voided, it is ours again.

    (Chargebee's own disputes have no events.)
    """
    currency = thing.currency("currency_code")
    return Dispute(
        dispute_id=scoped("credit_note", needed(thing, "id")),
        amount=in_minor_units(thing, "total", currency),
        currency=currency,
        state="lost" if _stands(thing) else "won",
    )


def _is_chargeback(thing: Node) -> bool:
    """By the reason's code, or by the word that replaces it, which people may set."""
    reasons = (thing.text("reason_code"), thing.text("create_reason_code"))
    return any(reason.casefold() == "chargeback" for reason in reasons)


def _stands(thing: Node) -> bool:
    return thing.text("status") != "voided" and thing.fields.get("deleted") is not True
