"""What a rule pays and at most how much of it: its `pay` and `cap`."""

from collections.abc import Mapping
from typing import Final, Literal, cast

from app.core.bands import Bands, bands_document, read_bands
from app.core.documents import Fields, Node, read_money
from app.core.money import BPS, Money
from app.core.periods import PERIODS, Period
from app.core.records import record
from app.core.rewards import Pieces, Reward, read_pieces, read_reward, reward_document
from app.core.units import PIECES

Per = Literal["sale", "line", "unit"]

PERS: Final[tuple[Per, ...]] = ("sale", "line", "unit")
MAX_MONTHS: Final = 1_200
MAX_PAYMENTS: Final = 10_000
MAX_COUNT: Final = 1_000_000


@record
class Percent:
    """A share of the base: of the sale's, or of the lines' that the rule is about."""

    rate_bps: int


@record
class Flat:
    """The same amount for each sale, line or unit, in minor units."""

    amount: int
    currency: str


@record
class Pay:
    """how: how much. per: of what; lines and units are those of the rule's products.

    months, payments: for how many calendar months and for how many payments of a subscription it
    pays, counted from the first paid sale; None: for good. reward: what it gives if that is not
    the credited partner's cash.
    """

    how: Percent | Flat | Pieces | Bands
    per: Per = "sale"
    months: int | None = None
    payments: int | None = None
    reward: Reward | None = None


@record
class SaleCap:
    """The most that a rule pays for one sale; of two limits the lower one holds.

    percent_of_bill_bps: of what the customer paid, tax included.
    """

    amount: Money | None
    percent_of_bill_bps: int | None


@record
class CustomerCap:
    """The most that a rule pays for all sales of one customer in a calendar period (UTC).

    count: for how many of them it pays at all.
    """

    amount: Money | None
    count: int | None
    period: Period


@record
class PartnerCap:
    """The most that a rule pays one recipient in a calendar period (UTC), over all customers.

    count: for how many sales it pays at all.
    """

    amount: Money | None
    count: int | None
    period: Period


Cap = SaleCap | CustomerCap | PartnerCap


def read_pay(node: Node) -> Pay:
    """Problems are left in the node."""
    fields = node.fields(
        (),
        (
            *("to", "level", "as", "item", "quantity", "cost", "of"),
            *("percent_bps", "flat", "bands", "per", "months", "payments"),
        ),
    )
    reward = read_reward(fields)
    months, payments = fields["months"], fields["payments"]
    is_pieces = reward is not None and reward.form in PIECES
    how = read_pieces(fields, reward) if reward and is_pieces else _read_how(node, fields)
    per = cast("Per", fields["per"].choice(PERS, default="sale"))
    if per == "unit" and isinstance(how, Percent) and not fields["percent_bps"].absent:
        fields["per"].refuse("has no meaning with percent_bps", "Give line, or a flat amount.")
    if reward is not None and isinstance(how, Bands) and how.mode == "whole":
        fields["bands"].child("mode").refuse("whole pays the partner's cash only", "Say graduated.")
    if per != "sale" and isinstance(how, Bands):
        fields["per"].refuse("has no meaning with bands", "Leave it out.")
    return Pay(
        how=how,
        per=per,
        months=None if months.absent else months.integer(1, MAX_MONTHS, default=1),
        payments=None if payments.absent else payments.integer(1, MAX_PAYMENTS, default=1),
        reward=reward,
    )


def pay_document(pay: Pay) -> dict[str, object]:
    """The normal form: all defaults written out."""
    document = {**reward_document(pay.reward), "per": pay.per}
    match pay.how:
        case Percent(rate_bps):
            document["percent_bps"] = rate_bps
        case Flat(amount, currency):
            document["flat"] = {"amount": amount, "currency": currency}
        case Pieces(quantity, _):
            document["quantity"] = quantity
        case Bands():
            document["bands"] = bands_document(pay.how)
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
    per = fields["per"].choice(("sale", "customer", "partner"))
    amount, count = fields["amount"], fields["count"]
    percent, period = fields["percent_of_bill_bps"], fields["period"]
    limit = None if amount.absent else read_money(amount)
    share = None if percent.absent else percent.integer(0, BPS)
    number = None if count.absent else count.integer(1, MAX_COUNT, default=1)
    word = cast("Period", period.choice(PERIODS, default="life"))
    for misplaced in (count, period) if per == "sale" else (percent,):
        if not misplaced.absent:
            misplaced.refuse(f"has no meaning per {per}", "Leave it out.")
    given = (amount, percent) if per == "sale" else (amount, count)
    if per and all(field.absent for field in given):
        remedy = "amount or percent_of_bill_bps" if per == "sale" else "amount or count"
        node.refuse("limits nothing", f"Give {remedy}.")
    if per == "customer":
        return CustomerCap(limit, number, word)
    if per == "partner":
        return PartnerCap(limit, number, word)
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
        case CustomerCap(_, count, period) | PartnerCap(_, count, period):
            number = {} if count is None else {"count": count}
            per = "customer" if isinstance(cap, CustomerCap) else "partner"
            return {"per": per, **document, **number, "period": period}


def _read_how(node: Node, fields: Fields) -> Percent | Flat | Bands:
    percent, flat, bands = fields["percent_bps"], fields["flat"], fields["bands"]
    given = [name for name in ("percent_bps", "flat", "bands") if not fields[name].absent]
    if isinstance(node.value, Mapping) and len(given) != 1:
        told = f"gives both {' and '.join(given[:2])}" if given else "says nothing of how much"
        node.refuse(told, "Give one of percent_bps, flat and bands.")
    if not bands.absent:
        return read_bands(bands)
    if not flat.absent:
        money = read_money(flat)
        return Flat(money.amount, money.currency)
    return Percent(percent.integer(0, BPS))
