"""The same thing asked for many times at once: one gets it, the others a problem, none a 5xx."""

import asyncio
from collections import Counter
from uuid import UUID

from sqlalchemy import func, select

from app.db.engine import Database
from app.db.tables import ApiKey
from app.enrollments import retire
from app.ids import decode, uuid7
from tests.http.client import PLAN, Api, make_partner, make_program


async def test_a_code_is_given_once(api: Api) -> None:
    partner = await make_partner(api, await make_program(api))
    program_id = partner["enrollments"][0]["program_id"]
    body = {"program_id": program_id, "partner_id": partner["id"], "code": uuid7().hex}
    answers = await asyncio.gather(*(api.send("POST", "/links", json=body) for _ in range(20)))
    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 19}


async def test_an_external_id_is_given_once(api: Api) -> None:
    program = await make_program(api)
    body = {
        "program_id": program["id"], "name": "A", "email": "a@example.com", "external_id": "7",
    }  # fmt: skip
    answers = await asyncio.gather(*(api.send("POST", "/partners", json=body) for _ in range(10)))
    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 9}
    assert len((await api.get("/partners"))["data"]) == 1
    assert len((await api.get("/links"))["data"]) == 1


async def test_one_chargebee_site_is_taken(api: Api) -> None:
    """Its invoice ids are numbered per site; to connect one anew, the old one goes first."""
    body = {"provider": "chargebee", "signing_secrets": ["chargebee:0123456789"]}
    answers = await asyncio.gather(*(api.send("POST", "/sources", json=body) for _ in range(6)))
    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 5}
    (made,) = (answer.json() for answer in answers if answer.status_code == 201)
    problem = await api.post("/sources", body, status=409)
    assert all(word in problem["detail"] for word in (made["id"], "PATCH", "another workspace"))
    await api.delete(f"/sources/{made['id']}")
    await api.post("/sources", body)


async def test_one_admin_key_is_left(api: Api) -> None:
    for _ in range(2):
        await api.post("/keys", {"name": "k", "scopes": ["admin"]})
    ids = [key["id"] for key in (await api.get("/keys"))["data"]]
    await asyncio.gather(*(api.send("DELETE", f"/keys/{id_}") for id_ in ids))
    # Whichever key is left, it may not be the one that this test holds: ask the database.
    assert await _admins(api, ids) == 1


async def test_drafts_are_numbered_without_gaps(api: Api) -> None:
    program = await make_program(api)
    path = f"/programs/{program['id']}/plans"
    drafts = await asyncio.gather(*(api.post(path, {"plan": PLAN}) for _ in range(6)))
    assert sorted(draft["version"] for draft in drafts) == [2, 3, 4, 5, 6, 7]


async def test_a_pause_waits_for_the_lane(api: Api, database: Database) -> None:
    program = await make_program(api)
    async with database.lane(await _workspace(api)):
        pausing = asyncio.create_task(api.patch(f"/programs/{program['id']}", {"status": "paused"}))
        await asyncio.sleep(0.3)
        assert not pausing.done()
        assert (await api.get(f"/programs/{program['id']}"))["status"] == "active"
    assert (await pausing)["status"] == "paused"


async def test_archiving_and_changing_a_link_never_wait_in_a_circle(api: Api) -> None:
    for _ in range(5):
        program = await make_program(api)
        partner = await make_partner(api, program)
        link = f"/links/{partner['default_link']['id']}"
        answers = await asyncio.gather(
            *(api.send("PATCH", link, json={"subs": {"n": str(i)}}) for i in range(5)),
            api.send("DELETE", f"/programs/{program['id']}"),
            api.send("DELETE", f"/partners/{partner['id']}"),
        )
        assert {answer.status_code for answer in answers} <= {200, 409}


async def _workspace(api: Api) -> UUID:
    return decode("ws", (await api.get("/workspaces"))["data"][0]["id"])


async def _admins(api: Api, ids: list[str]) -> int:
    database: Database = api.app.state.database
    async with database.read() as read:
        return int(
            await read.scalar(
                select(func.count()).where(
                    ApiKey.id.in_([decode("key", id_) for id_ in ids]), ApiKey.revoked_at.is_(None)
                )
            )
        )


async def test_a_code_of_a_partner_who_is_just_leaving_waits_and_is_not_made(
    api: Api, database: Database
) -> None:
    partner = await make_partner(api, await make_program(api))
    program_id = partner["enrollments"][0]["program_id"]
    body = {"program_id": program_id, "partner_id": partner["id"], "code": uuid7().hex}
    (workspace,) = (await api.get("/workspaces"))["data"]
    ids = decode("ws", workspace["id"]), decode("part", partner["id"])
    async with database.lane(ids[0]) as tx:
        await retire(tx, *ids)
        making = asyncio.create_task(api.send("POST", "/codes", json=body))
        await asyncio.sleep(0.3)
        assert not making.done()
    assert (await making).status_code == 404
    assert (await api.get("/codes"))["data"] == []
