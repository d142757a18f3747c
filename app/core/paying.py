"""What one rule that matches comes to: lines and units counted, caps applied, every step told."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import assert_never

from app.core.events import Line
from app.core.matching import no_rate
from app.core.money import MAX_AMOUNT, share_bps
from app.core.pays import CustomerCap, Flat, Percent, Period, SaleCap
from app.core.reasons import Param, Reason, because
from app.core.rules import Rule
from app.core.sale_facts import Earlier, SaleFacts


@dataclass(frozen=True, slots=True)
class Paid:
    """What a rule comes to, which may be 0. base, amount: minor units of the currency.

    rate_bps: of a percent rule.
    """

    rule_id: str
    base: int
    amount: int
    currency: str
    rate_bps: int | None
    reasons: tuple[Reason, ...]


def pay(rule: Rule, facts: SaleFacts) -> Paid | Reason:
    """A Reason: it can't be worked out on these facts."""
    per, how = rule.pay.per, rule.pay.how
    if per != "sale" and not facts.lines_complete:
        return because("lines_missing", rule=rule.id, per=per)
    lines = _lines(rule, facts)
    base = facts.amount if per == "sale" else sum(line.amount for line in lines)
    told: dict[str, Param] = {} if per == "sale" else {"per": per}
    match how:
        case Percent(rate_bps):
            amount, currency = share_bps(base, rate_bps), facts.currency
            told = {"rate_bps": rate_bps, **told}
        case Flat(flat, flat_currency):
            # A lead has no currency; it is paid in the rule's own.
            currency = facts.currency or flat_currency
            if currency != flat_currency:
                return no_rate(rule, flat_currency, currency)
            times = 1 if per == "sale" else _lines_sold(lines) if per == "line" else _units(lines)
            amount = flat * times
            told = {"flat": flat, **told, **({} if per == "sale" else {"times": times})}
        case _:
            assert_never(how)
    if amount > MAX_AMOUNT:
        return because("amount_beyond_limit", rule=rule.id, amount=amount, currency=currency)
    rate = how.rate_bps if isinstance(how, Percent) else None
    if amount <= 0:
        return Paid(rule.id, base, 0, currency, rate, (because("rounds_to_zero", rule=rule.id),))
    reason = because("rule_paid", rule=rule.id, **told, base=base, amount=amount, currency=currency)
    return _capped(Paid(rule.id, base, amount, currency, rate, (reason,)), rule, facts)


def _lines(rule: Rule, facts: SaleFacts) -> tuple[Line, ...]:
    """Those that the rule is about."""
    wanted = rule.match.product_ids
    return tuple(line for line in facts.lines if not wanted or line.product_id in wanted)


def _lines_sold(lines: Sequence[Line]) -> int:
    """Discounts, credits and what is free are no products sold."""
    return sum(line.amount > 0 for line in lines)


def _units(lines: Sequence[Line]) -> int:
    """Units sold of each product, less those credited on the same bill.

    A change from 5 to 8 seats in mid-term is billed as 8 seats charged and 5 credited: 3 are new.
    """
    units: dict[str, int] = {}
    for line in lines:
        sign = (line.amount > 0) - (line.amount < 0)
        units[line.product_id] = units.get(line.product_id, 0) + sign * line.quantity
    return sum(max(0, count) for count in units.values())


def _capped(paid: Paid, rule: Rule, facts: SaleFacts) -> Paid | Reason:
    cap = rule.cap
    if cap is None:
        return paid
    if cap.amount is not None and cap.amount.currency != paid.currency:
        return no_rate(rule, cap.amount.currency, paid.currency)
    match cap:
        case SaleCap():
            reasons = _sale_cap(cap, paid, facts)
        case CustomerCap():
            reasons = _customer_cap(cap, paid, facts)
        case _:
            assert_never(cap)
    if reasons is None:
        return paid
    left, reason = reasons
    return Paid(
        paid.rule_id, paid.base, left, paid.currency, paid.rate_bps, (*paid.reasons, reason)
    )


def _sale_cap(cap: SaleCap, paid: Paid, facts: SaleFacts) -> tuple[int, Reason] | None:
    limits = [] if cap.amount is None else [cap.amount.amount]
    if cap.percent_of_bill_bps is not None:
        limits.append(max(0, share_bps(facts.gross, cap.percent_of_bill_bps)))
    limit = min(limits)
    if paid.amount <= limit:
        return None
    return limit, _told(paid, per="sale", limit=limit, used=0, left=limit)


def _customer_cap(cap: CustomerCap, paid: Paid, facts: SaleFacts) -> tuple[int, Reason] | None:
    period = _period(facts.at, cap.period)
    used = [
        earlier
        for earlier in facts.earlier
        if earlier.rule_id == paid.rule_id and _period(earlier.at, cap.period) == period
    ]
    if cap.count is not None and len(used) >= cap.count:
        reached = because(
            "cap_count_reached", rule=paid.rule_id, count=cap.count, period=cap.period
        )
        return 0, reached
    if cap.amount is None:
        return None
    taken = _sum(used, paid.currency)
    left = max(0, cap.amount.amount - taken)
    if paid.amount <= left:
        return None
    return left, _told(
        paid, per="customer", limit=cap.amount.amount, used=taken, left=left, period=cap.period
    )


def _sum(used: Sequence[Earlier], currency: str) -> int:
    return sum(earlier.amount for earlier in used if earlier.currency == currency)


def _told(paid: Paid, *, left: int, **how: Param) -> Reason:
    return because("cap_applied", rule=paid.rule_id, **how, amount=left, currency=paid.currency)


def _period(at: datetime, period: Period) -> tuple[int, ...]:
    """Which calendar period in UTC an instant is in."""
    at = at.astimezone(UTC)
    match period:
        case "month":
            return (at.year, at.month)
        case "quarter":
            return (at.year, (at.month - 1) // 3)
        case "year":
            return (at.year,)
        case "life":
            return ()
        case _:
            assert_never(period)
