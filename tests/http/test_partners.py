"""Partners and their places in programs over HTTP."""

import pytest
from sqlalchemy import select

from app.db.engine import Database
from app.db.tables import EnrollmentState
from app.ids import decode
from tests.http.client import Api, make_partner, make_program


async def test_a_partner_starts_active_with_a_link(api: Api) -> None:
    program = await make_program(api)
    made = await make_partner(api, program, external_id="crm-7", country="DE")
    place = made["enrollments"][0]
    assert (place["program_id"], place["status"]) == (program["id"], "active")
    link = made["default_link"]
    assert link["destination"] == program["default_destination"]
    assert link["short_url"].endswith(f"/r/{link['code']}")
    assert link["is_default"]
    assert len(link["code"]) == 8
    assert await api.get(f"/partners/{made['id']}") == made
    assert (await api.get("/partners"))["data"] == [made]
    assert await api.get(f"/links/{link['id']}") == link


async def test_an_external_id_is_unique_in_its_workspace_only(api: Api, stranger: Api) -> None:
    program = await make_program(api)
    await make_partner(api, program, external_id="7")
    body = {"program_id": program["id"], "name": "B", "email": "b@example.com", "external_id": "7"}
    assert (await api.post("/partners", body, status=409))["code"] == "conflict"
    assert len((await api.get("/partners"))["data"]) == 1
    await make_partner(stranger, await make_program(stranger), external_id="7")
    other = await make_partner(api, program, external_id="8")
    await api.patch(f"/partners/{other['id']}", {"external_id": "7"}, status=409)
    cleared = await api.patch(f"/partners/{other['id']}", {"external_id": None})
    assert cleared["external_id"] is None


async def test_a_recruiter_is_another_partner_of_the_workspace(api: Api, stranger: Api) -> None:
    program = await make_program(api)
    recruiter = await make_partner(api, program)
    recruited = await make_partner(api, program, recruited_by=recruiter["id"])
    assert recruited["enrollments"][0]["recruited_by"] == recruiter["id"]
    foreign = await make_partner(stranger, await make_program(stranger))
    body = {
        "program_id": program["id"], "name": "B", "email": "b@example.com",
        "recruited_by": foreign["id"],
    }  # fmt: skip
    refused = await api.post("/partners", body, status=404)
    assert refused["errors"][0]["place"] == "body/recruited_by"
    assert len((await api.get("/partners"))["data"]) == 2


async def test_suspending_and_reactivating_is_dated(api: Api, database: Database) -> None:
    program = await make_program(api)
    made = await make_partner(api, program)
    for status in ("suspended", "suspended", "active"):
        change = {"enrollments": [{"program_id": program["id"], "status": status}]}
        changed = await api.patch(f"/partners/{made['id']}", change)
        assert changed["enrollments"][0]["status"] == status
    async with database.read() as read:
        rows = await read.all(
            select(EnrollmentState.state)
            .where(EnrollmentState.partner_id == decode("part", made["id"]))
            .order_by(EnrollmentState.since)
        )
    assert [row.state for row in rows] == ["active", "suspended", "active"]


async def test_a_program_that_the_partner_is_not_in_is_not_found(api: Api) -> None:
    made = await make_partner(api, await make_program(api))
    other = await make_program(api)
    change = {"name": "New", "enrollments": [{"program_id": other["id"], "status": "active"}]}
    problem = await api.patch(f"/partners/{made['id']}", change, status=404)
    assert problem["errors"][0]["place"] == "body/enrollments/0/program_id"
    assert await api.get(f"/partners/{made['id']}") == made


async def test_a_further_program_comes_with_a_link_there(api: Api) -> None:
    made = await make_partner(api, await make_program(api))
    other = await make_program(api)
    path = f"/partners/{made['id']}/enrollments"
    enrolled = await api.post(path, {"program_id": other["id"]})
    assert len(enrolled["enrollments"]) == 2
    assert enrolled["default_link"] == made["default_link"]
    links = (await api.get(f"/links?program_id={other['id']}"))["data"]
    assert [link["partner_id"] for link in links] == [made["id"]]
    assert [p["id"] for p in (await api.get(f"/partners?program_id={other['id']}"))["data"]] == [
        made["id"]
    ]
    await api.post(path, {"program_id": other["id"]}, status=409)


async def test_patch_tells_absent_from_null(api: Api) -> None:
    made = await make_partner(api, await make_program(api), country="DE", external_id="7")
    path = f"/partners/{made['id']}"
    assert await api.patch(path, {"name": "Eva"}) == {**made, "name": "Eva"}
    changed = await api.patch(path, {"country": None, "email": "eva@example.com"})
    assert changed == {**made, "name": "Eva", "country": None, "email": "eva@example.com"}
    await api.patch(path, {"name": None}, status=422)


async def test_archiving_suspends_and_archives_the_links(api: Api) -> None:
    program = await make_program(api)
    made = await make_partner(api, program)
    archived = await api.delete(f"/partners/{made['id']}")
    assert archived["archived_at"]
    assert archived["enrollments"][0]["status"] == "suspended"
    assert await api.delete(f"/partners/{made['id']}") == archived
    assert (await api.get(f"/links/{made['default_link']['id']}"))["archived_at"]
    assert (await api.get("/partners"))["data"] == []
    await api.patch(f"/partners/{made['id']}", {"name": "B"}, status=409)
    body = {"program_id": program["id"], "partner_id": made["id"]}
    await api.post("/links", body, status=404)
    await api.post(f"/partners/{made['id']}/enrollments", {"program_id": program["id"]}, status=404)


@pytest.mark.parametrize(
    "changes",
    [
        {"email": "ana"}, {"email": "a b@example.com"}, {"email": "@example.com"},
        {"email": "a@b@example.com"}, {"email": "ana@example"}, {"email": "a@" + "b" * 251 + ".c"},
        {"name": " "}, {"name": "x" * 201}, {"country": "de"}, {"country": "ZZ"},
        {"external_id": ""}, {"external_id": 7}, {"recruited_by": "part_x"}, {"tier": "gold"},
    ],
)  # fmt: skip
async def test_a_senseless_partner_is_refused(api: Api, changes: dict[str, object]) -> None:
    program = await make_program(api)
    body = {"program_id": program["id"], "name": "A", "email": "a@example.com", **changes}
    problem = await api.post("/partners", body, status=422)
    assert problem["errors"][0]["place"] == f"body/{next(iter(changes))}"
    assert problem["errors"][0]["remedy"]
    assert (await api.get("/partners"))["data"] == []


async def test_partners_come_newest_first_page_by_page(api: Api, stranger: Api) -> None:
    program = await make_program(api)
    made = [(await make_partner(api, program, external_id=str(i)))["id"] for i in range(5)]
    seen: list[str] = []
    after = ""
    while True:
        page = await api.get(f"/partners?limit=2{after}")
        seen += [partner["id"] for partner in page["data"]]
        if not page["has_more"]:
            break
        after = f"&starting_after={seen[-1]}"
    assert seen == made[::-1]
    other_id = made[0][:-1] + ("x" if made[0][-1] != "x" else "y")
    for anchor in (f"starting_after={other_id}", "starting_after=link_x", "limit=0",
                   "limit=101", "limit=x"):  # fmt: skip
        await api.get(f"/partners?{anchor}", status=422)
    await stranger.get(f"/partners?starting_after={made[0]}", status=422)
