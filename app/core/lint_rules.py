"""What can be said of one rule by itself: its currencies, rates, caps, terms and condition."""

from collections.abc import Iterator
from typing import Final, assert_never

from app.core.bands import Bands
from app.core.conditions import bind, holds
from app.core.lint_caps import about_cap
from app.core.lint_findings import Finding, Limits, rule_place
from app.core.lint_space import cap_currency, currency_of
from app.core.money import BPS, Money
from app.core.pays import Flat, Percent
from app.core.plans import Plan
from app.core.rewards import Pieces
from app.core.rules import Rule


def about_rule(index: int, rule: Rule, plan: Plan, currency: str, limits: Limits) -> list[Finding]:
    """currency: the program's, or that of the plan's first amount; empty if it names none."""
    return [
        *_foreign(index, rule, currency),
        *_rate(index, rule, limits),
        *about_cap(index, rule),
        *_term(index, rule, plan, limits),
        *_lead(index, rule),
        *_condition(index, rule),
    ]


def amounts(rule: Rule) -> tuple[tuple[str, Money], ...]:
    """Every amount of a rule with the path to it."""
    how, cap, least = rule.pay.how, rule.cap, rule.match.min_amount
    found: list[tuple[str, Money]] = []
    if least is not None:
        found.append(("match/min_amount", least))
    match how:
        case Flat(amount, currency):
            found.append(("pay/flat", Money(amount, currency)))
        case Bands():
            if how.by == "revenue":
                found.append(("pay/bands/steps/0/from", Money(how.steps[0].start, how.currency)))
            for n, step in enumerate(how.steps):
                if step.flat is not None:
                    found.append((f"pay/bands/steps/{n}/flat", step.flat))
        case Percent() | Pieces():
            pass
        case _:
            assert_never(how)
    reaches = rule.match.reaches
    if reaches is not None and reaches.revenue is not None:
        found.append(("match/reaches/revenue", reaches.revenue))
    if cap is not None and cap.amount is not None:
        found.append(("cap/amount", cap.amount))
    return tuple(found)


def _foreign(index: int, rule: Rule, currency: str) -> Iterator[Finding]:
    for path, money in amounts(rule):
        if currency and money.currency != currency:
            yield Finding(
                "warning",
                "other_currency",
                rule_place(index, path, "currency"),
                f"is {money.currency}, not {currency}: for sales in {currency} the rule can't be"
                " worked out, and then nobody is paid",
                f"Give the amount in {currency}, or let the program sell in {money.currency}.",
            )


def _rate(index: int, rule: Rule, limits: Limits) -> Iterator[Finding]:
    how, least = rule.pay.how, rule.match.min_amount
    match how:
        case Percent(rate_bps):
            if rate_bps > limits.rate_bps and not _is_of_commission(rule):
                yield _high(rule_place(index, "pay", "percent_bps"), rate_bps, limits)
            if rate_bps == 0:
                yield _nothing(index, "percent_bps")
        case Flat(amount, currency):
            if amount == 0:
                yield _nothing(index, "flat")
            is_known = least is not None and least.currency == currency and rule.pay.per == "sale"
            if is_known and least is not None and amount * BPS > least.amount * limits.rate_bps:
                yield Finding(
                    "warning",
                    "rate_over_limit",
                    rule_place(index, "pay", "flat"),
                    f"pays {amount} for a sale of {least.amount}, more than"
                    f" {percent(limits.rate_bps)} of it",
                    "Lower it, ask for a larger sale, or lint with a higher limit.",
                    rule_place(index, "match", "min_amount"),
                )
        case Bands():
            yield from _bands(index, how, limits)
        case Pieces():
            pass
        case _:
            assert_never(how)


