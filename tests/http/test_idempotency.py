"""Writes under an idempotency key are done once, on every route, and answered alike."""

import asyncio
import hashlib
import zlib
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from fastapi import APIRouter, Depends, FastAPI
from sqlalchemy import func, select, text, update

from app.api import build
from app.auth import Scope, TxDep, needs
from app.db.engine import Database
from app.db.tables import IdempotencyKey
from app.idempotency import remove_old
from app.ids import decode
from app.secret_keys import SecretKeys
from app.settings import Settings
from app.writing import METHODS, Writes
from tests.canary import where
from tests.http.client import PLAN, Api, make_partner, make_program, new_workspace, read
from tests.http.isolation_cases import CASES, SALE
from tests.http.test_isolation import asked, owned, seen_by_owner

__all__ = ["owned"]

WITHOUT = frozenset({"POST /v1/track/click", "POST /v1/imports"})
"""A told click goes into the journal of the process that hears it, not into Postgres. A file is
never held as a whole; its rows have keys of their own.
"""
QUESTIONS = frozenset(
    {
        "POST /v1/plans/lint",
        "POST /v1/plans/preview",
        "POST /v1/plans/{plan_id}/preview",
        "POST /v1/programs/{program_id}/ltv-cac",
    }
)
"""They write nothing, so that nothing can be done twice."""
REFUSED = {
    "POST /v1/workspaces": 403,
    "DELETE /v1/keys/{key_id}": 409,
    "POST /v1/plans/{plan_id}/publish": 409,
    "POST /v1/plans/{plan_id}/end": 409,
    "POST /v1/claims": 409,
    "POST /v1/partners/{partner_id}/enrollments": 409,
    "POST /v1/domains/{domain_id}/verify": 409,
    "POST /v1/customers/{customer_id}/partner": 422,
    "POST /v1/deals/{deal_id}/qualify": 409,
    "POST /v1/deals/{deal_id}/win": 409,
}
"""What the owner may not do with what it has; each is done another way below."""
WRITES = sorted(
    route for route in CASES.keys() - WITHOUT - QUESTIONS if route.split()[0] in METHODS
)


@pytest.mark.parametrize("route", WRITES)
async def test_every_write_takes_a_key(route: str, api: Api, owned: dict[str, str]) -> None:
    method, path, body = asked(route, owned)
    first = await api.send(method, path, json=body, once="key-1")
    assert first.status_code == REFUSED.get(route, first.status_code), first.text
    assert (first.status_code < 400) == (route not in REFUSED), first.text
    assert "idempotent-replayed" not in first.headers
    after = await seen_by_owner(api)

    again = await api.send(method, path, json=body, once="key-1")
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again.headers["content-type"] == first.headers["content-type"]
    assert ("idempotent-replayed" in again.headers) == (route not in REFUSED)
    assert await seen_by_owner(api) == after

    other = await api.send(method, path, json={**(body or {}), "more": 1}, once="key-1")
    if route not in REFUSED:
        assert read(other, 422)["code"] == "idempotency_key_reused"
    assert await seen_by_owner(api) == after


async def test_what_is_refused_above_takes_a_key_too(
    app: FastAPI, api: Api, database: Database, owned: dict[str, str]
) -> None:
    first = await new_workspace(app, database, first=True)
    key = await api.post("/keys", {"name": "k", "scopes": ["links:read"]})
    draft = await api.post(f"/programs/{owned['program']}/plans", {"plan": PLAN})
    other = await make_program(api, name="Other")
    place = {"program_id": other["id"]}
    person = {"program_id": other["id"], "name": "C", "email": "c@example.com"}
    own = {"plan": {"combine": "first_match", "rules": []}, "partner_id": owned["partner"]}
    terms = await api.post(f"/programs/{owned['program']}/plans", own)
    await api.post(f"/plans/{terms['id']}/publish", {}, status=200)
    await api.post(f"/claims/{owned['claim']}/withdraw", None, status=200)
    assert await _twice(first, "POST", "/workspaces", {"name": "W", "mode": "test"}) == 201
    assert await _twice(api, "DELETE", f"/keys/{key['id']}", None) == 200
    assert await _twice(api, "POST", f"/plans/{draft['id']}/publish", {}) == 200
    assert await _twice(api, "POST", f"/plans/{terms['id']}/end", {}) == 200
    assert await _twice(api, "POST", "/claims", asked("POST /v1/claims", owned)[2]) == 201
    assert await _twice(api, "POST", f"/partners/{owned['partner']}/enrollments", place) == 201
    assert await _twice(api, "POST", f"/customers/{owned['customer']}/partner", person) == 201
    await api.post(f"/deals/{owned['deal']}/accept", {}, status=200)
    for step in ("qualify", "win"):
        assert await _twice(api, "POST", f"/deals/{owned['deal']}/{step}", {}) == 200


