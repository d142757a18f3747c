"""LTV:CAC of a program: by entered figures, by its own sales, by what a plan would pay."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.http.client import PLAN, Api, click_on, make_partner, make_program

FIGURES = {
    "revenue": 1_200_000, "customers": 120, "months": 12, "new_customers": 50, "churned": 10,
}  # fmt: skip
ASKED: dict[str, Any] = {
    "figures": FIGURES,
    "margin_bps": 8_000,
    "acquisition_cost": 600_000,
    "incentive": {"cash": 12_000, "non_cash": 4_000},
}


async def test_entered_figures_are_worked_out_step_by_step(api: Api) -> None:
    """The same numbers as by hand in tests/core/test_ltv_cac.py."""
    program = await make_program(api)
    path = f"/programs/{program['id']}/ltv-cac"
    told = await api.post(path, ASKED, status=200)
    assert (told["before"], told["after"], told["verdict"]) == (800, 342, "below_floor")
    assert told["room"] == -4_000
    assert told["text"] == "With it LTV:CAC is 3.42, below the floor of 4.00."
    steps = {step["name"]: (step["value"], step["exact"]) for step in told["steps"]}
    assert steps["arpu"] == (833, "2500/3")
    assert steps["ratio_after"] == (342, "24/7")
    await api.patch(f"/programs/{program['id']}", {"ltv_cac_floor": 300})
    assert (await api.post(path, ASKED, status=200))["verdict"] == "above_floor"


async def test_a_plan_costs_what_it_pays_a_typical_customer(api: Api) -> None:
    """Ten months at 1,000: 20 % for three of them is 600; a free month at 150 once; the customer's
    discount of 10 % on the first is 100; mugs have no cost that anybody said.
    """
    program = await make_program(api)
    rules = [
        {"id": "share", "pay": {"percent_bps": 2_000, "months": 3}},
        {
            "id": "month",
            "match": {"new": True},
            "pay": {
                "to": "customer", "as": "free_months", "quantity": 1,
                "cost": {"amount": 150, "currency": "usd"},
            },
        },
        {
            "id": "less", "match": {"new": True}, "adds": True,
            "pay": {"to": "customer", "as": "discount", "percent_bps": 1_000},
        },
        {
            "id": "mug", "match": {"new": True}, "adds": True,
            "pay": {"to": "customer", "as": "gift", "item": "mug", "quantity": 1},
        },
    ]  # fmt: skip
    figures = {"revenue": 120_000, "customers": 10, "months": 12, "new_customers": 10}
    asked = {
        "figures": figures, "margin_bps": 10_000, "acquisition_cost": 10_000,
        "lifetime_months": 10, "plan": {**PLAN, "rules": rules},
    }  # fmt: skip
    told = await api.post(f"/programs/{program['id']}/ltv-cac", asked, status=200)
    assert told["incentive"] == {
        "cash": 600, "non_cash": 250, "replaces": 0, "sales": 10, "amount_each": 1_000,
        "without_cost": ["mug"],
    }  # fmt: skip
    # LTV 10,000; CAC 1,000 before, 1,850 after: 5.40.
    assert (told["before"], told["after"]) == (1_000, 540)
    draft = await api.post(f"/programs/{program['id']}/plans", {"plan": asked.pop("plan")})
    same = await api.post(
        f"/programs/{program['id']}/ltv-cac", {**asked, "plan_id": draft["id"]}, status=200
    )
    assert same == told


async def test_a_period_is_read_from_the_programs_own_sales(api: Api) -> None:
    program = await make_program(api)
    partner = await make_partner(api, program)
    now = datetime.now(UTC)
    for n, (who, days, amount, currency) in enumerate(
        [
            ("old", 200, 5_000, "usd"),
            ("old", 50, 4_000, "usd"),
            ("new", 40, 8_000, "usd"),
            ("new", 20, 8_000, "usd"),
            ("far", 30, 9_999, "eur"),
        ]
    ):
        token = click_on(partner["default_link"], api.app, now - timedelta(days=days + 1))
        body = {
            "customer_external_id": who, "amount": amount, "currency": currency,
            "invoice_id": f"i{n}", "click_id": token,
            "occurred_at": (now - timedelta(days=days)).isoformat(),
        }  # fmt: skip
        await api.post("/track/sale", body, status=200)
    back = {"invoice_id": "i2", "amount_refunded": 2_000, "currency": "usd"}
    await api.post("/track/refund", back, status=200)
    asked = {
        "from": (now - timedelta(days=100)).isoformat(), "to": now.isoformat(),
        "margin_bps": 5_000, "acquisition_cost": 1_000, "lifetime_months": 12,
        "incentive": {"cash": 500},
    }  # fmt: skip
    told = await api.post(f"/programs/{program['id']}/ltv-cac", asked, status=200)
    # 4,000 + 8,000 − 2,000 + 8,000 by two customers, one of them new; 100 days are 3.29 months.
    assert told["figures"] == {
        "revenue": 18_000, "customers": 2, "new_customers": 1, "churned": 0,
        "months_hundredths": 329, "other_currencies": 1,
    }  # fmt: skip
    del asked["lifetime_months"]
    problem = await api.post(f"/programs/{program['id']}/ltv-cac", asked, status=422)
    assert problem["errors"][0]["place"] == "body/lifetime_months"


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"figures": {**FIGURES, "churned": 0}}, "body/lifetime_months"),
        ({"figures": {**FIGURES, "customers": 0}}, "body/figures/customers"),
        ({"figures": None}, "body"),
        ({"incentive": None}, "body"),
        ({"plan": PLAN}, "body"),
        ({"from": "2026-01-01T00:00:00Z"}, "body"),
        ({"margin_bps": 10_001}, "body/margin_bps"),
        ({"incentive": None, "plan": {}}, "body/plan/rules"),
    ],
)
async def test_what_can_not_be_reckoned_is_refused(
    api: Api, changes: dict[str, Any], place: str
) -> None:
    program = await make_program(api)
    asked = {k: v for k, v in {**ASKED, **changes}.items() if v is not None}
    problem = await api.post(f"/programs/{program['id']}/ltv-cac", asked, status=422)
    assert place in {error["place"] for error in problem["errors"]}, problem
