"""The most that a rule pays: for a sale, a customer or a partner, by amount and by count."""

from collections.abc import Sequence
from typing import assert_never

from app.core.matching import no_rate
from app.core.money import share_bps
from app.core.pays import CustomerCap, PartnerCap, SaleCap
from app.core.periods import period_of
from app.core.reasons import Param, Reason, because
from app.core.records import record
from app.core.rules import Rule
from app.core.sale_facts import Earlier, SaleFacts


@record
class Limited:
    """What a cap leaves. is_slice: of the credited partner's slice alone, else of the whole sale"""

    amount: int
    reason: Reason
    is_slice: bool = False


def limited(
    rule: Rule, facts: SaleFacts, amount: int, currency: str, *, is_slice: bool
) -> Limited | Reason | None:
    """None: the cap leaves all of it. A Reason: it can't be worked out on these facts.

    is_slice: whether the amount is of the credited partner's slice alone.
    """
    cap = rule.cap
    assert cap is not None
    if cap.amount is not None and cap.amount.currency != currency:
        return no_rate(rule, cap.amount.currency, currency)
    limit: Limited | None
    match cap:
        case SaleCap():
            limit = _per_sale(rule.id, cap, currency, facts)
        case CustomerCap():
            limit = _per_customer(rule.id, cap, currency, facts)
        case PartnerCap():
            part = amount if is_slice else facts.slice.of(amount)
            limit = _per_partner(rule.id, cap, currency, facts)
            return None if limit is None or part <= limit.amount else limit
        case _:
            assert_never(cap)
    if limit is None:
        return None
    most = facts.slice.of(limit.amount) if is_slice else limit.amount
    return None if amount <= most else Limited(most, limit.reason)


def _per_sale(rule_id: str, cap: SaleCap, currency: str, facts: SaleFacts) -> Limited:
    limits = [] if cap.amount is None else [cap.amount.amount]
    if cap.percent_of_bill_bps is not None:
        limits.append(max(0, share_bps(facts.gross, cap.percent_of_bill_bps)))
    limit = min(limits)
    told = _told(rule_id, limit, currency, per="sale", limit=limit, used=0)
    return Limited(limit, told)


def _per_customer(
    rule_id: str, cap: CustomerCap, currency: str, facts: SaleFacts
) -> Limited | None:
    period = period_of(facts.at, cap.period)
    used = [
        earlier
        for earlier in facts.earlier
        if earlier.rule_id == rule_id and period_of(earlier.at, cap.period) == period
    ]
    if cap.count is not None and len(used) >= cap.count:
        reached = because("cap_count_reached", rule=rule_id, count=cap.count, period=cap.period)
        return Limited(0, reached)
    if cap.amount is None:
        return None
    taken = _sum(used, currency)
    left = max(0, cap.amount.amount - taken)
    limit = cap.amount.amount
    told = _told(
        rule_id, left, currency, per="customer", limit=limit, used=taken, period=cap.period
    )
    return Limited(left, told)


def _per_partner(rule_id: str, cap: PartnerCap, currency: str, facts: SaleFacts) -> Limited | None:
    within = period_of(facts.at, cap.period)
    told: dict[str, Param] = {"per": "partner", "period": cap.period, "within": within}
    if cap.count is not None and facts.slice.paid(rule_id, within) >= cap.count:
        return Limited(0, because("cap_count_reached", rule=rule_id, count=cap.count, **told))
    if cap.amount is None:
        return None
    limit, used = cap.amount.amount, facts.slice.paid(rule_id, within, currency)
    left = max(0, limit - used)
    return Limited(
        left, _told(rule_id, left, currency, **told, limit=limit, used=used), is_slice=True
    )


def _sum(used: Sequence[Earlier], currency: str) -> int:
    return sum(earlier.amount for earlier in used if earlier.currency == currency)


def _told(rule_id: str, left: int, currency: str, **how: Param) -> Reason:
    return because("cap_applied", rule=rule_id, **how, amount=left, currency=currency)
