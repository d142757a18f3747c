"""Paddle's transactions: the sale, its base without tax, and its lines.

`totals` is what was billed and never changes; refunds come as adjustments. `total` is after
discounts and with tax, `grand_total` what is left of it after `credit`: money of an earlier
transaction, or an unpaid amount that was waived.
Sources: Paddle's documents of the transaction entity and changelog of 8 January 2026.
"""

from datetime import datetime
from typing import Final

from app.conversions.providers.mapping import Contact, Mapped
from app.conversions.providers.paddle_shapes import Notification, discount_codes, scoped
from app.conversions.providers.shapes import Node, in_time
from app.conversions.providers.weighing import shared
from app.core.events import Line, Payment, Tie
from app.core.money import MAX_AMOUNT, share

COMPLETED, PAID = 3, 2


def completed(event: Notification) -> Mapped:
    """The sale with the best figures: it knows its subscription."""
    return _transaction(event, COMPLETED)


def paid(event: Notification) -> Mapped:
    """The same sale, a moment earlier, before its subscription is made."""
    return _transaction(event, PAID)


def _transaction(event: Notification, authority: int) -> Mapped:
    """Nothing paid (a trial, or all of it from credits): no sale, but names and touches."""
    thing = event.thing
    number = thing.needed_id("id")
    contact = Contact(event.aliases(thing.id("customer_id") or number))
    codes = discount_codes(thing.id("discount_id"))
    sale = _sale(event, authority)
    if sale is None:
        return event.mapped("tie", Tie(), contact, transaction=number, codes=codes)
    return event.mapped(
        "payment",
        sale,
        contact,
        occurred_at=_sold_at(event),
        transaction=number,
        codes=codes,
    )


def _sale(event: Notification, authority: int) -> Payment | None:
    """Gross is the grand total, base its untaxed part: × (`total` − `tax`) ÷ `total`.

    Paddle's `grand_total_tax` says the same, but on older transactions it is the whole's tax.
    """
    thing = event.thing
    details = thing.node("details")
    totals = details.node("totals")
    total, tax = totals.needed_digits("total"), totals.needed_digits("tax")
    gross = _grand_total(totals, total)
    if gross == 0:
        return None
    if tax > total:
        raise totals.wrong("tax", "more than the total")
    if gross > total:
        raise totals.wrong("grand_total", "more than the total")
    base = gross if event.with_tax else share(gross, total - tax, total)
    lines, complete = _lines(details.nodes("line_items"), base)
    subscription = thing.id("subscription_id")
    return Payment(
        authority=authority,
        gross=gross,
        base=base,
        currency=thing.currency("currency_code"),
        lines=lines,
        lines_complete=complete,
        quantity=max(1, sum(line.quantity for line in lines)),
        subscription=scoped("subscription", subscription) if subscription else "",
    )


def _grand_total(totals: Node, total: int) -> int:
    """Transactions of before June 2023 have none: the total less its credit."""
    if "grand_total" in totals:
        return totals.needed_digits("grand_total")
    credit = totals.needed_digits("credit") if "credit" in totals else 0
    if credit > total:
        raise totals.wrong("credit", "more than the total")
    return total - credit


def _lines(rows: tuple[Node, ...], base: int) -> tuple[tuple[Line, ...], bool]:
    """The lines sharing the base exactly, and whether they tell the whole sale."""
    weights = tuple(_net(row.node("totals")) for row in rows)
    if sum(weights) <= 0:
        return (), False
    amounts = shared(base, weights)
    if max(amounts) > MAX_AMOUNT or min(amounts) < -MAX_AMOUNT:
        return (), False
    named = zip(rows, amounts, strict=True)
    return tuple(
        Line(row.node("product").id("id"), amount, _quantity(row)) for row, amount in named
    ), True


def _net(totals: Node) -> int:
    """A line after its discount and without its tax."""
    total = totals.needed_digits("total", least=-MAX_AMOUNT)
    return total - totals.needed_digits("tax", least=-MAX_AMOUNT)


def _quantity(row: Node) -> int:
    found = row.whole("quantity")
    return 1 if found is None else found


def _sold_at(event: Notification) -> datetime:
    """When the money was there: an invoice is billed weeks before it is paid.

    The last capture, else `billed_at`, else the event's time. Both messages of a sale tell the
    same, so it does not matter which of them came.
    """
    thing = event.thing
    captured = [_capture(attempt) for attempt in thing.nodes("payments")]
    if at := max((at for at in captured if at), default=None):
        return in_time(at, event.received_at, thing, "payments")
    if at := thing.moment("billed_at"):
        return in_time(at, event.received_at, thing, "billed_at")
    return event.known_at()


def _capture(attempt: Node) -> datetime | None:
    return attempt.moment("captured_at") if attempt.text("status") == _CAPTURED else None


_CAPTURED: Final = "captured"
