"""The published table: from the plan itself, for everybody only if the program says so."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from tests.http.client import PLAN, Api, make_partner, make_program

TEN = {**PLAN, "rules": [{"id": "ten", "pay": {"percent_bps": 1_000}}]}


async def visit(app: FastAPI, path: str, **headers: str) -> httpx.Response:
    """Without a key."""
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://terms") as client:
        return await client.get(path, headers=headers)


async def announce(api: Api, program: Any, plan: dict[str, Any], at: datetime) -> Any:
    drafted = await api.post(f"/programs/{program['id']}/plans", {"plan": plan})
    body = {"effective_from": at.isoformat()}
    return await api.post(f"/plans/{drafted['id']}/publish", body, status=200)


async def test_the_terms_in_force_and_the_next_ones_are_told(api: Api) -> None:
    program = await make_program(api)
    path = f"/programs/{program['id']}/terms"
    told = await api.get(path)
    assert told["in_force"]["rules"] == [
        {"id": "standard", "text": "You earn 20 % of each sale (renewals of subscriptions too)."}
    ]
    assert (told["announced"], told["page"]) == (None, None)
    await api.post(f"/programs/{program['id']}/plans", {"plan": TEN})
    assert (await api.get(path))["announced"] is None, "a draft is nobody's business"
    at = datetime.now(UTC) + timedelta(days=3)
    later = await announce(api, program, TEN, at)
    announced = (await api.get(path))["announced"]
    assert announced["plan_id"] == later["id"]
    assert announced["rules"][0]["text"].startswith("You earn 10 %")
    partner = await make_partner(api, program)
    own = {"partner_id": partner["id"], "plan": {"combine": "sum", "rules": TEN["rules"]}}
    await api.post(f"/programs/{program['id']}/plans", own)
    assert (await api.get(path))["in_force"]["plan_id"] == program["plan_id"]


async def test_a_page_is_there_for_everybody_once_it_is_published(app: FastAPI, api: Api) -> None:
    program = await make_program(api, name="Acme <script>alert(1)</script> & Co")
    page = f"/terms/{program['id']}"
    hidden, unknown = await visit(app, page), await visit(app, page[:-4] + "0000")
    assert hidden.status_code == unknown.status_code == 404
    assert hidden.text == unknown.text == (await visit(app, "/terms/none")).text
    await api.patch(f"/programs/{program['id']}", {"terms_public": True})
    assert (await api.get(f"/programs/{program['id']}/terms"))["page"] == page
    await announce(api, program, TEN, datetime.now(UTC) + timedelta(days=3))
    shown = await visit(app, page)
    assert shown.status_code == 200
    assert "You earn 20 % of each sale" in shown.text
    assert "You earn 10 % of each sale" in shown.text
    assert "<script" not in shown.text
    assert "Acme &lt;script&gt;" in shown.text
    assert "default-src 'none'" in shown.headers["content-security-policy"]
    assert shown.headers["cache-control"] == "public, max-age=300"
    again = await visit(app, page, **{"If-None-Match": shown.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    await api.patch(f"/programs/{program['id']}", {"terms_public": False})
    assert (await visit(app, page)).status_code == 404


async def test_a_page_can_be_looked_for_without_being_read(app: FastAPI, api: Api) -> None:
    program = await make_program(api, terms_public=True)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://terms") as client:
        assert (await client.head(f"/terms/{program['id']}")).status_code == 200
        hidden = await client.head("/terms/none")
    assert (hidden.status_code, hidden.headers["cache-control"]) == (404, "no-cache")


async def test_a_name_is_shown_as_it_is(app: FastAPI, api: Api) -> None:
    """Also between backticks, and what it says of directions ends with it."""
    program = await make_program(api, name="`Acme` \u202e", terms_public=True)
    shown = (await visit(app, f"/terms/{program['id']}")).text
    assert "<title>`Acme` \u202e: terms for partners</title>" in shown
    assert "<h1>What <bdi>`Acme` \u202e</bdi> pays its partners</h1>" in shown


async def test_the_page_of_an_archived_program_is_gone(app: FastAPI, api: Api) -> None:
    program = await make_program(api, terms_public=True)
    assert (await visit(app, f"/terms/{program['id']}")).status_code == 200
    await api.delete(f"/programs/{program['id']}")
    assert (await visit(app, f"/terms/{program['id']}")).status_code == 404


async def test_the_policy_allows_the_page_its_own_style_and_nothing_else(
    app: FastAPI, api: Api
) -> None:
    program = await make_program(api, terms_public=True)
    shown = await visit(app, f"/terms/{program['id']}")
    assert re.findall(r"\s(?:src|href|action|on\w+|style)\s*=", shown.text) == []
    assert shown.text.count("<style>") == 1


@pytest.mark.parametrize("floor", [-1, 100_001, 4.0, "4"])
async def test_a_floor_is_a_whole_number_of_hundredths(api: Api, floor: Any) -> None:
    program = await make_program(api)
    assert program["ltv_cac_floor"] == 400
    await api.patch(f"/programs/{program['id']}", {"ltv_cac_floor": floor}, status=422)
    changed = await api.patch(f"/programs/{program['id']}", {"ltv_cac_floor": 350})
    assert changed["ltv_cac_floor"] == 350
