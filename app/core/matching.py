"""Whether a sale is what a rule asks for, the condition apart."""

from functools import lru_cache
from typing import Final

from app.core.bands import Reaches
from app.core.money import Money
from app.core.periods import period_of
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
    return _too_little(rule, facts) or _over(rule, facts)


def unknown_minimum(rule: Rule, facts: SaleFacts) -> Reason | None:
    """That the least amount, or the revenue to be reached, is in another currency than the sale:
    nobody knows which is more.
    """
    reaches = rule.match.reaches
    for least in (rule.match.min_amount, reaches.revenue if reaches else None):
        if least is not None and facts.currency not in {least.currency, ""}:
            return no_rate(rule, least.currency, facts.currency)
    return None


def no_rate(rule: Rule, currency: str, sale_currency: str) -> Reason:
    """That a rule's amount can't be compared with the sale's, or paid beside it."""
    return because("no_rate", rule=rule.id, currency=currency, sale_currency=sale_currency)


def _too_little(rule: Rule, facts: SaleFacts) -> Reason | None:
    """That the sale is too small, or not the one by which something is reached."""
    least, reaches = rule.match.min_amount, rule.match.reaches
    too_small = None
    if least is not None and facts.currency in {least.currency, ""}:
        too_small = _below(rule, least, facts)
    if too_small is None and reaches is not None:
        return _not_reached(rule, reaches, facts)
    return too_small


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


def _not_reached(rule: Rule, reaches: Reaches, facts: SaleFacts) -> Reason | None:
    """Why it is not by this sale that the partner's period comes to it, or not for the first time.

    None too if the currency is another one, which nobody can compare.
    """
    within = period_of(facts.at, reaches.period)
    told: dict[str, Param] = {"rule": rule.id, "period": reaches.period, "within": within}
    if reaches.revenue is None:
        of_leads = reaches.leads is not None
        before = facts.slice.leads(within) if of_leads else facts.slice.sales(within)
        least = reaches.leads or reaches.sales or 0
        after = before + ((facts.kind == "lead") == of_leads)
    else:
        least, currency = reaches.revenue.amount, reaches.revenue.currency
        if facts.currency not in {currency, ""}:
            return None
        before = facts.slice.sales(within, currency)
        after, told["currency"] = before + facts.slice.of(facts.amount), currency
    if not before < least <= after:
        return because("not_reached", **told, least=least, before=before, after=after)
    if facts.slice.paid(rule.id, within):
        return because("reached_before", rule=rule.id, period=reaches.period, within=within)
    return None


def _over(rule: Rule, facts: SaleFacts) -> Reason | None:
    pay, since = rule.pay, facts.recurring_since
    if pay.months is not None and months_between(since, facts.at) >= pay.months:
        return because("months_over", rule=rule.id, months=pay.months, since=since)
    if pay.payments is not None and facts.payment > pay.payments:
        return because("payments_over", rule=rule.id, payments=pay.payments, payment=facts.payment)
    return None


def _not_matched(rule: Rule, field: str, wanted: Param, found: Param) -> Reason:
    return _differs(rule.id, field, wanted, found)


# The same few come again with every sale. typed: 1 is not True.
@lru_cache(maxsize=4_096, typed=True)
def _differs(rule: str, field: str, wanted: Param, found: Param) -> Reason:
    return because("rule_not_matched", rule=rule, field=field, wanted=wanted, found=found)
