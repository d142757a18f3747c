"""Whether a sale is what a rule asks for, the condition apart."""

from typing import Final

from app.core.money import Money
from app.core.reasons import Param, Reason, because
from app.core.rules import Rule
from app.core.sale_facts import SaleFacts, months_between

_SHOWN: Final = 20
"""How many product ids of a sale a reason names."""


def mismatch(rule: Rule, facts: SaleFacts) -> Reason | None:
    """The first thing in which the sale is not what the rule asks for."""
    match = rule.match
    if facts.kind not in match.kinds:
        return _not_matched(rule, "kind", match.kinds, facts.kind)
    if match.product_ids and set(match.product_ids).isdisjoint(facts.product_ids):
        wanted, found = match.product_ids[:_SHOWN], facts.product_ids[:_SHOWN]
        return _not_matched(rule, "product_ids", wanted, found)
    if match.countries and facts.customer_country not in match.countries:
        return _not_matched(rule, "countries", match.countries[:_SHOWN], facts.customer_country)
    if match.tiers and facts.partner.tier not in match.tiers:
        return _not_matched(rule, "tiers", match.tiers[:_SHOWN], facts.partner.tier)
    if match.new is not None and facts.new != match.new:
        return _not_matched(rule, "new", match.new, facts.new)
    if match.nth is not None and facts.nth != match.nth:
        return _not_matched(rule, "nth", match.nth, facts.nth)
    if match.min_amount is not None and facts.currency in {match.min_amount.currency, ""}:
        too_small = _below(rule, match.min_amount, facts)
        if too_small is not None:
            return too_small
    return _over(rule, facts)


def unknown_minimum(rule: Rule, facts: SaleFacts) -> Reason | None:
    """That the least amount is in another currency than the sale: nobody knows which is more."""
    least = rule.match.min_amount
    if least is None or facts.currency in {least.currency, ""}:
        return None
    return no_rate(rule, least.currency, facts.currency)


def no_rate(rule: Rule, currency: str, sale_currency: str) -> Reason:
    """That a rule's amount can't be compared with the sale's, or paid beside it."""
    return because("no_rate", rule=rule.id, currency=currency, sale_currency=sale_currency)


def _below(rule: Rule, least: Money, facts: SaleFacts) -> Reason | None:
    if facts.amount >= least.amount:
        return None
    return because(
        "below_minimum",
        rule=rule.id,
        minimum=least.amount,
        base=facts.amount,
        currency=least.currency,
    )


def _over(rule: Rule, facts: SaleFacts) -> Reason | None:
    pay, since = rule.pay, facts.recurring_since
    if pay.months is not None and months_between(since, facts.at) >= pay.months:
        return because("months_over", rule=rule.id, months=pay.months, since=since)
    if pay.payments is not None and facts.payment > pay.payments:
        return because("payments_over", rule=rule.id, payments=pay.payments, payment=facts.payment)
    return None


def _not_matched(rule: Rule, field: str, wanted: Param, found: Param) -> Reason:
    return because("rule_not_matched", rule=rule.id, field=field, wanted=wanted, found=found)
