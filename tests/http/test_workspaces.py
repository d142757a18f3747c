"""Workspaces: the first one makes others, each sees itself."""

from typing import Any

import pytest
from fastapi import FastAPI

from app.db.engine import Database
from tests.http.client import Api, make_partner, make_program, new_workspace
from tests.http.hosts import Hosts


async def test_only_the_first_workspace_makes_others(
    app: FastAPI, database: Database, api: Api
) -> None:
    refused = await api.post("/workspaces", {"name": "B", "mode": "live"}, status=403)
    assert refused["code"] == "missing_scope"
    first = await new_workspace(app, database, first=True)
    made = await first.post("/workspaces", {"name": "B", "mode": "test"})
    assert made["admin_key"]["key"].startswith("ff_test_")
    own = Api(app, made["admin_key"]["key"])
    assert [w["id"] for w in (await own.get("/workspaces"))["data"]] == [made["id"]]
    assert (await own.get(f"/workspaces/{made['id']}"))["mode"] == "test"
    assert (await first.get(f"/workspaces/{made['id']}"))["name"] == "B"
    await own.post("/workspaces", {"name": "C", "mode": "live"}, status=403)


async def test_the_first_workspace_lists_all_page_by_page(app: FastAPI, database: Database) -> None:
    first = await new_workspace(app, database, first=True)
    made = [await first.post("/workspaces", {"name": n, "mode": "live"}) for n in "ABC"]
    page = await first.get("/workspaces?limit=2")
    assert page["has_more"]
    rest = await first.get(f"/workspaces?limit=1&starting_after={page['data'][-1]['id']}")
    seen = [w["id"] for w in page["data"] + rest["data"]]
    assert seen == [w["id"] for w in reversed(made)]


async def test_a_scope_other_than_admin_sees_no_workspace(api: Api) -> None:
    writer = await api.with_scopes("programs:write")
    await writer.get("/workspaces", status=403)


async def own(api: Api) -> Any:
    return (await api.get("/workspaces"))["data"][0]


async def test_a_workspace_changes_what_is_given_and_nothing_else(api: Api) -> None:
    workspace = await own(api)
    assert (workspace["fallback"], workspace["click_retention_days"]) == (None, 395)
    path = f"/workspaces/{workspace['id']}"
    changed = await api.patch(path, {"fallback": "HTTPS://Bücher.example/a b?x=ä#top"}, status=422)
    assert changed["errors"][0]["place"] == "body/fallback"
    changed = await api.patch(path, {"fallback": "HTTPS://Bücher.example/a?x=ä#top"})
    assert changed["fallback"] == "https://xn--bcher-kva.example/a?x=%C3%A4#top"
    assert await api.patch(path, {}) == changed
    renamed = await api.patch(path, {"name": "Renamed", "click_retention_days": 7})
    assert renamed == {**changed, "name": "Renamed", "click_retention_days": 7}
    assert (await api.patch(path, {"fallback": None}))["fallback"] is None
    assert await own(api) == {**renamed, "fallback": None}


@pytest.mark.parametrize(
    "body",
    [
        *({"click_retention_days": days} for days in (6, 3_661, 30.5, "30", None)),
        *(
            {"fallback": url}
            for url in ("", "shop.example", "//shop.example", "javascript:alert(1)")
        ),
        *({"fallback": url} for url in ("https:evil.example", "https://a:b@shop.example/", 7)),
        *(
            {"fallback": url}
            for url in ("https://shop.example/\x00", "https://x.example/" + "a" * 2_048)
        ),
        *({"name": ""}, {"name": None}, {"mode": "live"}, {"first": True}),
    ],
    ids=str,
)
async def test_what_no_workspace_can_have_is_refused(api: Api, body: Any) -> None:
    await api.patch(f"/workspaces/{(await own(api))['id']}", body, status=422)


async def test_a_fallback_does_not_lead_back_to_links(api: Api, hosts: Hosts) -> None:
    """An unknown code there would send its visitor round in circles."""
    partner = await make_partner(api, await make_program(api))
    program_id = partner["enrollments"][0]["program_id"]
    domain = await api.post("/domains", {"program_id": program_id, "host": "go.circles.example"})
    path = f"/workspaces/{(await own(api))['id']}"
    await api.patch(path, {"fallback": "https://go.circles.example/r/x"})
    hosts.records[domain["dns"]["name"], "TXT"] = [domain["dns"]["value"]]
    await api.post(f"/domains/{domain['id']}/verify", status=200)
    base = api.app.state.settings.base_url
    for url in ("https://go.circles.example/r/x", f"{base}/r/x", f"{base}/a/../r/x"):
        refused = await api.patch(path, {"fallback": url}, status=422)
        assert refused["errors"][0]["problem"] == "A link of ours"
    await api.patch(path, {"fallback": "https://go.circles.example/welcome"})


async def test_only_the_first_workspace_changes_others(
    app: FastAPI, database: Database, api: Api, stranger: Api
) -> None:
    path = f"/workspaces/{(await own(api))['id']}"
    await stranger.patch(path, {"name": "Theirs"}, status=404)
    first = await new_workspace(app, database, first=True)
    assert (await first.patch(path, {"name": "Ours"}))["name"] == "Ours"
    writer = await api.with_scopes("programs:write")
    await writer.patch(path, {"name": "Theirs"}, status=403)
    assert (await own(api))["name"] == "Ours"
