"""Lists: pages by keyset also where times are equal, closed parameters, metrics by template."""

from fastapi import FastAPI
from prometheus_client import REGISTRY

from app.auth import Scope, issue, new_key
from app.db.engine import Database
from app.ids import decode
from tests.http.client import Api, make_program


async def test_rows_of_one_instant_come_once_each(api: Api, database: Database) -> None:
    """Made in one transaction, so `created_at` is the same and only the id tells them apart."""
    workspace = decode("ws", (await api.get("/workspaces"))["data"][0]["id"])
    async with database.tx() as tx:
        for i in range(7):
            key = new_key("live")
            await issue(tx, workspace, key, name=str(i), scopes=[Scope.LINKS_READ])
    seen: list[str] = []
    page = await api.get("/keys?limit=3")
    while True:
        seen += [key["name"] for key in page["data"]]
        if not page["has_more"]:
            break
        page = await api.get(f"/keys?limit=3&starting_after={page['data'][-1]['id']}")
    assert seen == ["6", "5", "4", "3", "2", "1", "0", "Admin"]


async def test_the_last_page_says_so_when_it_is_full(api: Api) -> None:
    await make_program(api)
    await make_program(api)
    assert (await api.get("/programs?limit=2"))["has_more"] is False
    assert (await api.get("/programs?limit=1"))["has_more"] is True


async def test_an_anchor_that_was_archived_keeps_its_place(api: Api) -> None:
    programs = [await make_program(api, name=str(i)) for i in range(3)]
    await api.delete(f"/programs/{programs[1]['id']}")
    page = await api.get(f"/programs?starting_after={programs[1]['id']}")
    assert [program["id"] for program in page["data"]] == [programs[0]["id"]]


async def test_an_unknown_parameter_lists_nothing(api: Api) -> None:
    problem = await api.get("/links?partnerid=x&limit=1&limt=2", status=422)
    assert [error["place"] for error in problem["errors"]] == ["query/partnerid", "query/limt"]
    assert "partner_id" in problem["errors"][0]["remedy"]
    await api.get("/commissions?from=2026-01-01T00:00:00Z&to=2026-02-01T00:00:00Z")
    problem = await api.post("/keys?x=1", {"name": "k", "scopes": ["admin"]}, status=422)
    assert problem["errors"][0]["remedy"] == "Leave it out."


async def test_requests_are_counted_by_template_and_status(api: Api, app: FastAPI) -> None:
    def counted(status: str) -> float:
        labels = {"method": "GET", "route": "/v1/programs/{program_id}", "status": status}
        return REGISTRY.get_sample_value("finderfee_api_seconds_count", labels) or 0

    program = await make_program(api)
    before = counted("200"), counted("404"), counted("401")
    await api.get(f"/programs/{program['id']}")
    await api.get("/programs/prog_x", status=404)
    await Api(app, "").get(f"/programs/{program['id']}", status=401)
    assert (counted("200"), counted("404"), counted("401")) == tuple(n + 1 for n in before)