async def _twice(api: Api, method: str, path: str, body: Any) -> int:
    first, again = [await api.send(method, path, json=body, once=path) for _ in range(2)]
    assert first.content == again.content
    assert again.headers["idempotent-replayed"] == "true"
    return first.status_code


@pytest.mark.parametrize("road", ["own transaction", "lane", "batch"])
async def test_at_the_same_time_one_is_done(road: str, api: Api) -> None:
    program = await make_program(api)
    method, path, body, done, count = {
        "own transaction": (
            "POST", "/links",
            {"program_id": program["id"], "partner_id": (await make_partner(api, program))["id"]},
            201, 2,
        ),
        "lane": ("POST", f"/programs/{program['id']}/plans", {"plan": PLAN}, 201, 2),
        "batch": ("POST", "/track/sale", SALE, 200, 1),
    }[road]  # fmt: skip
    answers = await asyncio.gather(
        *(api.send(method, path, json=body, once="one") for _ in range(8))
    )
    assert {a.status_code for a in answers} <= {done, 409}, [a.text for a in answers]
    assert len({a.content for a in answers if a.status_code == done}) == 1
    assert {a.json()["code"] for a in answers if a.status_code == 409} <= {"idempotency_key_in_use"}
    listed = {"/track/sale": "/events"}.get(path, path)
    assert len((await api.get(listed))["data"]) == count
    assert (await api.send(method, path, json=body, once="one")).headers["idempotent-replayed"]


async def test_a_key_in_use_is_refused_at_once(api: Api, database: Database) -> None:
    """While the first request's transaction is open, here a stalled one."""
    program = await make_program(api)
    async with database.tx() as stalled:
        await stalled.execute(
            text("SELECT 1 FROM programs WHERE id = :id FOR UPDATE"),
            {"id": decode("prog", program["id"])},
        )
        body = {"program_id": program["id"], "name": "Ana", "email": "ana@example.com"}
        first = asyncio.create_task(api.send("POST", "/partners", json=body, once="k"))
        await _until_a_key_is_taken(database)
        refused = await asyncio.wait_for(api.send("POST", "/partners", json=body, once="k"), 2)
        assert not first.done()
    assert read(refused, 409)["code"] == "idempotency_key_in_use"
    assert int(refused.headers["retry-after"]) > 0
    assert (await first).status_code == 201
    assert len((await api.get("/partners"))["data"]) == 1


async def _until_a_key_is_taken(database: Database) -> None:
    # The two-number space of advisory locks is the keys' alone.
    query = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2")
    for _ in range(200):
        async with database.read() as seen:
            if await seen.scalar(query):
                return
        await asyncio.sleep(0.01)
    raise AssertionError("the first request never took its key")


async def test_what_fails_at_the_commit_is_not_stored(database: Database, api: Api) -> None:
    app = build(database, Settings(), SecretKeys(["a key for tests, 32 characters long"]), _yes)
    router = APIRouter(prefix="/v1", route_class=Writes)
    fails = [True, False]

    @router.post("/flaky", dependencies=[Depends(needs(Scope.ADMIN))])
    async def flaky(tx: TxDep) -> dict[str, bool]:
        create = "CREATE TEMP TABLE doubled (id int UNIQUE DEFERRABLE INITIALLY DEFERRED)"
        await tx.execute(text(f"{create} ON COMMIT DROP"))
        if fails.pop(0):
            await tx.execute(text("INSERT INTO doubled VALUES (1), (1)"))
        return {"done": True}

    app.include_router(router)
    caller = Api(app, api.key)
    assert (await caller.send("POST", "/flaky", once="k")).status_code == 500
    assert await _stored(database, caller) == 0
    second = await caller.send("POST", "/flaky", once="k")
    assert second.status_code == 200
    assert "idempotent-replayed" not in second.headers
    assert (await caller.send("POST", "/flaky", once="k")).headers["idempotent-replayed"]
    assert fails == []


async def test_workspaces_have_keys_of_their_own(api: Api, stranger: Api) -> None:
    body = {"name": "k", "scopes": ["links:read"]}
    mine, theirs = [read(await a.send("POST", "/keys", json=body, once="k"), 201)
                    for a in (api, stranger)]  # fmt: skip
    assert mine["id"] != theirs["id"]


