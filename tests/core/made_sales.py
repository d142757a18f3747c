"""A sale's facts and plans for the tests of what it pays."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from app.core.commission import rule_on
from app.core.paying import Paid
from app.core.plans import Plan, parse
from app.core.reasons import Reason
from app.core.sale_facts import SaleFacts

AT = datetime(2026, 3, 15, 12, tzinfo=UTC)
SALE = SaleFacts(
    kind="sale",
    source="api",
    currency="eur",
    new=True,
    at=AT,
    amount=10_000,
    gross=11_900,
    quantity=1,
    product_ids=("pro", "seat"),
    customer_country="DE",
    customer_sales=0,
    customer_months=0,
    partner_country="AT",
    touch_kind="click",
    touch_code="anna",
    touch_at=AT - timedelta(days=3),
    recurring_since=AT,
)
LEAD = replace(SALE, kind="lead", currency="", amount=0, gross=0, product_ids=())


def plan_of(*rules: dict[str, Any]) -> Plan:
    return parse(
        {
            "hold_days": 30,
            "attribution": {"model": "last_click", "window_days": 30},
            "combine": "first_match",
            "rules": list(rules),
        }
    )


def rule(rule_id: str, pay: int | tuple[int, str] = 1_000, **fields: Any) -> dict[str, Any]:
    """pay: a rate in 1/10,000, or a flat amount with its currency."""
    if isinstance(pay, int):
        how: dict[str, Any] = {"percent_bps": pay}
    else:
        how = {"flat": {"amount": pay[0], "currency": pay[1]}}
    months = {"months": fields.pop("months")} if "months" in fields else {}
    return {"id": rule_id, "pay": how | months, **fields}


@dataclass(frozen=True, slots=True)
class Alone:
    """A ruling in which one rule at most decides. rule_id: None if none did."""

    rule_id: str | None
    base: int
    amount: int
    currency: str
    rate_bps: int | None
    reasons: tuple[Reason, ...]


def decide(plan: Plan, facts: SaleFacts) -> Alone:
    ruling = rule_on(plan, facts)
    assert len(ruling.paid) <= 1
    nobody = Paid("", facts.amount, 0, facts.currency, None, ())
    (paid,) = ruling.paid or (nobody,)
    return Alone(
        paid.rule_id or None, paid.base, paid.amount, paid.currency, paid.rate_bps, ruling.reasons
    )
