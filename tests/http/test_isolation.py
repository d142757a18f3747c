"""Two workspaces never meet: one case for each of the app's own routes, none left out.

A new route needs one line in CASES. `{…}` stands for an object of the owner's, made below; the
other workspace's admin must get 404 for it, or for a route that names none, see nothing of it.
"""

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from app.auth import new_key
from app.ids import encode, uuid7
from tests.http.client import PLAN, Api, click_on, make_partner, make_program, read
from tests.http.visiting import write

PARTNER = {"program_id": "{program}", "name": "B", "email": "b@example.com"}
LINK = {"program_id": "{program}", "partner_id": "{partner}"}
LEAD = {"customer_external_id": "user-17"}
SALE = {
    "customer_external_id": "user-17", "amount": 10_000, "currency": "usd", "invoice_id": "INV-1",
}  # fmt: skip
REFUND = {"invoice_id": "INV-1", "amount_refunded": 10_000, "currency": "usd"}
SOURCE = {"provider": "stripe", "signing_secrets": ["whsec_0123456789abcdef0123456789abcdef"]}
SPAN = {"from": "2026-01-01T00:00:00Z", "to": "2026-01-31T00:00:00Z"}
CODE = {"program_id": "{program}", "partner_id": "{partner}", "code": "SPRING"}
CLAIM = {**LINK, **LEAD, "statement": "Mine"}
USE = {
    "name": "P", "currency": "usd", "destination_hosts": ["a.example"],
    "default_destination": "https://a.example/",
}  # fmt: skip
DEAL = {"program_id": "{program}", "partner_id": "{partner}", "company": "Acme"}


@dataclass(frozen=True)
class Case:
    """One request of the other workspace. status: what it must get for the owner's object."""

    body: Any = None
    status: int = 404
    query: str = ""


