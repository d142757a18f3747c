"""Lint over HTTP: documents that are no plans, versions, and conditions tried on stored sales."""

import asyncio
import time
from itertools import pairwise
from typing import Any

from tests.http.client import PLAN, Api, click_on, make_partner, make_program

RULES: list[dict[str, Any]] = [
    {"id": "rich", "when": "sale.amount > 1000000", "pay": {"percent_bps": 100}},
    {"id": "any", "when": "sale.amount > 0", "pay": {"percent_bps": 200}},
    {"id": "some", "when": "sale.amount > 1010", "pay": {"percent_bps": 300}},
    {"id": "odd", "when": "10 / (sale.amount - 1003) > 0", "pay": {"percent_bps": 400}},
    {"id": "us", "match": {"countries": ["US"]}, "pay": {"percent_bps": 500}},
    {
        "id": "usd", "match": {"min_amount": {"amount": 1, "currency": "jpy"}},
        "pay": {"percent_bps": 1},
    },
]  # fmt: skip


async def sell(api: Api, count: int, plan: dict[str, Any] | None = None) -> Any:
    program = await make_program(api, **({"plan": plan} if plan else {}))
    partner = await make_partner(api, program)
    token = click_on(partner["default_link"], api.app)
    for n in range(count):
        body = {
            "customer_external_id": f"c{n % 7}",
            "amount": 1_000 + n,
            "currency": "usd",
            "invoice_id": f"i{n}",
            "click_id": token,
        }
        await api.post("/track/sale", body, status=200)
    return program


async def test_what_conditions_hide_is_tried_on_real_sales(api: Api) -> None:
    program = await sell(api, 22)
    body = {"plan": {**PLAN, "rules": RULES}, "program_id": program["id"]}
    told = await api.post("/plans/lint", body, status=200)
    assert told["sampled_sales"] == 22
    found = {f["place"]: f for f in told["findings"] if f["code"].startswith("sample")}
    assert {place: f["code"] for place, f in found.items()} == {
        "/rules/0/when": "sample_never_held",
        "/rules/1/when": "sample_always_held",
        "/rules/3/when": "sample_failed",
        "/rules/4/match": "sample_never_matched",
    }
    assert "failed" not in found["/rules/0/when"]["problem"]
    assert "for 1 of 22 of the latest 22" in found["/rules/3/when"]["problem"]
    told = await api.post("/plans/lint", {**body, "sample": 0}, status=200)
    assert (told["sampled_sales"], told["valid"]) == (0, True)
    assert "other_currency" in {f["code"] for f in told["findings"]}
    assert len(await api.all("/events")) == 22, "nothing is stored"


async def test_of_few_sales_nothing_follows(api: Api) -> None:
    program = await sell(api, 3)
    body = {"plan": {**PLAN, "rules": RULES}, "program_id": program["id"]}
    told = await api.post("/plans/lint", body, status=200)
    assert [f["code"] for f in told["findings"] if f["code"].startswith("sample")] == []


async def test_a_stored_version_is_linted_by_its_id(api: Api) -> None:
    rules = [{"id": "a", "pay": {"percent_bps": 9_000}}, {"id": "b", "pay": {"percent_bps": 1}}]
    program = await make_program(api, plan={**PLAN, "rules": rules})
    told = await api.get(f"/plans/{program['plan_id']}/lint")
    assert (told["errors"], told["warnings"]) == (1, 1)
    assert [(f["code"], f["place"], f["related"]) for f in told["findings"]] == [
        ("shadowed", "/rules/1", "/rules/0"),
        ("rate_over_limit", "/rules/0/pay/percent_bps", None),
    ]
    assert all(f["problem"] and f["remedy"] for f in told["findings"])


async def test_what_is_no_plan_is_told_not_refused(api: Api) -> None:
    rule = {"id": "a", "when": "sale.new &&\n sale.colour == ''", "pay": {"percent_bps": 1}}
    told = await api.post("/plans/lint", {"plan": {**PLAN, "rules": [rule]}}, status=200)
    assert told["valid"] is False
    (found,) = told["findings"]
    assert (found["place"], found["line"], found["column"]) == ("/rules/0/when", 2, 6)
    assert (await api.post("/plans/lint", {"plan": {}}, status=200))["errors"] == 4
    await api.post("/plans/lint", {"plan": []}, status=422)
    limits = {"rate_limit_bps": 0}
    told = await api.post("/plans/lint", {"plan": PLAN, **limits}, status=200)
    assert [f["code"] for f in told["findings"]] == ["rate_over_limit"]


async def test_a_large_plan_holds_up_nobody_else(api: Api) -> None:
    products = [[f"{(rule + 7 * n) % 600:x}" for n in range(70)] for rule in range(100)]
    rules = [
        {"id": f"r{n}", "match": {"product_ids": sold}, "pay": {"percent_bps": n + 1}}
        for n, sold in enumerate(products)
    ]
    plan = {**PLAN, "combine": "best", "rules": rules}
    await api.post("/plans/lint", {"plan": PLAN}, status=200)
    asked = asyncio.create_task(api.post("/plans/lint", {"plan": plan}, status=200))
    instants = [time.perf_counter()]
    while not asked.done():
        await asyncio.sleep(0.001)
        instants.append(time.perf_counter())
    assert (await asked)["valid"]
    longest = max(after - before for before, after in pairwise(instants))
    assert longest < (instants[-1] - instants[0]) / 2
