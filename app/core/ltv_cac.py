"""What an incentive does to LTV:CAC, step by step, in whole numbers and exact fractions.

LTV: what a customer leaves behind in its lifetime, of its revenue the margin. CAC: what it costs to
win one. Formulas: docs/plan-tools.md.
"""

from fractions import Fraction
from typing import Final, Literal

from app.core.money import BPS
from app.core.records import record

Verdict = Literal["above_floor", "at_floor", "below_floor", "no_cost"]
HUNDREDTHS: Final = 100


@record
class Figures:
    """Of one period, amounts in minor units of one currency.

    revenue: net of refunds. customers: who bought. months: how long the period is. new_customers,
    acquisition_cost: who was won in it, and what was spent for that without the incentive.
    margin_bps: what is left of the revenue. lifetime_months: given, or None for churn.
    churned: customers who left in the period.
    """

    revenue: int
    customers: int
    months: Fraction
    new_customers: int
    acquisition_cost: int
    margin_bps: int
    lifetime_months: Fraction | None = None
    churned: int = 0


@record
class Incentive:
    """What one new customer costs through it. cash: paid out; non_cash: what is given otherwise
    costs us. replaces: of the acquisition cost per customer, what is no longer spent.
    """

    cash: int
    non_cash: int
    replaces: int = 0


@record
class Step:
    """One line of the reckoning. value: exact. unit: amount (minor units), months or ratio."""

    name: str
    formula: str
    value: Fraction
    unit: Literal["amount", "months", "ratio"]


@record
class Weighed:
    """before, after: LTV:CAC without and with the incentive; None where nothing is spent.

    room: what the incentive may cost per customer until the floor is reached; below 0: too much.
    """

    steps: tuple[Step, ...]
    before: Fraction | None
    after: Fraction | None
    verdict: Verdict
    room: Fraction | None


def weigh(figures: Figures, incentive: Incentive, floor: int) -> Weighed | str:
    """floor: in hundredths. A text: which figure is missing, by its name."""
    missing = _missing(figures)
    if missing:
        return missing
    arpu = Fraction(figures.revenue, figures.customers * figures.months)
    steps = [_step("arpu", "revenue ÷ (customers × months)", arpu, "amount")]
    lifetime = figures.lifetime_months
    if lifetime is None:
        churn = Fraction(figures.churned, figures.customers * figures.months)
        steps.append(_step("churn", "churned ÷ (customers × months)", churn, "ratio"))
        lifetime = Fraction(1, churn)
        steps.append(_step("lifetime", "1 ÷ churn", lifetime, "months"))
    else:
        steps.append(_step("lifetime", "as given", lifetime, "months"))
    ltv = arpu * Fraction(figures.margin_bps, BPS) * lifetime
    cost = Fraction(figures.acquisition_cost, figures.new_customers)
    given = Fraction(incentive.cash + incentive.non_cash)
    total = max(Fraction(0), cost - incentive.replaces) + given
    steps += [
        _step("ltv", "arpu × margin × lifetime", ltv, "amount"),
        _step("cac_before", "acquisition cost ÷ new customers", cost, "amount"),
        _step("incentive", "cash + non-cash", given, "amount"),
        _step("cac_after", "max(0, cac_before − replaces) + incentive", total, "amount"),
    ]
    before, after = (Fraction(ltv, one) if one else None for one in (cost, total))
    for name, ratio in (("before", before), ("after", after)):
        if ratio is not None:
            steps.append(_step(f"ratio_{name}", f"ltv ÷ cac_{name}", ratio, "ratio"))
    room = Fraction(ltv * HUNDREDTHS, floor) - total if floor else None
    if room is not None:
        steps.append(_step("room", "ltv ÷ floor − cac_after", room, "amount"))
    return Weighed(tuple(steps), before, after, _verdict(after, floor), room)


def _verdict(after: Fraction | None, floor: int) -> Verdict:
    if after is None:
        return "no_cost"
    least = Fraction(floor, HUNDREDTHS)
    if after == least:
        return "at_floor"
    return "above_floor" if after > least else "below_floor"


def _missing(figures: Figures) -> str:
    """A figure without which nothing can be divided."""
    needed: dict[str, int | Fraction] = {
        "customers": figures.customers,
        "months": figures.months,
        "new_customers": figures.new_customers,
    }
    if figures.lifetime_months is None:
        needed["churned"] = figures.churned
    return next((name for name, value in needed.items() if value <= 0), "")


def _step(
    name: str, formula: str, value: Fraction, unit: Literal["amount", "months", "ratio"]
) -> Step:
    return Step(name, formula, value, unit)
