"""Two workspaces never meet: one case for each of the app's own routes, none left out.

A new route needs one line in CASES (isolation_cases.py). The other workspace's admin must get 404
for an object of the owner's, made below, or for a route that names none, see nothing of it.
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
from app.db.engine import Database
from app.ids import encode, uuid7
from tests.http.client import Api, click_on, make_partner, make_program, new_workspace, read
from tests.http.isolation_cases import CASES, KEYLESS, LEAD, SALE, SOURCE, SPAN, TEMPLATE
from tests.http.visiting import write


def routes(app: FastAPI) -> set[str]:
    """`METHOD /path` of everything under /v1, as the app itself knows it."""
    return {
        f"{method} {route.path}"
        for route in iter_route_contexts(app.routes)
        if route.path and route.path.startswith("/v1/")
        for method in route.methods or ()
        if method != "HEAD"
    }


@dataclass
class Owner:
    """seen: what lists showed of it last."""

    api: Api
    ids: dict[str, str]
    seen: list[Any]


@pytest.fixture(scope="module")
async def owner(app: FastAPI, database: Database) -> Owner:
    """One for all requests that must change nothing."""
    api = await new_workspace(app, database)
    ids = await made_by(api, database.url)
    return Owner(api, ids, await seen_by_owner(api))


@pytest.fixture
async def owned(api: Api, database_url: str) -> dict[str, str]:
    """The caller's own objects, to be changed."""
    return await made_by(api, database_url)


async def made_by(api: Api, database_url: str) -> dict[str, str]:
    """An owner's objects: the name of a path parameter without `_id` → an id."""
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
    route: str, stranger: Api, owner: Owner
) -> None:
    method, path, body = asked(route, owner.ids)
    response = await stranger.send(method, path, json=body)
    assert response.status_code == CASES[route].status, response.text
    assert str(response.status_code) in told_of(stranger.app, route)
    assert not [name for name, id_ in owner.ids.items() if id_ in response.text]
    await sees_no_change(owner)


@pytest.mark.parametrize("route", sorted(CASES))
async def test_no_key_and_a_wrong_key_open_nothing(route: str, app: FastAPI, owner: Owner) -> None:
    method, path, body = asked(route, owner.ids)
    for key in ("", "x", new_key("live").key):
        response = await Api(app, key).send(method, path, json=body)
        assert response.status_code == 401, response.text
        assert response.json()["code"] == "unauthorized"
    await sees_no_change(owner)


@pytest.mark.parametrize("route", sorted(route for route, c in CASES.items() if c.status == 404))
async def test_the_owner_s_own_key_does_find_it(
    route: str, app: FastAPI, database: Database, owner: Owner
) -> None:
    """So that a 404 above is not for another reason."""
    api, ids = owner.api, owner.ids
    if not route.startswith("GET "):
        api = await new_workspace(app, database)
        ids = await made_by(api, database.url)
    method, path, body = asked(route, ids)
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


def told_of(app: FastAPI, route: str) -> set[str]:
    """The statuses that the API's document tells of."""
    method, _, path = route.partition(" ")
    return set(app.openapi()["paths"][path][method.lower()]["responses"])


async def sees_no_change(owner: Owner) -> None:
    before, owner.seen = owner.seen, await seen_by_owner(owner.api)
    assert owner.seen == before


async def seen_by_owner(api: Api) -> list[Any]:
    """All that lists show; what a request of somebody else must not change."""
    lists = (
        "/keys", "/programs", "/partners", "/domains", "/links", "/clicks", "/sources", "/events",
        "/customers", "/codes",
        "/conversions", "/commissions", "/ledger/transfers", "/ledger/accounts", "/erasures",
        "/events/replays", "/backtests",
        "/deals", "/deals/conflicts", "/claims", "/imports",
    )  # fmt: skip
    return [await api.get(path) for path in lists]
