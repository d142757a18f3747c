"""Plans by the hand of an enemy, over HTTP: refused with place and remedy, or an outcome that pays
nobody; never slow, never a 500.
"""

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.http.client import PLAN, Api, click_on, make_partner, make_program

BOUND_S = 1.0
"""Of this process' own computing; how long a crowded machine lets it wait is not its doing."""
PAY = {"percent_bps": 9_000}


def by(when: str) -> dict[str, Any]:
    """A plan whose one paying rule has this condition."""
    return {**PLAN, "rules": [{"id": "hostile", "when": when, "pay": PAY}]}


def nested(depth: int) -> Any:
    inner: Any = {"percent_bps": 1}
    for _ in range(depth):
        inner = {"pay": inner}
    return inner


REFUSED: dict[str, dict[str, Any]] = {
    "growing lists": by("[sale.kind].map(k, [k, k]).map(k, [k, k]) == []"),
    "an iteration inside an iteration": by("[1,2].all(a, [1,2].all(b, a + b > 0))"),
    "a pattern that backtracks": by("sale.kind.matches('(a|a)*(a|a)*(a|a)*{9}')"),
    "a long text": by(f"sale.kind == '{'a' * 10_000}'"),
    "deep parentheses": by("(" * 900 + "true" + ")" * 900),
    "deep conditionals": by("true ? " * 300 + "true" + " : true" * 300),
    "no end": by("'" + "a" * 1_000),
    "an unknown fact": by("customer.email == 'x'"),
    "another type": by("sale.amount == '1'"),
    "no boolean": by("sale.amount"),
    "today's date": by("now() > sale.at"),
    "a condition that is no text": {**PLAN, "rules": [{"id": "h", "when": {"$": 1}, "pay": PAY}]},
    "deep nesting": {**PLAN, "rules": [nested(25)]},
    "thousands of rules": {**PLAN, "rules": [{"id": f"r{n}", "pay": PAY} for n in range(1_500)]},
    "a huge id": {**PLAN, "rules": [{"id": "x" * 30_000, "pay": PAY}]},
    "a rate beyond all": {**PLAN, "rules": [{"id": "h", "pay": {"percent_bps": 10**18}}]},
    "a negative rate": {**PLAN, "rules": [{"id": "h", "pay": {"percent_bps": -1}}]},
    "a fraction": {**PLAN, "rules": [{"id": "h", "pay": {"percent_bps": 0.5}}]},
    "endless holding": {**PLAN, "hold_days": 10**12},
    "many countries": {**PLAN, "rules": [{"id": "h", "match": {"countries": ["DE"] * 5_000},
                                          "pay": PAY}]},
}  # fmt: skip

FAILING = {
    "division by zero": "sale.amount / customer.sales > 0",
    "an overflow": "sale.gross * 9223372036854775807 > 0",
    "an index beyond the end": "sale.product_ids[sale.amount] == 'pro'",
    "a missing key": "{'pro': true}[sale.kind]",
    "no number": "int(sale.source) > 0",
    "no instant": "timestamp(touch.code) < sale.at",
    "beyond all calendars": "sale.at + duration('9000000h') + duration('80000000h') > sale.at",
}
"""Refused by nothing, since other sales may be worked out; on this one they fail."""


@pytest.mark.parametrize("name", REFUSED)
async def test_it_is_refused_with_its_place(name: str, api: Api) -> None:
    program = await make_program(api)
    plan = {"plan": REFUSED[name]}
    for path, body in (
        ("/programs", {**PROGRAM, **plan}),
        (f"/programs/{program['id']}/plans", plan),
        ("/plans/preview", {**plan, **SALE}),
        ("/plans/lint", plan),
    ):
        began = time.process_time()
        answer = await api.send("POST", path, json=body)
        assert time.process_time() - began < BOUND_S
        told = answer.json()
        if path == "/plans/lint" and answer.status_code == 200:
            assert [one for one in told["findings"] if one["place"]], told
        else:
            assert answer.status_code == 422, answer.text
            assert told["code"] in {"plan_invalid", "invalid_request"}
            assert all(error["place"] for error in told["errors"])


@pytest.mark.parametrize("name", FAILING)
async def test_it_fails_visibly_and_pays_nobody(name: str, api: Api) -> None:
    program = await make_program(api, plan=by(FAILING[name]))
    partner = await make_partner(api, program)
    at = datetime.now(UTC) - timedelta(days=1)
    began = time.process_time()
    answer = await api.post(
        "/track/sale",
        {
            "customer_external_id": "user-1",
            "amount": 10_000,
            "currency": "usd",
            "invoice_id": "INV-1",
            "click_id": click_on(partner["default_link"], api.app, at - timedelta(hours=1)),
            "occurred_at": at.isoformat(),
        },
        status=200,
    )
    assert time.process_time() - began < BOUND_S
    assert answer["outcome"]["commissions"] == []
    assert "rule_failed" in [reason["code"] for reason in answer["outcome"]["reasons"]]


@pytest.mark.parametrize("depth", [40, 5_000, 30_000])
async def test_bodies_deeper_than_any_plan_are_refused(depth: int, api: Api) -> None:
    raw = b'{"plan":' * depth + b"1" + b"}" * depth
    for path in ("/programs", "/plans/lint", "/plans/preview"):
        answer = await api.send("POST", path, content=raw)
        assert answer.status_code in {400, 413, 422}, answer.text


PROGRAM = {
    "name": "Friends",
    "currency": "usd",
    "destination_hosts": ["shop.example.com"],
    "default_destination": "https://shop.example.com/",
}
SALE: dict[str, Any] = {"kind": "sale", "amount": 10_000, "currency": "usd"}


def test_the_table_is_what_it_says() -> None:
    """Each would fit through the door: what refuses it is the plan's own reader."""
    small = [name for name, plan in REFUSED.items() if len(json.dumps(plan)) < 64_000]
    assert len(small) > len(REFUSED) - 3
