"""All that a rule may look at when it decides on one sale."""

from calendar import monthrange
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final

from app.core.conditions import Fact
from app.core.events import Line
from app.core.money import MAX_AMOUNT
from app.core.periods import Period, period_of
from app.core.qualification import NONE, Qualification
from app.core.records import record
from app.core.tallies import WHOLE, Slice

_NO_TOUCH_AT: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MOST_VALUE: Final = MAX_AMOUNT * 100_000
"""What a condition reckons with has 64 bits."""


@record
class Earlier:
    """What a rule paid for an earlier sale or lead of the customer and had not gone back by now."""

    rule_id: str
    at: datetime
    amount: int
    currency: str


@record
class SaleFacts:
    """Amounts in minor units, unknown text empty, unknown number 0.

    kind: lead, sale or renewal; a lead has amount 0 and no currency. amount: the base.
    customer_sales: paid earlier. customer_months: whole months since the first paid sale.
    customer_value: bases of all paid earlier in the sale's currency, refunded or not.
    recurring_since: the first paid sale of the subscription, else of the customer.
    payment: which paid sale of the subscription it is, else of the customer; 1 the first.
    lines: one or more that sum to the base, unless lines_complete says that some are unknown.
    earlier: what the program's rules paid for the customer before; only if a cap asks for it.
    partner: what the credited partner has in the program. partner_since, program_since: when it
    was enrolled and the program begun. commission: what the credited partner has of it in cash and
    its currency, told to rules for others; None: nothing. slice: the credited partner's part of it,
    and where the partner's totals stand before it.
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
    partner: Qualification = NONE
    partner_since: datetime | None = None
    program_since: datetime | None = None
    commission: tuple[int, str] | None = None
    slice: Slice = WHOLE

    @property
    def nth(self) -> int:
        """Which of the customer's paid sales it is; a lead is none of them."""
        return 0 if self.kind == "lead" else self.customer_sales + 1


def cel_facts(facts: SaleFacts, names: Collection[str]) -> Mapping[str, Fact]:
    """The facts by the names that conditions use; no touch reads as the year 1970.

    names: those that some condition uses; more would only take time.
    """
    return {name: CEL_FACTS[name](facts) for name in names}


def _by_product(facts: SaleFacts, of: Callable[[Line], int]) -> dict[str, int]:
    """Lines summed by product."""
    sums: dict[str, int] = {}
    for line in facts.lines:
        sums[line.product_id] = sums.get(line.product_id, 0) + of(line)
    return {product: _bounded(total) for product, total in sums.items()}


def _bounded(total: int) -> int:
    return max(-_MOST_VALUE, min(total, _MOST_VALUE))


def _sales(facts: SaleFacts, period: Period) -> int:
    return facts.slice.sales(period_of(facts.at, period))


def _revenue(facts: SaleFacts, period: Period) -> int:
    """In the sale's currency; a lead has none."""
    if not facts.currency:
        return 0
    return _bounded(facts.slice.sales(period_of(facts.at, period), facts.currency))


def _days(since: datetime | None, at: datetime) -> int:
    return max(0, (at - since).days) if since else 0


CEL_FACTS: Final[Mapping[str, Callable[[SaleFacts], Fact]]] = MappingProxyType(
    {
        "sale.kind": lambda facts: facts.kind,
        "sale.source": lambda facts: facts.source,
        "sale.currency": lambda facts: facts.currency,
        "sale.new": lambda facts: facts.new,
        "sale.at": lambda facts: facts.at,
        "sale.amount": lambda facts: facts.amount,
        "sale.gross": lambda facts: facts.gross,
        "sale.quantity": lambda facts: facts.quantity,
        "sale.product_ids": lambda facts: list(facts.product_ids),
        "sale.product_amounts": lambda facts: _by_product(facts, lambda line: line.amount),
        "sale.product_quantities": lambda facts: _by_product(facts, lambda line: line.quantity),
        "sale.line_amounts": lambda facts: [line.amount for line in facts.lines],
        "sale.payment": lambda facts: facts.payment,
        "sale.months": lambda facts: months_between(facts.recurring_since, facts.at),
        "customer.country": lambda facts: facts.customer_country,
        "customer.sales": lambda facts: facts.customer_sales,
        "customer.months": lambda facts: facts.customer_months,
        "customer.value": lambda facts: _bounded(facts.customer_value),
        "partner.country": lambda facts: facts.partner_country,
        "partner.tier": lambda facts: facts.partner.tier,
        "partner.certified": lambda facts: facts.partner.certified,
        "partner.agreement": lambda facts: facts.partner.agreement,
        "partner.month_sales": lambda facts: _sales(facts, "month"),
        "partner.month_revenue": lambda facts: _revenue(facts, "month"),
        "partner.quarter_sales": lambda facts: _sales(facts, "quarter"),
        "partner.quarter_revenue": lambda facts: _revenue(facts, "quarter"),
        "partner.year_sales": lambda facts: _sales(facts, "year"),
        "partner.year_revenue": lambda facts: _revenue(facts, "year"),
        "partner.life_sales": lambda facts: _sales(facts, "life"),
        "partner.life_revenue": lambda facts: _revenue(facts, "life"),
        "partner.enrolled_days": lambda facts: _days(facts.partner_since, facts.at),
        "program.days": lambda facts: _days(facts.program_since, facts.at),
        "touch.kind": lambda facts: facts.touch_kind,
        "touch.code": lambda facts: facts.touch_code,
        "touch.at": lambda facts: facts.touch_at or _NO_TOUCH_AT,
    }
)
"""How each fact of a condition is read: one line for each name in `conditions.FACTS`."""


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
