"""A preview gives what a real sale then gets, to the cent, and says clearly what it can't."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.core.binding_terms import months_after
from tests.http.client import PLAN, Api, click_on, make_partner, make_program

EUR = {"currency": "eur"}
RULES: dict[str, list[dict[str, Any]]] = {
    "percent": [{"id": "a", "pay": {"percent_bps": 1_234}}],
    "first month": [
        {"id": "a", "pay": {"percent_bps": 3_000, "months": 2}},
        {"id": "b", "pay": {"percent_bps": 1_111}},
    ],
    "first three": [{"id": "a", "pay": {"percent_bps": 2_500, "payments": 3}}],
    "a cap a customer": [
        {
            "id": "a",
            "pay": {"percent_bps": 5_000},
            "cap": {"per": "customer", "amount": {"amount": 4_000, **EUR}, "period": "life"},
        }
    ],
    "a cap a partner": [
        {
            "id": "a",
            "pay": {"percent_bps": 5_000},
            "cap": {"per": "partner", "amount": {"amount": 4_000, **EUR}, "period": "year"},
        }
    ],
    "bands": [
        {
            "id": "a",
            "pay": {
                "bands": {
                    "by": "sales",
                    "period": "life",
                    "mode": "graduated",
                    "steps": [
                        {"from": 1, "percent_bps": 500},
                        {"from": 3, "percent_bps": 1_000},
                        {"from": 5, "percent_bps": 2_000},
                    ],
                }
            },
        }
    ],
    "products": [
        {
            "id": "seats",
            "match": {"product_ids": ["seat"]},
            "pay": {"per": "unit", "flat": {"amount": 77, **EUR}},
        },
        {
            "id": "pro",
            "match": {"product_ids": ["pro"]},
            "pay": {"per": "line", "percent_bps": 999},
            "adds": True,
        },
    ],
    "conditions": [
        {"id": "home", "when": "customer.country == 'DE'", "pay": {"percent_bps": 700}},
        {"id": "loyal", "when": "customer.sales >= 2", "pay": {"percent_bps": 900}},
        {"id": "rich", "when": "customer.value > 5000", "pay": {"percent_bps": 1_100}},
        {"id": "abroad", "when": "partner.country == 'AT'", "pay": {"percent_bps": 1_300}},
    ],
    "an error": [{"id": "a", "when": "10 / (sale.amount - 3333) > 1", "pay": {"percent_bps": 1}}],
    "nobody": [{"id": "a", "match": {"countries": ["US"]}, "pay": {"percent_bps": 1}}],
    "dollars": [{"id": "a", "pay": {"flat": {"amount": 1, "currency": "usd"}}}],
}
SALES: list[dict[str, Any]] = [
    {"amount": 3_333},
    {"amount": 9_999, "customer": {"country": "DE"}},
    {"amount": 5_000, "customer": {"earlier_sales": 3, "earlier_value": 10_001, "months": 2}},
    {
        "amount": 4_100,
        "lines": [
            {"product_id": "seat", "amount": 4_200, "quantity": 3},
            {"product_id": "pro", "amount": -100, "quantity": 1},
        ],
    },
    {"kind": "renewal", "amount": 2_501, "customer": {"earlier_sales": 4}},
]


@pytest.mark.parametrize("combine", ["first_match", "sum"])
@pytest.mark.parametrize("name", RULES)
async def test_a_preview_is_what_a_sale_then_gets(api: Api, name: str, combine: str) -> None:
    plan = {**PLAN, "combine": combine, "rules": RULES[name]}
    program = await make_program(api, currency="eur", plan=plan)
    partner = await make_partner(api, program, country="AT")
    for number, wanted in enumerate(SALES):
        at = datetime.now(UTC) + timedelta(seconds=number)
        asked = {**wanted, **EUR, "occurred_at": at.isoformat(), "partner": {"id": partner["id"]}}
        told = await api.post(f"/plans/{program['plan_id']}/preview", asked, status=200)
        same = {**asked, "plan": plan, "program_id": program["id"]}
        assert _essence(await api.post("/plans/preview", same, status=200)) == _essence(told)
        got = await sell(api, partner, asked, at, f"{name}-{number}")
        awards = {(a["rule"], a["amount"], a["currency"]) for a in told["awards"]}
        assert {(c["rule"], c["amount"], c["currency"]) for c in got["commissions"]} == awards
        assert (got["kind"], got["new"], got["gross"]) == (told["kind"], told["new"], told["gross"])
        codes = [reason["code"] for reason in told["reasons"]]
        assert [r["code"] for r in got["reasons"] if r["code"] != "touch_counted"] == [
            code for code in codes if code != "touch_counted"
        ]
        assert all(reason["text"] for reason in told["reasons"])


async def sell(api: Api, partner: Any, asked: dict[str, Any], at: datetime, who: str) -> Any:
    """The same for real: the earlier sales, the click before them, the sale."""
    customer = asked.get("customer", {})
    count, months = customer.get("earlier_sales", 0), customer.get("months")
    value = customer.get("earlier_value", asked["amount"] * count)
    renewal = {"subscription_id": who} if asked.get("kind") == "renewal" else {}
    country = {"customer_country": customer["country"]} if "country" in customer else {}
    first = months_after(at, -(months or count))
    token = click_on(partner["default_link"], api.app, first - timedelta(minutes=1))
    common = {"customer_external_id": who, **EUR, **renewal, **country, "click_id": token}
    for n in range(count):
        each = value // count + (value % count if n == 0 else 0)
        when = months_after(at, n - count) if months is None else first + (at - first) * n / count
        body = {
            **common,
            "amount": each,
            "invoice_id": f"{who}-{n}",
            "occurred_at": when.isoformat(),
        }
        await api.post("/track/sale", body, status=200)
    lines = {"lines": asked["lines"]} if "lines" in asked else {}
    body = {
        **common,
        **lines,
        "amount": asked["amount"],
        "invoice_id": who,
        "occurred_at": at.isoformat(),
    }
    sold = await api.post("/track/sale", body, status=200)
    found = await api.get(f"/conversions/{sold['outcome']['conversion_id']}")
    details = [await api.get(f"/commissions/{c['id']}") for c in found["commissions"]]
    return {**found, "commissions": [d for d in details if d["amount"]]}


def _essence(told: Any) -> Any:
    """All but what tells a stored version from a document."""
    return {**told, "reasons": [r["code"] for r in told["reasons"]]}


SALE = {"amount": 1_000, "currency": "eur"}
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no amount": ({"currency": "eur"}, "body/amount"),
    "no currency": ({"amount": 1}, "body/currency"),
    "an unknown currency": ({**SALE, "currency": "eux"}, "body/currency"),
    "a lead's amount": ({"kind": "lead", "amount": 5}, "body/amount"),
    "a first renewal": ({**SALE, "kind": "renewal"}, "body/customer/earlier_sales"),
    "lines of another sum": (
        {**SALE, "lines": [{"product_id": "a", "amount": 1}]},
        "body/lines",
    ),
    "value of nothing": ({**SALE, "customer": {"earlier_value": 5}}, "body/customer/earlier_value"),
    "too little value": (
        {**SALE, "customer": {"earlier_sales": 5, "earlier_value": 2}},
        "body/customer/earlier_value",
    ),
    "another word": ({**SALE, "colour": "red"}, "body/colour"),
    "an unknown country": ({**SALE, "customer": {"country": "XX"}}, "body/customer/country"),
    "a code of a click": ({**SALE, "touch": {"kind": "click", "code": "A"}}, "body/touch"),
    "more than there is": ({**SALE, "amount": 10**13, "tax": 1}, "body/tax"),
    "a made-up id": ({**SALE, "partner": {"id": "part_1"}}, "body/partner/id"),
    "the end of time": ({**SALE, "occurred_at": "9999-12-31T23:59:59Z"}, "body/occurred_at"),
    "the year 1": ({**SALE, "occurred_at": "0001-01-01T00:00:00Z"}, "body/occurred_at"),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_what_can_not_be_is_refused_with_its_place(api: Api, name: str) -> None:
    program = await make_program(api, currency="eur")
    body, place = REFUSED[name]
    path = f"/plans/{program['plan_id']}/preview"
    problem = await api.post(path, body, status=422)
    assert place in {error["place"] for error in problem["errors"]}, problem


async def test_a_partner_of_another_program_is_unknown(api: Api) -> None:
    program, other = await make_program(api), await make_program(api)
    partner = await make_partner(api, other)
    body = {**SALE, "partner": {"id": partner["id"]}}
    path = f"/plans/{program['plan_id']}/preview"
    assert (await api.post(path, body, status=404))["errors"][0]["place"] == "body/partner/id"
    problem = await api.post("/plans/preview", {**body, "plan": PLAN}, status=422)
    assert problem["errors"][0]["place"] == "body/program_id"


async def test_a_made_up_partner_has_what_is_said(api: Api) -> None:
    rules = [
        {"id": "gold", "match": {"tiers": ["gold"]}, "pay": {"percent_bps": 3_000}},
        {"id": "home", "when": "partner.country == 'DE'", "pay": {"percent_bps": 2_000}},
        {"id": "coded", "when": "touch.code == 'ANA'", "pay": {"percent_bps": 1_500}},
        {"id": "all", "pay": {"percent_bps": 1_000}},
        {"id": "lead", "match": {"kind": "lead"}, "pay": {"flat": {"amount": 9, **EUR}}},
    ]
    plan = {**PLAN, "rules": rules}
    code = {"touch": {"kind": "code", "code": "ana"}}
    cases: list[tuple[dict[str, Any], str, int]] = [
        ({**SALE, "partner": {"tier": "gold"}}, "gold", 300),
        ({**SALE, "partner": {"country": "DE"}}, "home", 200),
        ({**SALE, **code}, "coded", 150),
        ({**SALE, "tax": 190}, "all", 100),
        ({"kind": "lead"}, "lead", 9),
        *[({**SALE, "touch": {"kind": k}}, "all", 100) for k in ("deal", "referrer", "click")],
    ]
    for asked, rule, amount in cases:
        told = await api.post("/plans/preview", {**asked, "plan": plan}, status=200)
        assert [(a["rule"], a["amount"]) for a in told["awards"]] == [(rule, amount)], told
        assert told["gross"] == told["amount"] + asked.get("tax", 0)


async def test_a_window_that_is_over_is_told(api: Api) -> None:
    asked = {**SALE, "plan": PLAN, "touch": {"days_before": 61}}
    told = await api.post("/plans/preview", asked, status=200)
    assert told["awards"] == []
    assert "outside_window" in {reason["code"] for reason in told["reasons"]}


async def test_a_customer_of_a_hundred_years_is_still_the_partner_s(api: Api) -> None:
    customer = {"earlier_sales": 100, "months": 1_200}
    asked = {**SALE, "plan": PLAN, "customer": customer, "touch": {"days_before": 60}}
    asked["occurred_at"] = "2000-01-01T00:00:00Z"
    told = await api.post("/plans/preview", asked, status=200)
    assert [award["amount"] for award in told["awards"]] == [200], told


async def test_a_document_that_is_no_plan_is_refused_with_all_its_errors(api: Api) -> None:
    plan = {**PLAN, "hold_days": "30", "rules": [{"id": "a", "when": "x", "pay": {}}]}
    problem = await api.post("/plans/preview", {**SALE, "plan": plan}, status=422)
    assert problem["code"] == "plan_invalid"
    assert len(problem["errors"]) == 3


async def test_nothing_is_stored(api: Api) -> None:
    program = await make_program(api)
    await api.post(f"/plans/{program['plan_id']}/preview", SALE, status=200)
    for path in ("/conversions", "/events", "/customers", "/commissions"):
        assert (await api.get(path))["data"] == []