def _bands(index: int, bands: Bands, limits: Limits) -> Iterator[Finding]:
    before = 0
    for n, step in enumerate(bands.steps):
        place = rule_place(index, "pay", "bands", "steps", str(n))
        rate = step.rate_bps or 0
        if rate > limits.rate_bps:
            yield _high(f"{place}/percent_bps", rate, limits)
        if step.rate_bps is not None and rate < before:
            yield Finding(
                "note",
                "bands_fall",
                f"{place}/percent_bps",
                f"pays {percent(rate)}, less than the step before: who sells more earns less",
                "Leave it if that is what you want; else let the rates rise.",
                rule_place(index, "pay", "bands", "steps", str(n - 1), "percent_bps"),
            )
        before = rate


def _high(place: str, rate_bps: int, limits: Limits) -> Finding:
    return Finding(
        "warning",
        "rate_over_limit",
        place,
        f"pays {percent(rate_bps)}, more than {percent(limits.rate_bps)}",
        "Lower it, or lint with a higher limit. 1 % is 100.",
    )


def _is_of_commission(rule: Rule) -> bool:
    """A share of what the partner earns, which may be large."""
    return rule.pay.reward is not None and rule.pay.reward.of == "commission"


def _nothing(index: int, field: str) -> Finding:
    return Finding(
        "note",
        "pays_nothing",
        rule_place(index, "pay", field),
        "is 0: what this rule matches earns nothing",
        "Leave it if that is what you want; else give a rate or an amount.",
    )


def _term(index: int, rule: Rule, plan: Plan, limits: Limits) -> Iterator[Finding]:
    months, bound = rule.pay.months, plan.binding.months
    if months is not None and months > limits.months:
        yield Finding(
            "note",
            "term_too_long",
            rule_place(index, "pay", "months"),
            f"pays for {months} months, more than {limits.months}",
            "Shorten it, or lint with a higher limit.",
        )
    if months is not None and bound is not None and bound < months:
        yield Finding(
            "warning",
            "binding_shorter",
            rule_place(index, "pay", "months"),
            f"pays for {months} months, but a customer is bound for {bound} only",
            "Lengthen the binding, or shorten the term.",
            "/binding/months",
        )


_ONLY_PAID: Final = {
    "percent_bps": "a lead has no amount, so a percentage of it is nothing",
    "per": "a lead has no lines, so what is paid for each comes to nothing",
}


def _lead(index: int, rule: Rule) -> Iterator[Finding]:
    """What a rule for leads among others never pays for them; for leads only it is told as dead."""
    if "lead" not in rule.match.kinds or rule.match.kinds == ("lead",):
        return
    field = "percent_bps" if isinstance(rule.pay.how, Percent) else "per"
    if isinstance(rule.pay.how, Percent) or rule.pay.per != "sale":
        yield Finding(
            "warning",
            "lead_unpaid",
            rule_place(index, "pay", field),
            f"matches leads too, but {_ONLY_PAID[field]}",
            "Leave lead out of the rule, and pay leads a flat amount by one of their own.",
            rule_place(index, "match", "kind"),
        )


def _condition(index: int, rule: Rule) -> Iterator[Finding]:
    """A condition that names no fact is the same for every sale."""
    if rule.when is None or rule.when.uses:
        return
    held = holds(rule.when, bind({}))
    word = {True: "holds always", False: "holds never"}.get(held is True, "")
    if held not in {True, False}:
        word = "always fails, and then nobody is paid"
    yield Finding(
        "warning" if held is True else "error",
        "condition_constant",
        rule_place(index, "when"),
        f"names no fact, so it {word}",
        "Leave the condition out, or the rule." if held is True else "Name a fact of the sale.",
    )


def dead_currencies(rule: Rule) -> tuple[str, ...]:
    """More than one, if the rule's own amounts can't be compared with any one sale."""
    least = rule.match.min_amount
    reaches = rule.match.reaches
    goal = reaches.revenue if reaches else None
    named = (
        currency_of(rule),
        cap_currency(rule),
        least.currency if least else "",
        goal.currency if goal else "",
    )
    found = tuple(dict.fromkeys(filter(None, named)))
    return found if len(found) > 1 else ()


def percent(bps: int) -> str:
    """`percent(1250)` → `12.50 %`."""
    whole, rest = divmod(bps, 100)
    return f"{whole}.{rest:02} %" if rest else f"{whole} %"
