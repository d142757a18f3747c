"""Workspaces: the first one makes others, each sees itself."""

from fastapi import FastAPI

from app.db.engine import Database
from tests.http.client import Api, new_workspace


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
