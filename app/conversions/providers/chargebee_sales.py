"""Chargebee's invoices: a sale once they are paid, whichever event says so.

Gross is `amount_paid`: what was collected, without credits of earlier invoices. Base is its untaxed
part, `amount_paid` × (`total` − `tax`) ÷ `total`. Several events tell one invoice's payment
(`payment_succeeded`, `invoice_updated`, …), all in the same words.
Source: apidocs.chargebee.com, invoices (`amount_paid`, `price_type`, `line_items`, `discounts`).
"""

from typing import Final

from app.conversions.providers.chargebee_money import in_minor_units, invoice_lines
from app.conversions.providers.chargebee_shapes import Occurrence, needed, scoped
from app.conversions.providers.mapping import Ignored, Mapped
from app.conversions.providers.shapes import Node, distinct, in_time
from app.core.events import Payment, Refund, Tie
from app.core.money import MAX_AMOUNT, share

INVOICE: Final = 3
_COUPONS: Final = frozenset({"item_level_coupon", "document_level_coupon"})


def invoice(event: Occurrence) -> Mapped | Ignored:
    """Not paid yet: nothing. Paid by nothing but credits, or free: names and touches."""
    thing = event.content.node("invoice")
    if thing.text("status") != "paid" or thing.fields.get("deleted") is True:
        return event.ignored()
    number = needed(thing, "id")
    contact = event.contact(thing.text("customer_id"), otherwise=number)
    sale = _sale(event, thing)
    if sale is None:
        return event.mapped("tie", Tie(), contact, invoice=number, codes=_coupons(thing))
    paid_at = thing.instant("paid_at")
    return event.mapped(
        "payment",
        sale,
        contact,
        occurred_at=in_time(paid_at, event.received_at, thing, "paid_at") if paid_at else None,
        invoice=number,
        codes=_coupons(thing),
    )


def transaction(event: Occurrence) -> Mapped | Ignored:
    """Only a payment that bounced: its invoice is not paid, though it was.

    One that was for several invoices doesn't tell how much of each came back.
    """
    thing = event.content.node("transaction")
    invoices = thing.nodes("linked_invoices")
    bounced = thing.text("type") == "payment_reversal" and thing.text("status") == "success"
    if not bounced or len(invoices) != 1:
        return event.ignored()
    currency = thing.currency("currency_code")
    return event.mapped(
        "refund",
        Refund(
            refund_id=scoped("transaction", needed(thing, "id")),
            amount=in_minor_units(thing, "amount", currency),
            currency=currency,
            counts=True,
        ),
        event.contact(thing.text("customer_id")),
        occurred_at=event.version_at(thing),
        invoice=needed(invoices[0], "invoice_id"),
    )


def _sale(event: Occurrence, thing: Node) -> Payment | None:
    currency = thing.currency("currency_code")
    gross = in_minor_units(thing, "amount_paid", currency)
    if gross == 0:
        return None
    total, tax = thing.needed_whole("total"), thing.whole("tax") or 0
    if total == 0:
        raise thing.wrong("total", "zero, though something was paid")
    if tax > total:
        raise thing.wrong("tax", "more than the total")
    base = gross if event.with_tax else share(gross, total - tax, total)
    if base > MAX_AMOUNT:
        raise thing.wrong("total", "makes no base for commissions")
    lines, complete = invoice_lines(thing, base)
    subscription = _subscription(thing)
    return Payment(
        authority=INVOICE,
        gross=gross,
        base=base,
        currency=currency,
        lines=lines,
        lines_complete=complete,
        quantity=max(1, sum(line.quantity for line in lines if line.amount > 0)),
        subscription=scoped("subscription", subscription) if subscription else "",
    )


def _subscription(thing: Node) -> str:
    """The invoice's, or its lines' if they have the same one: a consolidated invoice names none."""
    if found := thing.text("subscription_id"):
        return found
    named = distinct(row.text("subscription_id") for row in thing.nodes("line_items"))
    return named[0] if len(named) == 1 else ""


def _coupons(thing: Node) -> tuple[str, ...]:
    """Discounts by coupon: what the buyer typed, and the coupon's id.

    The first is a code of the coupon's set, or the coupon's id itself.
    """
    coupons = [row for row in thing.nodes("discounts") if row.text("entity_type") in _COUPONS]
    named = [(row.text("entity_id"), row.text("coupon_set_code")) for row in coupons]
    return distinct(
        code
        for coupon, typed in named
        for code in (typed or coupon, f"chargebee:{coupon}" if coupon else "")
        if code
    )
