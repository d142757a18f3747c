"""All that a rule may look at when it decides on one sale."""

from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from app.core.conditions import Fact
from app.core.events import Line
from app.core.money import MAX_AMOUNT

_NO_TOUCH_AT: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MOST_VALUE: Final = MAX_AMOUNT * 100_000
"""What a condition reckons with has 64 bits."""


@dataclass(frozen=True, slots=True)
class Earlier:
    """What a rule paid for an earlier sale or lead of the customer and had not gone back by now."""

    rule_id: str
    at: datetime
    amount: int
    currency: str


@dataclass(frozen=True, slots=True)
class SaleFacts:
    """Amounts in minor units, unknown text empty, unknown number 0.

    kind: lead, sale or renewal; a lead has amount 0 and no currency. amount: the base.
    customer_sales: paid earlier. customer_months: whole months since the first paid sale.
    customer_value: bases of all paid earlier in the sale's currency, refunded or not.
    recurring_since: the first paid sale of the subscription, else of the customer.
    payment: which paid sale of the subscription it is, else of the customer; 1 the first.
    lines: one or more that sum to the base, unless lines_complete says that some are unknown.
    earlier: what the program's rules paid for the customer before; only if a cap asks for it.
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
    payment: int = 1
    customer_value: int = 0
    lines: tuple[Line, ...] = ()
    lines_complete: bool = True
    earlier: tuple[Earlier, ...] = ()

    @property
    def nth(self) -> int:
        """Which of the customer's paid sales it is; a lead is none of them."""
        return 0 if self.kind == "lead" else self.customer_sales + 1


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
        "sale.payment": facts.payment,
        "sale.months": months_between(facts.recurring_since, facts.at),
        "customer.country": facts.customer_country,
        "customer.sales": facts.customer_sales,
        "customer.months": facts.customer_months,
        "customer.value": max(-_MOST_VALUE, min(facts.customer_value, _MOST_VALUE)),
        "partner.country": facts.partner_country,
        "touch.kind": facts.touch_kind,
        "touch.code": facts.touch_code,
        "touch.at": facts.touch_at or _NO_TOUCH_AT,
    }


def months_between(start: datetime, at: datetime) -> int:
    """Whole calendar months in UTC, 0 if `at` is not later. The day is clamped to the month's end:
    one month after Jan 31 is Feb 28, or 29.
    """
    if at <= start:
        return 0
    start, at = start.astimezone(UTC), at.astimezone(UTC)
    months = (at.year - start.year) * 12 + at.month - start.month
    anniversary_day = min(start.day, monthrange(at.year, at.month)[1])
    if (at.day, at.timetz()) < (anniversary_day, start.timetz()):
        months -= 1
    return months
