"""Keys: one 401 for all that opens nothing, scopes, revoking, and only hashes stored."""

import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from fastapi import FastAPI
from sqlalchemy import select

from app.auth import checksum, given_key, new_key
from app.db.engine import Database
from app.db.tables import ApiKey
from tests.http.client import PLAN, Api


async def test_wrong_missing_revoked_and_expired_keys_get_the_same_401(
    api: Api, app: FastAPI
) -> None:
    past = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
    expired = await api.post("/keys", {"name": "k", "scopes": ["admin"], "expires_at": past})
    revoked = await api.post("/keys", {"name": "k", "scopes": ["admin"]})
    works = await Api(app, revoked["key"]).get("/keys")
    assert works["data"]
    await api.delete(f"/keys/{revoked['id']}")
    wrong = [
        "", "x", "ff_live_" + "0" * 38, new_key("live").key, api.key[:-1], api.key + "0",
        api.key.swapcase(), expired["key"], revoked["key"], "ü" * 40, "a" * 10_000,
    ]  # fmt: skip
    bodies = set()
    for key in wrong:
        response = await Api(app, key).send("GET", "/keys")
        assert response.status_code == 401, key
        assert response.headers["www-authenticate"] == "Bearer"
        bodies.add(response.text)
    assert len(bodies) == 1


async def test_a_key_expires_later_works_until_then(api: Api, app: FastAPI) -> None:
    soon = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    made = await api.post("/keys", {"name": "k", "scopes": ["admin"], "expires_at": soon})
    await Api(app, made["key"]).get("/keys")


async def test_only_the_hash_of_a_key_is_stored_and_it_is_shown_once(
    api: Api, database: Database
) -> None:
    made = await api.post("/keys", {"name": "Site", "scopes": ["links:write"]})
    async with database.read() as read:
        row = await read.first(
            select(ApiKey).where(ApiKey.digest == hashlib.sha256(made["key"].encode()).digest())
        )
    assert row is not None
    assert made["key"] not in repr(row)
    shown = await api.get(f"/keys/{made['id']}")
    listed = (await api.get("/keys"))["data"][0]
    assert shown == listed == {name: made[name] for name in made if name != "key"}
    assert made["key"].startswith(shown["hint"])


def test_a_new_key_ends_in_the_checksum_of_the_rest() -> None:
    key = new_key("test").key
    assert key.startswith("ff_test_")
    assert checksum(key[:-6]) == key[-6:]
    assert len({new_key("live").key for _ in range(100)}) == 100


@pytest.mark.parametrize("key", ["x" * 31, "x" * 201, "x" * 31 + " ", "ü" * 32, "x" * 32 + "\n"])
def test_a_given_key_that_could_not_be_sent_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match="API key"):
        given_key(key)


def test_a_given_key_needs_no_form_of_ours() -> None:
    assert given_key("0123456789abcdef0123456789abcdef").hint == "0123456789ab"


async def test_a_scope_opens_its_own_and_nothing_else(api: Api) -> None:
    reader = await api.with_scopes("programs:read")
    await reader.get("/programs")
    refused = await reader.post("/programs", {"name": "x"}, status=403)
    assert "programs:write" in refused["detail"]
    for path in ("/partners", "/links", "/keys", "/workspaces"):
        assert (await reader.get(path, status=403))["code"] == "missing_scope"


async def test_write_includes_read_of_the_same_noun_only(api: Api) -> None:
    writer = await api.with_scopes("programs:write")
    await writer.get("/programs")
    await writer.get("/links", status=403)


async def test_a_lane_is_not_taken_for_a_key_that_may_not(api: Api) -> None:
    reader = await api.with_scopes("programs:read")
    made = await api.post(
        "/programs",
        {
            "name": "P",
            "currency": "eur",
            "destination_hosts": ["a.example"],
            "default_destination": "https://a.example/",
            "plan": PLAN,
        },
    )
    await reader.patch(f"/programs/{made['id']}", {"status": "paused"}, status=403)
    assert (await api.get(f"/programs/{made['id']}"))["status"] == "active"


async def test_the_last_admin_key_stays(api: Api, app: FastAPI) -> None:
    first = (await api.get("/keys"))["data"][0]
    assert (await api.delete(f"/keys/{first['id']}", status=409))["code"] == "conflict"
    other = await api.post("/keys", {"name": "k", "scopes": ["admin"]})
    await api.delete(f"/keys/{first['id']}")
    again = Api(app, other["key"])
    assert (await again.delete(f"/keys/{first['id']}"))["revoked_at"]
    await again.delete(f"/keys/{other['id']}", status=409)


@pytest.mark.parametrize(
    "body",
    [
        {"name": "k", "scopes": []},
        {"name": "k", "scopes": ["root"]},
        {"name": "", "scopes": ["admin"]},
        {"name": "k"},
        {"name": "k", "scopes": ["admin"], "expires_at": "tomorrow"},
        {"name": "k", "scopes": ["admin"], "expires_at": "2030-01-01T00:00:00"},
        {"name": "k", "scopes": ["admin"], "expires_at": 1_900_000_000},
    ],
)
async def test_a_senseless_key_is_refused(api: Api, body: object) -> None:
    assert (await api.post("/keys", body, status=422))["errors"][0]["remedy"]