CASES: dict[str, Case] = {
    "POST /v1/workspaces": Case({"name": "B", "mode": "live"}, status=403),
    "GET /v1/workspaces": Case(status=200),
    "GET /v1/workspaces/{workspace_id}": Case(),
    "PATCH /v1/workspaces/{workspace_id}": Case({"name": "Theirs"}),
    "POST /v1/keys": Case({"name": "k", "scopes": ["admin"]}, status=201),
    "GET /v1/keys": Case(status=200),
    "GET /v1/keys/{key_id}": Case(),
    "DELETE /v1/keys/{key_id}": Case(),
    "POST /v1/programs": Case(
        {
            "name": "P", "currency": "usd", "destination_hosts": ["a.example"],
            "default_destination": "https://a.example/", "plan": PLAN,
        },
        status=201,
    ),
    "GET /v1/templates": Case(status=200),
    "GET /v1/templates/{template_id}": Case(status=200),
    "POST /v1/templates/{template_id}/programs": Case(USE, status=201),
    "GET /v1/programs": Case(status=200),
    "GET /v1/programs/{program_id}": Case(),
    "PATCH /v1/programs/{program_id}": Case({"status": "paused"}),
    "DELETE /v1/programs/{program_id}": Case(),
    "GET /v1/programs/{program_id}/plans": Case(),
    "POST /v1/programs/{program_id}/plans": Case({"plan": PLAN}),
    "GET /v1/plans/{plan_id}": Case(),
    "GET /v1/programs/{program_id}/terms": Case(),
    "POST /v1/programs/{program_id}/ltv-cac": Case(
        {"margin_bps": 1, "acquisition_cost": 1, "from": SPAN["from"], "to": SPAN["to"],
         "plan": PLAN},
    ),
    "POST /v1/plans/lint": Case({"plan": PLAN, "program_id": "{program}"}),
    "GET /v1/plans/{plan_id}/lint": Case(),
    "POST /v1/plans/preview": Case({"plan": PLAN, "kind": "lead", "program_id": "{program}"}),
    "POST /v1/plans/{plan_id}/preview": Case({"kind": "lead"}),
    "POST /v1/plans/{plan_id}/publish": Case({}),
    "POST /v1/plans/{plan_id}/end": Case({}),
    "POST /v1/plans/{plan_id}/backtest": Case(SPAN),
    "GET /v1/backtests": Case(status=200, query="?plan_id={plan}"),
    "GET /v1/backtests/{backtest_id}": Case(),
    "GET /v1/backtests/{backtest_id}/partners": Case(),
    "GET /v1/backtests/{backtest_id}/changes": Case(),
    "POST /v1/backtests/{backtest_id}/cancel": Case(),
    "GET /v1/programs/{program_id}/partners/{partner_id}/qualification": Case(),
    "PUT /v1/programs/{program_id}/partners/{partner_id}/qualification": Case({"tier": "gold"}),
    "POST /v1/partners": Case(PARTNER),
    "GET /v1/partners": Case(status=200, query="?program_id={program}"),
    "GET /v1/partners/{partner_id}": Case(),
    "PATCH /v1/partners/{partner_id}": Case({"name": "Stolen"}),
    "DELETE /v1/partners/{partner_id}": Case(),
    "POST /v1/partners/{partner_id}/enrollments": Case({"program_id": "{program}"}),
    "POST /v1/domains": Case({"program_id": "{program}", "host": "go.example.com"}),
    "GET /v1/domains": Case(status=200, query="?program_id={program}"),
    "GET /v1/domains/{domain_id}": Case(),
    "POST /v1/domains/{domain_id}/verify": Case(),
    "DELETE /v1/domains/{domain_id}": Case(),
    "POST /v1/links": Case(LINK),
    "POST /v1/links/bulk": Case({"links": [LINK]}, status=422),
    "GET /v1/links": Case(status=200, query="?partner_id={partner}"),
    "GET /v1/links/{link_id}": Case(),
    "PATCH /v1/links/{link_id}": Case({"subs": {"stolen": "1"}}),
    "DELETE /v1/links/{link_id}": Case(),
    "GET /v1/links/{link_id}/qr": Case(),
    "GET /v1/links/{link_id}/share": Case(),
    "POST /v1/codes": Case(CODE),
    "POST /v1/codes/bulk": Case({"codes": [CODE]}, status=422),
    "GET /v1/codes": Case(status=200, query="?partner_id={partner}"),
    "GET /v1/codes/{code_id}": Case(),
    "PATCH /v1/codes/{code_id}": Case({"provider_ids": ["stripe:promo_1"]}),
    "DELETE /v1/codes/{code_id}": Case(),
    "GET /v1/links/{link_id}/traffic": Case(),
    "GET /v1/links/{link_id}/subs": Case(),
    "GET /v1/partners/{partner_id}/traffic": Case(),
    "POST /v1/deals": Case(DEAL),
    "GET /v1/deals": Case(status=200, query="?partner_id={partner}"),
    "GET /v1/deals/conflicts": Case(status=200, query="?partner_id={partner}"),
    "GET /v1/deals/{deal_id}": Case(),
    "PATCH /v1/deals/{deal_id}": Case({"note": "Stolen"}),
    **{
        f"POST /v1/deals/{{deal_id}}/{step}": Case({})
        for step in ("accept", "reject", "qualify", "win", "lose", "extend")
    },
    "POST /v1/claims": Case(CLAIM),
    "GET /v1/claims": Case(status=200, query="?partner_id={partner}"),
    "GET /v1/claims/{claim_id}": Case(),
    "POST /v1/claims/{claim_id}/accept": Case({"reason_code": "evidence"}),
    "POST /v1/claims/{claim_id}/reject": Case({"reason_code": "other", "answer": "No."}),
    "POST /v1/claims/{claim_id}/withdraw": Case(),
    "POST /v1/imports": Case(query="?kind=partners&program_id={program}"),
    "GET /v1/imports": Case(status=200),
    "GET /v1/imports/{import_id}": Case(),
    "GET /v1/imports/{import_id}/errors": Case(),
    "GET /v1/clicks": Case(status=200, query="?link_id={link}"),
    "GET /v1/clicks/{click_id}": Case(),
    "POST /v1/track/click": Case({"link_id": "{link}"}),
    # Events belong to whoever sends them: the same ids elsewhere are other customers and sales.
    "POST /v1/track/lead": Case(LEAD, status=200),
    "POST /v1/track/sale": Case({**SALE, "program_id": "{program}"}),
    "POST /v1/track/refund": Case(REFUND, status=200),
    "POST /v1/sources": Case({**SOURCE, "program_ids": ["{program}"]}, status=404),
    "GET /v1/sources": Case(status=200),
    "GET /v1/sources/{source_id}": Case(),
    "PATCH /v1/sources/{source_id}": Case({"with_tax": True}),
    "DELETE /v1/sources/{source_id}": Case(),
    "POST /v1/sources/{source_id}/reconcile": Case(SPAN),
    "GET /v1/sources/{source_id}/reconciliations": Case(),
    "GET /v1/sources/{source_id}/reconciliations/{reconciliation_id}": Case(),
    "POST /v1/events/replay": Case({**SPAN, "state": "applied"}, status=202),
    "GET /v1/events/replays": Case(status=200),
    "GET /v1/events/replays/{replay_id}": Case(),
    "GET /v1/events": Case(status=200, query="?source_id={source}"),
    "GET /v1/events/{event_id}": Case(),
    "POST /v1/events/{event_id}/replay": Case(),
    "GET /v1/customers": Case(status=200),
    "GET /v1/customers/{customer_id}": Case(),
    "POST /v1/customers/{customer_id}/aliases": Case(
        {"namespace": "stripe:", "external_id": "cus_1"}
    ),
    "POST /v1/customers/{customer_id}/partner": Case({"program_id": "{program}", "name": "C"}),
    "POST /v1/customers/{customer_id}/reassign": Case({"partner_id": None, "reason": "Mine"}),
    "GET /v1/customers/{customer_id}/export": Case(),
    "POST /v1/customers/{customer_id}/erase": Case(),
    "GET /v1/conversions": Case(status=200, query="?customer_id={customer}"),
    "GET /v1/conversions/{conversion_id}": Case(),
    "POST /v1/conversions/{conversion_id}/release": Case(),
    "POST /v1/conversions/{conversion_id}/duplicate": Case(),
    "GET /v1/commissions": Case(status=200, query="?partner_id={partner}"),
    "GET /v1/commissions/{commission_id}": Case(),
    "GET /v1/partners/{partner_id}/balance": Case(),
    "GET /v1/partners/{partner_id}/totals": Case(query="?program_id={program}"),
    "GET /v1/customers/{customer_id}/balance": Case(),
    "GET /v1/partners/{partner_id}/export": Case(),
    "POST /v1/partners/{partner_id}/erase": Case(),
    "GET /v1/erasures": Case(status=200),
    "GET /v1/ledger/transfers": Case(status=200),
    "GET /v1/ledger/accounts": Case(status=200, query="?partner_id={partner}"),
}  # fmt: skip