async def test_a_key_opens_no_route_for_a_lesser_api_key(api: Api) -> None:
    body = {"name": "k", "scopes": ["links:read"]}
    made = read(await api.send("POST", "/keys", json=body, once="k"), 201)
    lesser = Api(api.app, made["key"])
    assert (await lesser.send("POST", "/keys", json=body, once="k")).status_code == 403


async def test_the_same_body_written_otherwise_is_the_same(api: Api) -> None:
    one, two = b'{"name": "k", "scopes": ["admin"]}', b'{"scopes":["admin"],"name":"k"}'
    first = await api.send("POST", "/keys", content=one, once="k")
    assert (await api.send("POST", "/keys", content=two, once="k")).content == first.content


async def test_a_key_used_elsewhere_is_reused(api: Api) -> None:
    await api.send("POST", "/keys", json={"name": "k", "scopes": ["admin"]}, once="k")
    program = await make_program(api)
    response = await api.send("DELETE", f"/programs/{program['id']}", once="k")
    assert read(response, 422)["code"] == "idempotency_key_reused"


@pytest.mark.parametrize("key", ["", "a b", b"caf\xc3\xa9", "a" * 256, "a\tb"])
async def test_a_key_has_1_to_255_visible_characters(key: str | bytes, api: Api) -> None:
    body = {"name": "k", "scopes": ["admin"]}
    problem = read(await api.send("POST", "/keys", json=body, once=key), 422)
    assert problem["errors"][0]["place"] == "header/idempotency-key"
    assert (await api.send("POST", "/keys", json=body, once="~" * 255)).status_code == 201


async def test_answers_are_stored_sealed(api: Api, database: Database) -> None:
    made = await api.send("POST", "/keys", json={"name": "k", "scopes": ["admin"]}, once="k")
    again = await api.send("POST", "/keys", json={"name": "k", "scopes": ["admin"]}, once="k")
    assert again.json()["key"] == made.json()["key"]
    assert await where(database.url, made.json()["key"]) == []
    # They are compressed too, so that nothing would be found in an open one either.
    query = select(IdempotencyKey.sealed_answer)
    async with database.read() as seen:
        kept = await seen.scalar(query.where(IdempotencyKey.workspace_id == await _workspace(api)))
    with pytest.raises(zlib.error):
        zlib.decompress(kept)


async def test_an_erasure_takes_answers_away(api: Api, owned: dict[str, str]) -> None:
    program = {"program_id": owned["program"], "name": "Zoë", "email": "zoe@example.com"}
    partner = read(await api.send("POST", "/partners", json=program, once="k"), 201)
    await api.post(f"/partners/{partner['id']}/erase", status=200)
    again = await api.send("POST", "/partners", json=program, once="k")
    assert read(again, 409)["code"] == "idempotency_answer_erased"
    assert len((await api.get("/partners"))["data"]) == 1


async def test_a_key_is_forgotten_after_48_hours(api: Api, database: Database) -> None:
    body = {"name": "k", "scopes": ["admin"]}
    first, *_ = [await api.send("POST", "/keys", json=body, once=key) for key in ("old", "new")]
    async with database.tx() as tx:
        await tx.execute(
            update(IdempotencyKey)
            .where(IdempotencyKey.key == hashlib.sha256(b"old").digest())
            .where(IdempotencyKey.workspace_id == await _workspace(api))
            .values(created_at=func.now() - timedelta(hours=48, seconds=1))
        )
    await remove_old(database)
    assert await _stored(database, api) == 1
    again = await api.send("POST", "/keys", json=body, once="old")
    assert again.json()["id"] != first.json()["id"]


async def test_clicks_are_told_without(api: Api, owned: dict[str, str]) -> None:
    first, again = [
        await api.send("POST", "/track/click", json={"link_id": owned["link"]}, once="k")
        for _ in range(2)
    ]
    assert first.json()["click_id"] != again.json()["click_id"]


async def _stored(database: Database, api: Api) -> int:
    workspace = await _workspace(api)
    async with database.read() as seen:
        found: int = await seen.scalar(
            select(func.count()).where(IdempotencyKey.workspace_id == workspace)
        )
    return found


async def _workspace(api: Api) -> UUID:
    return decode("ws", (await api.get("/workspaces"))["data"][0]["id"])


def _yes() -> bool:
    return True
