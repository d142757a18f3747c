"""A rule as one sentence for those whom it pays."""

from collections.abc import Sequence
from typing import Final, assert_never

from app.core.bands import Bands, Reaches
from app.core.conversions import ConversionKind
from app.core.matches import PAID_KINDS, Match
from app.core.pays import Per, Percent
from app.core.rules import Rule
from app.plan_words import pays
from app.plan_words.conditions import condition_words
from app.sentences import money

_NOUNS: Final[dict[ConversionKind, str]] = {
    "lead": "lead",
    "sale": "sale (not a renewal)",
    "renewal": "renewal of a subscription",
}
_MOST_LISTED: Final = 50


def rule_words(rule: Rule) -> str:
    """All that the rule says; a test holds that no word of the language is left out."""
    pay = rule.pay
    told = (
        f"{pays.receiver(pay.reward)} {pays.how_much(pay)} {_what(rule)}"
        f"{_which(rule.match)}{_if(rule)}{pays.steps(pay)}{pays.term(pay)}"
        f"{pays.cap(rule)}."
    )
    return told + (" This comes on top of the other rules." if rule.adds else "")


def _what(rule: Rule) -> str:
    """What it is paid for: a sale, lines of it, or units."""
    occasion = _occasion(rule.match.kinds)
    products = rule.match.product_ids
    per: Per = rule.pay.per
    match per:
        case "sale":
            of = f" with {_product(products)}" if products else ""
            return f"{occasion}{of}"
        case "line":
            each = "what is paid for" if _is_share(rule) else "each item of"
            return f"{each} {_product(products) if products else 'its items'} in {occasion}"
        case "unit":
            of = f" of {_product(products)}" if products else ""
            return f"each unit (such as a seat){of} in {occasion}"
        case _:
            assert_never(per)


def _occasion(kinds: Sequence[ConversionKind]) -> str:
    if set(kinds) == set(PAID_KINDS):
        return "each sale (renewals of subscriptions too)"
    return f"each {_either([_NOUNS[kind] for kind in kinds], 'or')}"


def _is_share(rule: Rule) -> bool:
    return isinstance(rule.pay.how, Percent | Bands)


def _which(match: Match) -> str:
    """Of which customers and sales."""
    told = ""
    if match.min_amount is not None:
        least = money(match.min_amount.amount, match.min_amount.currency)
        told += f" worth {least} or more without tax"
    if match.countries:
        told += f" to customers in {_either(match.countries, 'or')}"
    if match.new is not None:
        told += ", if it is " + ("" if match.new else "not ") + "the customer's first"
    if match.nth is not None:
        told += f", if it is the customer's {pays.ordinal(match.nth)}"
    if match.tiers:
        told += f", if your tier is {_either(match.tiers, 'or')}"
    if match.reaches is not None:
        told += f", if by it {_reached(match.reaches)}"
    return told


def _reached(reaches: Reaches) -> str:
    period = pays.a_period(reaches.period) if reaches.period != "life" else ""
    within = f" within {period}" if period else ""
    if reaches.revenue is not None:
        goal = money(reaches.revenue.amount, reaches.revenue.currency)
        return f"your revenue reaches {goal}{within}"
    if reaches.leads is not None:
        return f"your leads reach {reaches.leads}{within}"
    return f"your sales reach {reaches.sales}{within}"


def _if(rule: Rule) -> str:
    condition = condition_words(rule)
    return f", if {condition}" if condition else ""


def _product(products: Sequence[str]) -> str:
    named = [f"“{product}”" for product in products]
    return f"the product {named[0]}" if len(named) == 1 else f"a product of {_either(named, 'or')}"


def _either(words: Sequence[str], between: str) -> str:
    shown = list(words[:_MOST_LISTED])
    if len(words) > len(shown):
        shown.append(f"{len(words) - len(shown)} more")
    *most, last = shown
    return f"{', '.join(most)} {between} {last}" if most else last