KEYLESS = frozenset({"POST /v1/webhooks/{source_id}"})
"""Routes that a signature opens, not a key; tested with their roads."""

TEMPLATE = "invite-only"
"""Templates are everybody's."""


def routes(app: FastAPI) -> set[str]:
    """`METHOD /path` of everything under /v1, as the app itself knows it."""
    return {
        f"{method} {route.path}"
        for route in iter_route_contexts(app.routes)
        if route.path and route.path.startswith("/v1/")
        for method in route.methods or ()
        if method != "HEAD"
    }


@pytest.fixture
async def owned(api: Api, database_url: str) -> dict[str, str]:
    """The owner's objects: the name of a path parameter without `_id` → an id."""
    program = await make_program(api)
    partner = await make_partner(api, program)
    workspace = (await api.get("/workspaces"))["data"][0]
    token = click_on(partner["default_link"], api.app)
    sold = await api.post("/track/sale", {**SALE, "click_id": token}, status=200)
    commission = sold["outcome"]["commissions"][0]
    domain = {"program_id": program["id"], "host": "links.example.com"}
    ids = {"program_id": program["id"], "partner_id": partner["id"]}
    (click,) = await write(database_url, partner["default_link"], [datetime.now(UTC)])
    keyed = {**SOURCE, "api_key": "rk_live_0123456789abcdef"}
    source = (await api.post("/sources", keyed))["id"]
    reconciled = await api.post(f"/sources/{source}/reconcile", SPAN, status=202)
    replayed = await api.post("/events/replay", {**SPAN, "state": "applied"}, status=202)
    tried = await api.post(f"/plans/{program['plan_id']}/backtest", SPAN, status=202)
    return {
        "backtest": tried["id"],
        "source": source,
        "reconciliation": reconciled["id"],
        "replay": replayed["id"],
        "event": sold["event_id"],
        "customer": commission["customer_id"],
        "conversion": commission["conversion_id"],
        "commission": commission["id"],
        "workspace": workspace["id"],
        "key": (await api.get("/keys"))["data"][0]["id"],
        "program": program["id"],
        "plan": program["plan_id"],
        "partner": partner["id"],
        "link": partner["default_link"]["id"],
        "click": click,
        "code": (await api.post("/codes", {**ids, "code": "FIRST"}))["id"],
        "claim": (await api.post("/claims", {**ids, **LEAD, "statement": "Mine"}))["id"],
        "deal": (await api.post("/deals", {**ids, "company": "First Ltd"}))["id"],
        "import": await imported(api, program),
        "domain": (await api.post("/domains", domain))["id"],
    }


