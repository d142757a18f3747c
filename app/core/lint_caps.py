"""What can be said of one rule's cap: that it lets nothing through, or everything."""

from collections.abc import Iterator
from typing import assert_never

from app.core.lint_findings import Finding, rule_place
from app.core.lint_space import currency_of
from app.core.pays import CustomerCap, Flat, PartnerCap, SaleCap
from app.core.rules import Rule


def about_cap(index: int, rule: Rule) -> Iterator[Finding]:
    cap = rule.cap
    if cap is None:
        return
    if isinstance(cap, SaleCap) and cap.percent_of_bill_bps == 0:
        yield _zero_cap(index, "percent_of_bill_bps")
    if cap.amount is not None and cap.amount.amount == 0:
        yield _zero_cap(index, "amount")
    if isinstance(cap, CustomerCap) and cap.count is not None and _is_once(rule):
        yield _idle_cap(index, "count", f"the rule pays once a customer in its {cap.period}")
    most = _most(rule)
    if most is None or cap.amount is None or cap.amount.currency != currency_of(rule):
        return
    if cap.amount.amount > 0 and most <= cap.amount.amount:
        yield _idle_cap(index, "amount", f"the rule comes to {most} at most")


def _most(rule: Rule) -> int | None:
    """What the rule comes to at most within its cap's reach, if that is known."""
    how, cap = rule.pay.how, rule.cap
    if not isinstance(how, Flat) or rule.pay.per != "sale":
        return None
    match cap:
        case None | PartnerCap(_, None, _):
            return None
        case SaleCap(_, percent):
            return how.amount if percent is None else None
        case CustomerCap(_, count, _):
            times = 1 if _is_once(rule) else count
        case PartnerCap(_, count, _):
            times = count
        case _:
            assert_never(cap)
    return None if times is None else how.amount * times


def _is_once(rule: Rule) -> bool:
    """Whether one sale only of a customer matches: its first, or one of a number."""
    return rule.match.new is True or rule.match.nth is not None


def _zero_cap(index: int, field: str) -> Finding:
    return Finding(
        "error",
        "cap_pays_nothing",
        rule_place(index, "cap", field),
        "is 0, so the rule never pays",
        "Raise it, or leave the rule out.",
    )


def _idle_cap(index: int, field: str, why: str) -> Finding:
    return Finding(
        "note",
        "cap_never_bites",
        rule_place(index, "cap", field),
        f"limits nothing under this version: {why}",
        "Leave it out, or lower it.",
    )
