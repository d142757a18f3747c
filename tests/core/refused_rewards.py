"""What a rule may not say of whom it pays and in what: place, document, words of the refusal."""

from typing import Any

from tests.core.documents import paying, plan_of, rule

EUR = {"amount": 1, "currency": "eur"}
NO_AMOUNT = {"currency": "eur"}
SHARE: dict[str, Any] = {"to": "recruiter", "percent_bps": 1, "of": "commission"}
GIFT: dict[str, Any] = {"as": "gift"}
FREE: dict[str, Any] = {"as": "free_months"}
FEATURE: dict[str, Any] = {"as": "feature"}
CREDIT: dict[str, Any] = {"as": "credit"}

REFUSED_REWARDS: list[tuple[str, dict[str, Any], str]] = [
    ("rules/0/pay/of", paying(percent_bps=1, of="commission"), "no meaning to the partner"),
    ("rules/0/pay/of", paying(percent_bps=1, of="commission", to="customer"), "to the customer"),
    ("rules/0/pay/percent_bps", paying(flat=EUR, of="commission", to="company"), "missing"),
    (
        "rules/0/pay/per",
        paying(percent_bps=1, of="commission", to="company", per="line"),
        "of comm",
    ),
    ("rules/0/pay/level", paying(percent_bps=1, level=1), "no meaning to the partner"),
    ("rules/0/pay/level", paying(percent_bps=1, to="recruiter", level=3), "out of range"),
    ("rules/0/pay/item", paying(**GIFT, quantity=1), "missing"),
    ("rules/0/pay/item", paying(**GIFT, quantity=1, item="A mug"), "not an item's id"),
    ("rules/0/pay/item", paying(**FREE, quantity=1, item="x"), "as free_months"),
    ("rules/0/pay/item", paying(percent_bps=1, item="x"), "as cash"),
    ("rules/0/pay/quantity", paying(percent_bps=1, quantity=1), "as cash"),
    ("rules/0/pay/quantity", paying(**FEATURE, item="sso"), "missing"),
    ("rules/0/pay/quantity", paying(**FEATURE, item="sso", quantity=0), "out of range"),
    ("rules/0/pay/flat", paying(**FREE, quantity=1, flat=EUR), "as free_months"),
    ("rules/0/pay/cost", paying(**CREDIT, percent_bps=1, cost=EUR), "as credit"),
    (
        "rules/0/pay/cost/amount",
        paying(**FREE, quantity=1, cost=NO_AMOUNT),
        "miss",
    ),
    ("rules/0/cap", paying({"per": "customer", "count": 1}, **SHARE), "of commission"),
    (
        "rules/0/cap/amount",
        paying({"per": "customer", "amount": EUR}, **FREE, quantity=1),
        "as free_months",
    ),
    (
        "rules/0",
        plan_of(rule(pay={"percent_bps": 1, "as": "discount"}), combine="best"),
        "best can't compare",
    ),
]
