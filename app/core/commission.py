"""What one sale pays by a plan: the first rule that matches, and why the others did not.

A rule that can't be worked out stops the ruling: it pays nobody, and no later rule stands in.
"""

from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, assert_never

from app.core.conditions import Fact, Facts, Failed, bind, holds
from app.core.money import share_bps
from app.core.plans import Flat, Percent, Plan, Rule
from app.core.reasons import Param, Reason, because

_SHOWN: Final = 20
"""How many product ids of a sale a reason names."""
_NO_TOUCH_AT: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class SaleFacts:
    """All that a rule may look at. Amounts in minor units, unknown text empty, unknown number 0.

    kind: lead, sale or renewal; a lead has amount 0 and no currency. amount: the base.
    customer_sales: paid earlier. customer_months: whole months since the first paid sale.
    recurring_since: the first paid sale of the subscription, else of the customer.
    """

    kind: str
    source: str
    currency: str
    new: bool
    at: datetime
    amount: int
    gross: int
    quantity: int
    product_ids: tuple[str, ...]
    customer_country: str
    customer_sales: int
    customer_months: int
    partner_country: str
    touch_kind: str
    touch_code: str
    touch_at: datetime | None
    recurring_since: datetime


@dataclass(frozen=True, slots=True)
class Ruling:
    """rule_id: the rule that decided, also if it came to 0; None if none matched or one failed.

    base, amount: minor units of the currency. rate_bps: of a percent rule.
    """

    rule_id: str | None
    base: int
    amount: int
    currency: str
    rate_bps: int | None
    reasons: tuple[Reason, ...]


def rule_on(plan: Plan, facts: SaleFacts) -> Ruling:
    """The first rule in listed order that matches decides; each rule tried leaves a reason."""
    reasons: list[Reason] = []
    bound: Facts | None = None
    for rule in plan.rules:
        mismatch = _mismatch(rule, facts)
        if mismatch is not None:
            reasons.append(mismatch)
            continue
        if rule.when is not None:
            # Bound once for all rules: it costs more than an evaluation.
            bound = bound if bound is not None else bind(cel_facts(facts))
            held = holds(rule.when, bound)
            if isinstance(held, Failed):
                failed = because("rule_failed", rule=rule.id, error=held.error)
                return _nobody(facts, [*reasons, failed])
            if not held:
                reasons.append(because("rule_condition_false", rule=rule.id))
                continue
        return _pay(rule, facts, reasons)
    return _nobody(facts, [*reasons, because("no_rule_matched")])


def cel_facts(facts: SaleFacts) -> Mapping[str, Fact]:
    """The facts by the names that a condition uses; no touch reads as the year 1970."""
    return {
        "sale.kind": facts.kind,
        "sale.source": facts.source,
        "sale.currency": facts.currency,
        "sale.new": facts.new,
        "sale.at": facts.at,
        "sale.amount": facts.amount,
        "sale.gross": facts.gross,
        "sale.quantity": facts.quantity,
        "sale.product_ids": list(facts.product_ids),
        "customer.country": facts.customer_country,
        "customer.sales": facts.customer_sales,
        "customer.months": facts.customer_months,
        "partner.country": facts.partner_country,
        "touch.kind": facts.touch_kind,
        "touch.code": facts.touch_code,
        "touch.at": facts.touch_at or _NO_TOUCH_AT,
    }


def months_between(start: datetime, at: datetime) -> int:
    """Whole calendar months in UTC, 0 if `at` is not later. The day is clamped to the month's end:
    one month after Jan 31 is Feb 28, or 29.
    """
    start, at = start.astimezone(UTC), at.astimezone(UTC)
    months = (at.year - start.year) * 12 + at.month - start.month
    anniversary_day = min(start.day, monthrange(at.year, at.month)[1])
    if (at.day, at.timetz()) < (anniversary_day, start.timetz()):
        months -= 1
    return max(months, 0)


def _mismatch(rule: Rule, facts: SaleFacts) -> Reason | None:
    """The first thing in which the sale is not what the rule asks for, the condition apart."""
    match = rule.match
    if facts.kind not in match.kinds:
        return _not_matched(rule, "kind", match.kinds, facts.kind)
    if match.product_ids and set(match.product_ids).isdisjoint(facts.product_ids):
        wanted, found = match.product_ids[:_SHOWN], facts.product_ids[:_SHOWN]
        return _not_matched(rule, "product_ids", wanted, found)
    if match.countries and facts.customer_country not in match.countries:
        return _not_matched(rule, "countries", match.countries[:_SHOWN], facts.customer_country)
    if match.new is not None and facts.new != match.new:
        return _not_matched(rule, "new", match.new, facts.new)
    if rule.months is not None:
        since = facts.recurring_since
        if months_between(since, facts.at) >= rule.months:
            return because("months_over", rule=rule.id, months=rule.months, since=since)
    return None


def _not_matched(rule: Rule, field: str, wanted: Param, found: Param) -> Reason:
    return because("rule_not_matched", rule=rule.id, field=field, wanted=wanted, found=found)


def _pay(rule: Rule, facts: SaleFacts, reasons: list[Reason]) -> Ruling:
    currency = facts.currency
    how: dict[str, Param]
    match rule.pay:
        case Percent(rate_bps):
            amount = share_bps(facts.amount, rate_bps)
            how = {"rate_bps": rate_bps}
        case Flat(amount, flat_currency):
            # A lead has no currency; it is paid in the rule's own.
            currency = currency or flat_currency
            if currency != flat_currency:
                differs = because(
                    "no_rate", rule=rule.id, currency=flat_currency, sale_currency=currency
                )
                return _nobody(facts, [*reasons, differs])
            how = {"flat": amount}
        case _:
            assert_never(rule.pay)
    if amount > 0:
        last = because(
            "rule_paid", rule=rule.id, **how, base=facts.amount, amount=amount, currency=currency
        )
    else:
        last = because("rounds_to_zero", rule=rule.id)
    return Ruling(
        rule_id=rule.id,
        base=facts.amount,
        amount=max(amount, 0),
        currency=currency,
        rate_bps=rule.pay.rate_bps if isinstance(rule.pay, Percent) else None,
        reasons=(*reasons, last),
    )


def _nobody(facts: SaleFacts, reasons: list[Reason]) -> Ruling:
    return Ruling(
        rule_id=None,
        base=facts.amount,
        amount=0,
        currency=facts.currency,
        rate_bps=None,
        reasons=tuple(reasons),
    )
