"""What a rule pays and at most how much of it: its `pay` and `cap`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, cast

from app.core.documents import Fields, Node, read_money
from app.core.money import BPS, Money

Per = Literal["sale", "line", "unit"]
Period = Literal["month", "quarter", "year", "life"]

PERS: Final[tuple[Per, ...]] = ("sale", "line", "unit")
PERIODS: Final[tuple[Period, ...]] = ("month", "quarter", "year", "life")
MAX_MONTHS: Final = 1_200
MAX_PAYMENTS: Final = 10_000
MAX_COUNT: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Percent:
    """A share of the base: of the sale's, or of the lines' that the rule is about."""

    rate_bps: int


@dataclass(frozen=True, slots=True)
class Flat:
    """The same amount for each sale, line or unit, in minor units."""

    amount: int
    currency: str


@dataclass(frozen=True, slots=True)
class Pay:
    """how: how much. per: of what; lines and units are those of the rule's products.

    months, payments: for how many calendar months and for how many payments of a subscription it
    pays, counted from the first paid sale; None: for good.
    """

    how: Percent | Flat
    per: Per = "sale"
    months: int | None = None
    payments: int | None = None


@dataclass(frozen=True, slots=True)
class SaleCap:
    """The most that a rule pays for one sale; of two limits the lower one holds.

    percent_of_bill_bps: of what the customer paid, tax included.
    """

    amount: Money | None
    percent_of_bill_bps: int | None


@dataclass(frozen=True, slots=True)
class CustomerCap:
    """The most that a rule pays for all sales of one customer in a calendar period (UTC).

    count: for how many of them it pays at all.
    """

    amount: Money | None
    count: int | None
    period: Period


Cap = SaleCap | CustomerCap


def read_pay(node: Node) -> Pay:
    """Problems are left in the node."""
    fields = node.fields(
        (),
        ("to", "as", "percent_bps", "flat", "of", "per", "months", "payments"),
        later=("bands",),
    )
    fields["to"].choice(("partner",), later=("recruiter", "company", "customer"))
    later_forms = ("discount", "credit", "free_months", "gift", "feature")
    fields["as"].choice(("cash",), later=later_forms)
    fields["of"].choice(("sale",), later=("commission",))
    months, payments = fields["months"], fields["payments"]
    how = _read_how(node, fields)
    per = cast("Per", fields["per"].choice(PERS, default="sale"))
    if per == "unit" and isinstance(how, Percent) and not fields["percent_bps"].absent:
        fields["per"].refuse("has no meaning with percent_bps", "Give line, or a flat amount.")
    return Pay(
        how=how,
        per=per,
        months=None if months.absent else months.integer(1, MAX_MONTHS, default=1),
        payments=None if payments.absent else payments.integer(1, MAX_PAYMENTS, default=1),
    )


def pay_document(pay: Pay) -> dict[str, object]:
    """The normal form: all defaults written out."""
    document: dict[str, object] = {"to": "partner", "as": "cash", "of": "sale", "per": pay.per}
    match pay.how:
        case Percent(rate_bps):
            document["percent_bps"] = rate_bps
        case Flat(amount, currency):
            document["flat"] = {"amount": amount, "currency": currency}
    if pay.months is not None:
        document["months"] = pay.months
    if pay.payments is not None:
        document["payments"] = pay.payments
    return document


def read_cap(node: Node) -> Cap | None:
    """Problems are left in the node; None if there is no cap."""
    if node.absent:
        return None
    fields = node.fields(("per",), ("amount", "count", "percent_of_bill_bps", "period"))
    per = fields["per"].choice(("sale", "customer"), later=("partner",))
    amount, count = fields["amount"], fields["count"]
    percent, period = fields["percent_of_bill_bps"], fields["period"]
    limit = None if amount.absent else read_money(amount)
    share = None if percent.absent else percent.integer(0, BPS)
    number = None if count.absent else count.integer(1, MAX_COUNT, default=1)
    word = cast("Period", period.choice(PERIODS, default="life"))
    for misplaced in {"sale": (count, period), "customer": (percent,)}.get(per, ()):
        if not misplaced.absent:
            misplaced.refuse(f"has no meaning per {per}", "Leave it out.")
    given = (amount, percent) if per == "sale" else (amount, count)
    if per and all(field.absent for field in given):
        remedy = "amount or percent_of_bill_bps" if per == "sale" else "amount or count"
        node.refuse("limits nothing", f"Give {remedy}.")
    if per == "customer":
        return CustomerCap(limit, number, word)
    return SaleCap(limit, share)


def cap_document(cap: Cap) -> dict[str, object]:
    """The normal form."""
    document: dict[str, object] = {}
    if cap.amount is not None:
        document["amount"] = cap.amount.document()
    match cap:
        case SaleCap(_, percent):
            share = {} if percent is None else {"percent_of_bill_bps": percent}
            return {"per": "sale", **document, **share}
        case CustomerCap(_, count, period):
            number = {} if count is None else {"count": count}
            return {"per": "customer", **document, **number, "period": period}


def _read_how(node: Node, fields: Fields) -> Percent | Flat:
    percent, flat = fields["percent_bps"], fields["flat"]
    if isinstance(node.value, Mapping) and percent.absent == flat.absent:
        given = "says nothing of how much" if percent.absent else "gives both percent_bps and flat"
        node.refuse(given, "Give either percent_bps or flat.")
    if not flat.absent:
        money = read_money(flat)
        return Flat(money.amount, money.currency)
    return Percent(percent.integer(0, BPS))
