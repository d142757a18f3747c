"""A rule's condition in words, where it is a plain comparison; anything else is shown as it is."""

import re
from collections.abc import Mapping
from typing import Final

from app.core.rules import Rule

FACT_WORDS: Final[Mapping[str, str]] = {
    "sale.kind": "the kind of the sale",
    "sale.source": "the system that reports the sale",
    "sale.currency": "the currency of the sale",
    "sale.new": "it is the customer's first paid sale",
    "sale.at": "the time of the sale",
    "sale.amount": "the price without tax, in the smallest unit of its currency,",
    "sale.gross": "what is paid, in the smallest unit of its currency,",
    "sale.quantity": "the number of units",
    "sale.product_ids": "the list of its products",
    "sale.product_amounts": "the price of a product",
    "sale.product_quantities": "the number of units of a product",
    "sale.line_amounts": "the price of a line",
    "sale.payment": "the number of the payment",
    "sale.months": "the number of whole months since the first payment",
    "customer.country": "the customer's country",
    "customer.sales": "the number of the customer's earlier sales",
    "customer.months": "the number of whole months since the customer's first sale",
    "customer.value": "what the customer had paid before, in the smallest unit of the currency,",
    "partner.country": "your country",
    "partner.tier": "your tier",
    "partner.certified": "you hold a valid certificate",
    "partner.agreement": "the agreement that you accepted",
    "partner.month_sales": "the number of your sales this month",
    "partner.month_revenue": "your revenue this month, in the smallest unit of the currency,",
    "partner.quarter_sales": "the number of your sales this quarter",
    "partner.quarter_revenue": "your revenue this quarter, in the smallest unit of the currency,",
    "partner.year_sales": "the number of your sales this year",
    "partner.year_revenue": "your revenue this year, in the smallest unit of the currency,",
    "partner.life_sales": "the number of all your sales",
    "partner.life_revenue": "all your revenue, in the smallest unit of the currency,",
    "partner.enrolled_days": "the number of days since you joined",
    "program.days": "the number of days since the program began",
    "touch.kind": "what brought the customer (click, code, deal, referrer)",
    "touch.code": "the code that was used",
    "touch.at": "the time when the customer was brought",
}
"""Fact → words; a test holds it against `core.conditions.FACTS`."""

_OPERATORS: Final = {
    "==": "is",
    "!=": "is not",
    ">=": "is at least",
    "<=": "is at most",
    ">": "is more than",
    "<": "is less than",
}
_VALUE: Final = r"""-?\d+|'[^'"\\]*'|"[^'"\\]*\""""
_COMPARED: Final = re.compile(rf"([a-z_.]+)\s*(==|!=|>=|<=|>|<)\s*({_VALUE})")
_LISTED: Final = re.compile(rf"([a-z_.]+)\s+in\s+\[\s*((?:{_VALUE})(?:\s*,\s*(?:{_VALUE}))*)\s*\]")
_HELD: Final = re.compile(r"(!?)\s*([a-z_.]+)")
_FLAGS: Final = {
    "sale.new": (
        "it is the customer's first paid sale",
        "it is not the customer's first paid sale",
    ),
    "partner.certified": ("you hold a valid certificate", "you hold no valid certificate"),
}


def condition_words(rule: Rule) -> str:
    """What has to hold, without an `if`; empty if there is no condition."""
    if rule.when is None:
        return ""
    source = rule.when.source.strip()
    # Text with such signs in it, brackets and alternatives are left to the reader of CEL.
    parts = [_part(part.strip()) for part in source.split("&&")]
    if "||" in source or "?" in source or not all(parts):
        return f"this condition holds: `{source}`"
    return " and ".join(parts)


def _part(part: str) -> str:
    """One comparison in words, or empty if it is another kind of expression."""
    if (found := _COMPARED.fullmatch(part)) and found[1] in FACT_WORDS:
        return f"{FACT_WORDS[found[1]]} {_OPERATORS[found[2]]} {_value(found[3])}"
    if (found := _LISTED.fullmatch(part)) and found[1] in FACT_WORDS:
        *most, last = [_value(value) for value in re.findall(_VALUE, found[2])]
        values = f"{', '.join(most)} or {last}" if most else last
        return f"{FACT_WORDS[found[1]]} is {values}"
    if (found := _HELD.fullmatch(part)) and found[2] in _FLAGS:
        return _FLAGS[found[2]][1 if found[1] else 0]
    return ""


def _value(text: str) -> str:
    bare = text.strip("'\"")
    if bare == text:
        return bare
    return f"`{bare}`" if bare else "empty"
