"""What a rule pays, to whom, for how long and at most how much, in words."""

from typing import Final, assert_never

from app.core.bands import Bands, Step
from app.core.pays import CustomerCap, Flat, PartnerCap, Pay, Percent, SaleCap
from app.core.periods import Period
from app.core.rewards import Pieces, Reward
from app.core.rules import Rule
from app.core.units import Form, read_unit
from app.sentences import money, percent

_IN_PERIOD: Final[dict[Period, str]] = {
    "month": "calendar month",
    "quarter": "calendar quarter",
    "year": "calendar year",
    "life": "",
}


def receiver(reward: Reward | None) -> str:
    """Who has it, with the verb."""
    if reward is None:
        return "You earn"
    match reward.to:
        case "partner":
            return "You earn" if reward.form == "cash" else "You get"
        case "recruiter":
            whom = "the partner who recruited you" if reward.level == 2 else "you"
            return f"Whoever recruited {whom} earns"
        case "company":
            return "Your company earns"
        case "customer":
            return "The customer gets"
        case _:
            assert_never(reward.to)


def how_much(pay: Pay) -> str:
    """What goes before what it is paid for: `20 % of`, `5.00 EUR for`, `1 free month for`."""
    how, reward = pay.how, pay.reward
    form = _form(reward.form if reward else "cash")
    if reward is not None and reward.of == "commission":
        form = f" of what you earn{form} on"
    of, per = (" of", " for") if " on" not in form else ("", "")
    match how:
        case Percent(rate_bps):
            return f"{percent(rate_bps)}{form}{of}"
        case Flat(amount, currency):
            return f"{money(amount, currency)}{form}{per}"
        case Pieces(quantity, unit):
            return f"{pieces(quantity, unit)}{per}"
        case Bands():
            return f"a part{form}{of}"
        case _:
            assert_never(how)


def steps(pay: Pay) -> str:
    """The rates of bands, after what they are paid for; empty for other pays."""
    bands = pay.how
    if not isinstance(bands, Bands):
        return ""
    within = f" in {a_period(bands.period)}" if bands.period != "life" else ""
    told = ", ".join(_step(bands, step) for step in bands.steps)
    lowest = 0 if bands.by == "revenue" else 1
    below = "; below that nothing" if bands.steps[0].start > lowest else ""
    if bands.mode == "whole":
        by = "the number of your sales" if bands.by == "sales" else "your revenue"
        whole = "the lowest at once, and after its end the rest, by the rate reached for all of it"
        return f", by {by}{within}: {told}; {whole}"
    if bands.by == "sales":
        return f", by the number of your sales{within}: {told}{below}"
    return f", by your revenue{within}, each part of it by its own rate: {told}{below}"


def term(pay: Pay) -> str:
    """For how long it is paid; empty for good."""
    limits = [
        *([_count(pay.months, "calendar month")] if pay.months is not None else []),
        *([_count(pay.payments, "payment")] if pay.payments is not None else []),
    ]
    if not limits:
        return ""
    which = "the first " + " and the first ".join(limits)
    first = " (whichever ends first)" if len(limits) > 1 else ""
    return f", for {which}{first} of a subscription, or of a customer without one"


def cap(rule: Rule) -> str:
    """At most how much; empty if there is no limit."""
    found = rule.cap
    match found:
        case None:
            return ""
        case SaleCap(amount, bill):
            limits = [money(amount.amount, amount.currency)] if amount else []
            limits += [f"{percent(bill)} of what is paid"] if bill is not None else []
            least = " (whichever is less)" if len(limits) > 1 else ""
            return f", at most {' or '.join(limits)} for one sale{least}"
        case CustomerCap(amount, count, period):
            whom = "for one customer"
        case PartnerCap(amount, count, period):
            whom = "in all"
        case _:
            assert_never(found)
    limits = [money(amount.amount, amount.currency)] if amount else []
    limits += [f"for {_count(count, 'sale')}"] if count is not None else []
    within = f" in {a_period(period)}" if period != "life" else ""
    return f", at most {' and '.join(limits)} {whom}{within}"


def pieces(quantity: int, unit: str) -> str:
    """`1 free month`, `2 × the gift "mug"`."""
    kind = read_unit(unit)
    match kind.form:
        case "free_months":
            return _count(quantity, "free month")
        case "gift" | "feature":
            times = "" if quantity == 1 else f"{quantity} × "
            return f"{times}the {kind.form} “{kind.item or ''}”"
        case "cash" | "credit" | "discount":
            return money(quantity, kind.currency or "")
        case _:
            assert_never(kind.form)


def a_period(period: Period) -> str:
    """`a calendar month`."""
    return f"a {_IN_PERIOD[period]}"


def ordinal(number: int) -> str:
    """`1st`, `2nd`, `3rd`, `11th`."""
    last = 0 if number % 100 in {11, 12, 13} else number % 10
    return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(last, 'th') }"


def _step(bands: Bands, step: Step) -> str:
    rate = percent(step.rate_bps) if step.rate_bps is not None else ""
    paid = money(step.flat.amount, step.flat.currency) if step.flat else rate
    if bands.by == "sales":
        return f"{paid} from the {ordinal(step.start)} on"
    return f"{paid} from {money(step.start, bands.currency)} on"


def _form(form: Form) -> str:
    match form:
        case "credit":
            return " as credit"
        case "discount":
            return " as a discount"
        case "cash" | "free_months" | "gift" | "feature":
            return ""
        case _:
            assert_never(form)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
