"""Chargebee's amounts in ISO 4217 minor units, and a base shared over an invoice's lines.

Chargebee counts in hundredths, but for currencies without minor units, which it counts whole. So
the dinars and rials that ISO gives three decimals have two here.
Source: apidocs.chargebee.com, currencies (amounts "in cents"; `…_in_decimal` is not needed).
"""

from typing import Final

from app.conversions.providers.shapes import Node
from app.conversions.providers.weighing import shared
from app.core.currencies import EXPONENTS
from app.core.events import Line
from app.core.money import MAX_AMOUNT

_MOST_DECIMALS: Final = 2


def in_minor_units(node: Node, name: str, currency: str) -> int:
    """An amount, zero or more, in ISO minor units. None sent is none: zero is the default."""
    amount = (node.whole(name) or 0) * _iso_units(currency)
    if amount > MAX_AMOUNT:
        raise node.wrong(name, f"over {MAX_AMOUNT} minor units")
    return amount


def invoice_lines(invoice: Node, base: int) -> tuple[tuple[Line, ...], bool]:
    """The invoice's lines sharing the base exactly, and whether they tell the whole sale.

    Of a long invoice only the first lines come; these, and lines that don't add up to anything,
    can't be weighed: no lines then, and the sale is decided on its total.
    """
    rows = invoice.nodes("line_items")
    taxed = invoice.text("price_type") == "tax_inclusive"
    weights = tuple(_net(row, taxed=taxed) for row in rows)
    if "line_items_next_offset" in invoice or sum(weights) <= 0:
        return (), False
    amounts = shared(base, weights)
    if max(amounts) > MAX_AMOUNT or min(amounts) < -MAX_AMOUNT:
        return (), False
    named = zip(rows, amounts, strict=True)
    return tuple(Line(row.text("entity_id"), amount, _quantity(row)) for row, amount in named), True


def _iso_units(currency: str) -> int:
    """How many ISO minor units Chargebee's unit is."""
    return int(10 ** max(0, EXPONENTS[currency] - _MOST_DECIMALS))


def _net(row: Node, *, taxed: bool) -> int:
    """A line less its discounts, those of the whole invoice too, and the tax it includes."""
    amount = row.whole("amount", least=-MAX_AMOUNT)
    if amount is None:
        raise row.wrong("amount", "missing")
    less = row.whole("discount_amount", least=-MAX_AMOUNT) or 0
    tax = row.whole("tax_amount", least=-MAX_AMOUNT) or 0
    return amount - less - (tax if taxed else 0)


def _quantity(row: Node) -> int:
    found = row.whole("quantity")
    return 1 if found is None else found
