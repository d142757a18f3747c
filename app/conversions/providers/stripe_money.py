"""Stripe's amounts in ISO 4217 minor units, and a base shared over the lines of an invoice.

Stripe counts in ISO minor units but for three currencies: ISK and UGX have no minor unit in ISO
and two decimals at Stripe (always multiples of 100), MGA has two in ISO and none at Stripe.
(HUF and TWD differ in payouts only, which we don't read.)
"""

from fractions import Fraction
from typing import Final

from app.conversions.providers.shapes import Node
from app.conversions.providers.weighing import shared
from app.core.currencies import EXPONENTS
from app.core.events import Line
from app.core.money import MAX_AMOUNT, share

STRIPE_EXPONENTS: Final = {"isk": 2, "mga": 0, "ugx": 2}
"""Decimals of Stripe's amounts where they are not ISO's."""

_ISO_PER_STRIPE: Final = {
    code: Fraction(10) ** (EXPONENTS[code] - decimals)
    for code, decimals in STRIPE_EXPONENTS.items()
}


def currency_of(node: Node) -> str:
    """The object's currency, ISO 4217, lower case."""
    code = node.text("currency")
    if code not in EXPONENTS:
        raise node.wrong("currency", "not a currency that we know" if code else "missing")
    return code


def in_minor_units(node: Node, name: str, currency: str) -> int:
    """An amount that must be there, zero or more, exact in ISO minor units."""
    amount = node.needed_whole(name) * _ISO_PER_STRIPE.get(currency, 1)
    if amount.denominator != 1:
        raise node.wrong(name, f"a fraction of the smallest unit of {currency}")
    if amount > MAX_AMOUNT:
        raise node.wrong(name, f"over {MAX_AMOUNT} minor units")
    return int(amount)


def part_in_minor_units(amount: int, of: Fraction, currency: str) -> int:
    """A part of an amount in Stripe's units, rounded once, half to even, in ISO minor units."""
    exact = of * _ISO_PER_STRIPE[currency] if currency in _ISO_PER_STRIPE else of
    return share(amount, exact.numerator, exact.denominator)


def invoice_lines(invoice: Node, base: int) -> tuple[tuple[Line, ...], bool]:
    """The invoice's lines sharing the base exactly, and whether they tell the whole sale.

    Stripe sends the first lines of a long invoice only; these, and lines that don't add up to
    anything, can't be weighed: no lines then, and the sale is decided on its total.
    """
    listed = invoice.node("lines")
    rows = listed.nodes("data")
    weights = tuple(_net(row) for row in rows)
    if listed.fields.get("has_more") or sum(weights) <= 0:
        return (), False
    amounts = shared(base, weights)
    if max(amounts) > MAX_AMOUNT or min(amounts) < -MAX_AMOUNT:
        return (), False
    named = zip(rows, amounts, strict=True)
    return tuple(Line(_product(row), amount, _quantity(row)) for row, amount in named), True


def _net(row: Node) -> int:
    """A line less its discounts and the tax it includes. May be negative: a credit.

    Newer lines list discounts among `pretax_credit_amounts`, tax as `taxes` with a
    `tax_behavior`; older ones have `discount_amounts` and `tax_amounts` with `inclusive`.
    """
    amount = row.whole("amount", least=-MAX_AMOUNT)
    if amount is None:
        raise row.wrong("amount", "missing")
    less = row.nodes("pretax_credit_amounts") or row.nodes("discount_amounts")
    taxes = [tax for tax in row.nodes("taxes") if tax.fields.get("tax_behavior") == "inclusive"]
    older = [tax for tax in row.nodes("tax_amounts") if tax.fields.get("inclusive") is True]
    return amount - sum(
        part.whole("amount", least=-MAX_AMOUNT) or 0 for part in (*less, *(taxes or older))
    )


def _product(row: Node) -> str:
    """Newer: `pricing.price_details.product`; older: the price's or the plan's; else empty."""
    return (
        row.node("pricing").node("price_details").id("product")
        or _held(row, "price")
        or _held(row, "plan")
    )


def _held(row: Node, name: str) -> str:
    """The product inside an expanded price or plan; a bare id tells none."""
    return row.node(name).id("product") if isinstance(row.fields.get(name), dict) else ""


def _quantity(row: Node) -> int:
    found = row.whole("quantity")
    return 1 if found is None else found
