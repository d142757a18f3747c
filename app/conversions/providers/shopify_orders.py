"""Shopify's orders and refunds: one order is one sale, whichever topic tells it.

An order's body says whether it is paid, so `orders/create`, `orders/paid` and `orders/updated` are
read alike: the same sale, dated by the order, or what has been refunded of it until now.
"""

import re
from fractions import Fraction
from typing import Final

from app.conversions.providers.mapping import Contact, Ignored, Mapped
from app.conversions.providers.shapes import Node, click_ids, distinct
from app.conversions.providers.shopify_money import Purse, base_of, order_lines
from app.conversions.providers.shopify_shapes import Message, named_values
from app.core.countries import COUNTRIES
from app.core.currencies import EXPONENTS
from app.core.events import Body, Kind, Named, Payment, Refund, RefundTotal

PAID: Final = frozenset({"paid", "partially_refunded", "refunded"})
"""`financial_status` of an order whose money is there, or was. Not: pending, authorized,
partially_paid, voided, expired."""

_INVOICE: Final = 3
_LANDED: Final = re.compile(r"[?&]click_id=([A-Za-z0-9_-]{60})(?![A-Za-z0-9_-])")


def order(message: Message) -> Mapped | Ignored:
    """A sale once it is paid; what went back of it, once something did; at least its touches."""
    thing = message.thing
    number = thing.needed_number("id")
    noted = named_values(thing, "note_attributes")
    clicks = click_ids(noted, reference=_landed(thing))
    codes = distinct(code for row in thing.nodes("discount_codes") if (code := row.text("code")))
    owns = noted.text("finderfee_customer_id")
    body, kind, times = _told(message)
    if isinstance(body, Named) and not (clicks or codes or owns):
        return message.ignored()
    return Mapped(
        external_id=_version(message),
        kind=kind,
        occurred_at=message.dated(*times),
        body=body,
        click_ids=clicks,
        codes=() if kind == "refund_total" else codes,
        payments=message.order_key(number),
        country=_country(thing),
        contact=_buyer(message, number, owns),
        type=message.topic,
    )


def refund(message: Message) -> Mapped | Ignored:
    """The money that a refund gave back. Goods taken back without money change nothing.

    Tax is in the amount, as it is in the gross of the sale: the share that is reversed is gross
    refunded ÷ gross paid.
    """
    thing = message.thing
    gone = _given_back(thing)
    if not gone:
        return message.ignored()
    currency = gone[0].currency("currency")
    if len({row.currency("currency") for row in gone}) > 1:
        raise thing.wrong("transactions", "in several currencies")
    amount = sum((_amount(row) for row in gone), Fraction(0))
    return Mapped(
        external_id=message.external_id,
        kind="refund",
        occurred_at=message.dated("processed_at", "created_at"),
        body=Refund(
            refund_id=message.scoped("refund", thing.needed_number("id")),
            amount=thing.exact("transactions", amount, currency),
            currency=currency,
            counts=True,
        ),
        payments=message.order_key(thing.needed_number("order_id")),
        type=message.topic,
    )


def _version(message: Message) -> str:
    """The message's id behind the time of the order's state: all states of an order are one sale
    of one date, and of those the newest figures win.
    """
    at = message.thing.moment("updated_at")
    return f"{at:%Y-%m-%dT%H:%M:%SZ}:{message.external_id}" if at else message.external_id


def is_test(thing: Node) -> bool | None:
    """Whether an order, or a refund by its transactions, was a test; None if it doesn't say."""
    said = [node.fields.get("test") for node in (thing, *thing.nodes("transactions"))]
    told = [value for value in said if isinstance(value, bool)]
    return any(told) if told else None


def _told(message: Message) -> tuple[Body, Kind, tuple[str, ...]]:
    """What an order tells, and which of its fields say when.

    Once money went back, the message is about that: removing a line from a paid order lowers its
    total and gives the money back, which would count twice.
    """
    thing = message.thing
    purse = Purse.of(thing)
    if refunded := _refunded(thing, purse):
        total = RefundTotal(amount=refunded, currency=purse.currency)
        return total, "refund_total", ("updated_at", "created_at")
    gross = purse.minor(thing, "total_price")
    if gross == 0 or thing.text("financial_status") not in PAID:
        return Named(), "named", ("processed_at", "created_at")
    base = base_of(thing, purse, with_tax=message.with_tax)
    lines, complete = order_lines(thing, purse, base, with_tax=message.with_tax)
    payment = Payment(
        authority=_INVOICE,
        gross=gross,
        base=base,
        currency=purse.currency,
        lines=lines,
        lines_complete=complete,
        quantity=max(1, sum(line.quantity for line in lines)),
    )
    return payment, "payment", ("processed_at", "created_at")


def _refunded(thing: Node, purse: Purse) -> int:
    """All that went back until now, minor units of the sale's money.

    What a gateway returned in the shop's money is taken by the order's own rate, rounded once.
    """
    gone = [row for one in thing.nodes("refunds") for row in _given_back(one)]
    found = {row.currency("currency") for row in gone}
    if found - {purse.currency, purse.shop}:
        raise thing.wrong("refunds", "in a currency that is not the order's")
    rates = {purse.shop: purse.rate, purse.currency: Fraction(1)}
    whole = sum((_amount(row) * rates[row.currency("currency")] for row in gone), Fraction(0))
    if found <= {purse.currency}:
        return thing.exact("refunds", whole, purse.currency)
    return int(round(whole, EXPONENTS[purse.currency]) * Fraction(10) ** EXPONENTS[purse.currency])


def _given_back(refunded: Node) -> list[Node]:
    """The transactions that moved money: not those that failed, wait or void an authorization."""
    return [
        row
        for row in refunded.nodes("transactions")
        if row.text("kind") == "refund" and row.text("status") == "success"
    ]


def _amount(row: Node) -> Fraction:
    amount = row.decimal("amount")
    if amount is None or amount < 0:
        raise row.wrong("amount", "missing" if amount is None else "negative")
    return amount


def _landed(thing: Node) -> str | None:
    """The click that brought the buyer to the shop, by the address where the visit began."""
    address = thing.fields.get("landing_site")
    found = _LANDED.search(address) if isinstance(address, str) else None
    return found.group(1) if found else None


def _buyer(message: Message, number: str, owns: str) -> Contact:
    """A guest without a customer is known by the order alone."""
    thing = message.thing
    customer = thing.node("customer")
    found = customer.number("id") or f"order-{number}"
    names = (customer.text("first_name"), customer.text("last_name"))
    return Contact(
        message.aliases(found, owns),
        email=thing.text("email") or thing.text("contact_email") or customer.text("email"),
        name=" ".join(name for name in names if name),
    )


def _country(thing: Node) -> str:
    """Where the buyer is billed, else where it is sent to, else where the customer lives."""
    places = (
        thing.node("billing_address"),
        thing.node("shipping_address"),
        thing.node("customer").node("default_address"),
    )
    return next((code for place in places if (code := country_code(place))), "")


def country_code(address: Node) -> str:
    code = address.fields.get("country_code")
    return code if isinstance(code, str) and code in COUNTRIES else ""