async def imported(api: Api, program: Any) -> str:
    path = f"/imports?kind=partners&program_id={program['id']}"
    response = await api.send("POST", path, content=b"email,name\nb@example.com\n")
    return str(read(response, 201)["id"])


def test_every_route_has_a_case_and_every_case_a_route(app: FastAPI) -> None:
    assert routes(app) == CASES.keys() | KEYLESS & routes(app)


@pytest.mark.parametrize("route", sorted(CASES))
async def test_another_workspace_s_key_finds_nothing(
    route: str, api: Api, stranger: Api, owned: dict[str, str]
) -> None:
    before = await seen_by_owner(api)
    method, path, body = asked(route, owned)
    response = await stranger.send(method, path, json=body)
    assert response.status_code == CASES[route].status, response.text
    assert not [name for name, id_ in owned.items() if id_ in response.text]
    assert await seen_by_owner(api) == before


@pytest.mark.parametrize("route", sorted(CASES))
async def test_no_key_and_a_wrong_key_open_nothing(
    route: str, app: FastAPI, api: Api, owned: dict[str, str]
) -> None:
    before = await seen_by_owner(api)
    method, path, body = asked(route, owned)
    for key in ("", "x", new_key("live").key):
        response = await Api(app, key).send(method, path, json=body)
        assert response.status_code == 401, response.text
        assert response.json()["code"] == "unauthorized"
    assert await seen_by_owner(api) == before


@pytest.mark.parametrize("route", sorted(route for route, c in CASES.items() if c.status == 404))
async def test_the_owner_s_own_key_does_find_it(
    route: str, api: Api, owned: dict[str, str]
) -> None:
    """So that a 404 above is not for another reason."""
    method, path, body = asked(route, owned)
    response = await api.send(method, path, json=body)
    assert response.status_code != 404, response.text
    assert response.status_code < 500


@pytest.mark.parametrize("route", sorted(route for route in CASES if "_id}" in route))
async def test_an_id_that_is_none_is_not_found(route: str, api: Api) -> None:
    method, path, body = asked(route, {"program": encode("prog", uuid7())})
    for unknown in ("part_0", "0", encode("evt", uuid7()), "%2e%2e", "a" * 500):
        way, mark, query = path.partition("?")
        spoiled = re.sub(rf"\{{\w+\}}|prog_\w+|{TEMPLATE}", unknown, way) + mark + query
        assert (await api.send(method, spoiled, json=body)).status_code == 404


def asked(route: str, owned: dict[str, str]) -> tuple[str, str, Any]:
    """The case's request with the owner's ids filled in where they are known."""
    case = CASES[route]
    method, _, template = route.partition(" ")
    known = {"template": TEMPLATE, **owned}

    def fill(text: str) -> str:
        return re.sub(r"\{(\w+?)(?:_id)?\}", lambda m: known.get(m[1], m[0]), text)

    body = None if case.body is None else json.loads(fill(json.dumps(case.body)))
    return method, fill(template.removeprefix("/v1") + case.query), body


async def seen_by_owner(api: Api) -> list[Any]:
    """All that lists show; what a request of somebody else must not change."""
    lists = (
        "/keys", "/programs", "/partners", "/domains", "/links", "/clicks", "/sources", "/events",
        "/customers", "/codes",
        "/conversions", "/commissions", "/ledger/transfers", "/ledger/accounts", "/erasures",
        "/events/replays",
        "/deals", "/deals/conflicts", "/claims", "/imports",
    )  # fmt: skip
    return [await api.get(path) for path in lists]
