"""A plan with several rules at once, from the API to the ledger and back through `verify`."""

from typing import Any, Final

from app.db.engine import Database
from tests.http.client import Api
from tests.http.selling import Selling, open_selling, verified

PLAN: Final[dict[str, Any]] = {
    "hold_days": 30,
    "attribution": {"model": "last_click", "window_days": 60},
    "combine": "sum",
    "rules": [
        {
            "id": "pro",
            "match": {"product_ids": ["pro"]},
            "pay": {"per": "line", "percent_bps": 1_000},
            "cap": {"per": "customer", "amount": {"amount": 900, "currency": "usd"}},
        },
        {
            "id": "seat",
            "match": {"product_ids": ["seat"]},
            "pay": {"per": "unit", "flat": {"amount": 50, "currency": "usd"}, "payments": 2},
        },
        {
            "id": "welcome",
            "match": {"new": True},
            "pay": {"flat": {"amount": 300, "currency": "usd"}},
            "adds": True,
        },
    ],
}
LINES: Final = [
    {"product_id": "pro", "amount": 6_000, "quantity": 1},
    {"product_id": "seat", "amount": 4_000, "quantity": 4},
]


async def test_each_rule_is_a_commission_and_every_decision_can_be_repeated(
    api: Api, database: Database
) -> None:
    selling = await open_selling(api, database, plan=PLAN)
    first = await sell(selling, 1, click_id=selling.click())
    assert paid(first) == {"pro": 600, "seat": 200, "welcome": 300}
    await refund(selling, 5_000)
    # Half of the first 6.00 went back, so 6.00 of 9.00 are left again.
    assert paid(await sell(selling, 2)) == {"pro": 600, "seat": 200}
    # Number three: no seats any more, and nothing is left of the cap.
    third = await sell(selling, 3)
    assert paid(third) == {}
    assert {"cap_applied", "payments_over"} <= {r["code"] for r in third["outcome"]["reasons"]}
    listed = (await selling.api.get("/commissions"))["data"]
    assert sorted((c["amount"], c["reversed"]) for c in listed) == [
        (200, 0),
        (200, 100),
        (300, 150),
        (600, 0),
        (600, 300),
    ]
    (balance,) = (await selling.api.get(f"/partners/{selling.partner['id']}/balance"))["data"]
    assert balance["pending"] == 1_100 - 550 + 800
    await verified(selling)


async def sell(selling: Selling, number: int, **changes: Any) -> Any:
    body = selling.sale(invoice_id=f"INV-{number}", lines=LINES, subscription_id="sub-1")
    return await selling.api.post("/track/sale", {**body, **changes}, status=200)


async def refund(selling: Selling, amount: int) -> None:
    body = {"invoice_id": "INV-1", "amount_refunded": amount, "currency": "usd", "refund_id": "r1"}
    await selling.api.post("/track/refund", body, status=200)


def paid(told: Any) -> dict[str, int]:
    """By rule, what a sale earned."""
    rules = {}
    for reason in told["outcome"]["reasons"]:
        if reason["code"] in {"rule_paid", "cap_applied"}:
            rules[reason["params"]["rule"]] = reason["params"]["amount"]
    return {rule: amount for rule, amount in rules.items() if amount}
