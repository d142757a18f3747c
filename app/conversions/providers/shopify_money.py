"""Shopify's amounts: decimal text in two currencies, and a base shared over an order's lines.

An order tells each amount in the shop's money and in the buyer's (`presentment_money`). Ours is
the buyer's: it is what was paid, and what refunds and disputes are told in, so that a full refund
is the sale to the cent. The shop's money would differ from it by the day's exchange rate.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Self

from app.conversions.providers.shapes import Node
from app.conversions.providers.weighing import shared
from app.core.events import Line
from app.core.money import MAX_AMOUNT

_ONE: Final = Fraction(1)
_WEIGHT: Final = 10**9
"""Decimals as whole numbers; `Node.decimal` takes nine places at most."""


@dataclass(frozen=True, slots=True)
class Purse:
    """Whose money an order is read in. shop: the shop's currency, in which plain amounts are.

    rate: units of the buyer's money for one of the shop's, by the order's total.
    """

    currency: str
    shop: str
    rate: Fraction

    @classmethod
    def of(cls, order: Node) -> Self:
        """Orders of older API versions have the shop's money alone, and one currency then."""
        shop = order.currency("currency")
        paid = order.node("total_price_set").node("presentment_money")
        if "amount" not in paid:
            return cls(shop, shop, _ONE)
        whole, total = paid.decimal("amount"), order.decimal("total_price")
        return cls(paid.currency("currency_code"), shop, whole / total if whole and total else _ONE)

    def amount(self, node: Node, name: str) -> Fraction:
        """An amount in this money; 0 if there is none."""
        money = node.node(f"{name}_set").node("presentment_money")
        if self.currency != self.shop and "amount" in money:
            if money.currency("currency_code") != self.currency:
                raise money.wrong("currency_code", "not the order's")
            return money.decimal("amount") or Fraction(0)
        plain = node.decimal(name) or Fraction(0)
        if plain and self.currency != self.shop:
            raise node.wrong(f"{name}_set", "missing")
        return plain

    def minor(self, node: Node, name: str) -> int:
        return node.exact(name, self.amount(node, name), self.currency)


def base_of(order: Node, purse: Purse, *, with_tax: bool) -> int:
    """What commissions are worked out on: the total, shipping too, less its tax.

    The total contains the tax, whether prices do or not (`taxes_included`).
    """
    gross = purse.amount(order, "total_price")
    if with_tax:
        return order.exact("total_price", gross, purse.currency)
    return order.exact("total_tax", gross - purse.amount(order, "total_tax"), purse.currency)


def order_lines(
    order: Node, purse: Purse, base: int, *, with_tax: bool
) -> tuple[tuple[Line, ...], bool]:
    """The order's products sharing its base exactly, and whether they tell the whole sale.

    What is no product (shipping, tips) is shared among them. Lines that add up to nothing can't be
    weighed: no lines then, and the order is decided on its total.
    """
    rows = order.nodes("line_items")
    inside = order.fields.get("taxes_included") is True
    weights = tuple(_weight(row, purse, inside=inside, with_tax=with_tax) for row in rows)
    if not rows or sum(weights) <= 0:
        return (), False
    amounts = shared(base, weights)
    if max(amounts) > MAX_AMOUNT or min(amounts) < -MAX_AMOUNT:
        return (), False
    named = zip(rows, amounts, strict=True)
    return tuple(Line(row.number("product_id"), amount, _quantity(row)) for row, amount in named), (
        True
    )


def _weight(row: Node, purse: Purse, *, inside: bool, with_tax: bool) -> int:
    """A line less its discounts, with or without its tax, in billionths of a unit.

    inside: prices contain their tax.
    """
    told = "discount_allocations" in row
    less = (
        sum(purse.amount(part, "amount") for part in row.nodes("discount_allocations"))
        if told
        else purse.amount(row, "total_discount")
    )
    tax = sum(purse.amount(part, "price") for part in row.nodes("tax_lines"))
    net = purse.amount(row, "price") * _quantity(row) - less
    if inside and not with_tax:
        net -= tax
    elif with_tax and not inside:
        net += tax
    return int(net * _WEIGHT)


def _quantity(row: Node) -> int:
    found = row.whole("quantity")
    return 1 if found is None else found
