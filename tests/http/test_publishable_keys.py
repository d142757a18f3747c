"""Publishable keys: one route, from the named origins, at a bounded rate, and CORS for it."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from app.ids import decode
from app.publishable import BURST
from app.rates import Buckets
from tests.http.client import Api, make_partner, make_program
from tests.http.isolation_cases import CASES

SITE = "https://shop.example"


class Page:
    """A page on some site that uses a publishable key."""

    def __init__(self, app: FastAPI, key: str, origin: str | None = SITE) -> None:
        self.app = app
        self.key = key
        self.origin = origin

    async def send(self, method: str, path: str, **sent: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        headers |= {"Origin": self.origin} if self.origin is not None else {}
        transport = httpx.ASGITransport(self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
            return await client.request(
                method, f"/v1{path}", headers=headers | sent.pop("headers", {}), **sent
            )

    async def click(self, code: str) -> httpx.Response:
        return await self.send("POST", "/track/click", json={"code": code})


async def publishable(api: Api, *origins: str) -> Any:
    body = {"name": "Site", "kind": "publishable", "origins": origins or (SITE,)}
    return await api.post("/keys", body)


@pytest.fixture
async def code(api: Api) -> str:
    partner = await make_partner(api, await make_program(api))
    return str(partner["default_link"]["code"])


@pytest.fixture
def twice_at_most(app: FastAPI) -> Iterator[None]:
    """Each key may ask twice, then once in 100 s."""
    usual = app.state.buckets
    app.state.buckets = Buckets(rate_per_s=0.01, burst=2)
    yield
    app.state.buckets = usual


async def test_it_tells_its_kind_and_origins_in_their_normal_form(api: Api) -> None:
    made = await publishable(
        api, "HTTPS://Shop.example:443", SITE, "https://bücher.example", "http://localhost:3000"
    )
    assert made["key"].startswith("ff_pub_")
    assert (made["kind"], made["scopes"]) == ("publishable", ["clicks:write"])
    assert made["origins"] == [SITE, "https://xn--bcher-kva.example", "http://localhost:3000"]
    shown = await api.get(f"/keys/{made['id']}")
    assert shown == {name: made[name] for name in made if name != "key"}
    secret = await api.post("/keys", {"name": "k", "scopes": ["links:read"]})
    assert (secret["kind"], secret["origins"]) == ("secret", [])


@pytest.mark.parametrize("route", sorted(CASES.keys() - {"POST /v1/track/click"}))
async def test_it_opens_one_route_and_no_other(route: str, api: Api, app: FastAPI) -> None:
    page = Page(app, (await publishable(api))["key"])
    method, _, path = route.partition(" ")
    answer = await page.send(method, path.removeprefix("/v1"), json=CASES[route].body)
    assert answer.status_code in {403, 404}, answer.text
    if "_id}" not in path:
        assert answer.json()["code"] == "missing_scope"


@pytest.mark.parametrize(
    "origin",
    [
        None, "", "null", "*", "https://evil.example", "http://shop.example", "https://shop.example/",
        "https://shop.example:8443", "https://www.shop.example", "https://shop.example.evil.example",
    ],
)  # fmt: skip
async def test_it_works_on_its_own_origins_only(
    origin: str | None, api: Api, app: FastAPI, code: str
) -> None:
    key = (await publishable(api))["key"]
    assert (await Page(app, key).click(code)).status_code == 200
    refused = await Page(app, key, origin).click(code)
    assert refused.status_code == 403
    assert refused.json()["code"] == "origin_not_allowed"


async def test_revoked_it_opens_nothing(api: Api, app: FastAPI, code: str) -> None:
    made = await publishable(api)
    await api.delete(f"/keys/{made['id']}")
    assert (await Page(app, made["key"]).click(code)).status_code == 401


async def test_too_many_requests_are_told_when_to_come_again(
    api: Api, app: FastAPI, code: str, twice_at_most: None
) -> None:
    made, other = await publishable(api), await publishable(api)
    for _ in range(2):
        assert (await Page(app, made["key"]).click(code)).status_code == 200
    refused = await Page(app, made["key"]).click(code)
    assert refused.status_code == 429
    assert refused.json()["code"] == "rate_limited"
    assert 90 <= int(refused.headers["retry-after"]) <= 100
    assert (await Page(app, other["key"]).click(code)).status_code == 200
    assert (await api.send("POST", "/track/click", json={"code": code})).status_code == 200


async def test_a_refused_origin_uses_nothing_up(api: Api, app: FastAPI, code: str) -> None:
    made = await publishable(api)
    await Page(app, made["key"], "https://evil.example").click(code)
    took = 0
    while not app.state.buckets.take(decode("key", made["id"])):
        took += 1
    assert took >= BURST


async def test_browsers_may_ask_for_this_route_from_anywhere(
    api: Api, app: FastAPI, code: str
) -> None:
    asked = {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    keyless = Page(app, "")
    answer = await keyless.send("OPTIONS", "/track/click", headers=asked)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "POST" in answer.headers["access-control-allow-methods"]
    allowed = answer.headers["access-control-allow-headers"].lower()
    assert "authorization" in allowed
    assert "content-type" in allowed
    assert answer.headers["access-control-max-age"] == "86400"
    assert "access-control-allow-credentials" not in answer.headers
    for path in ("/links", "/track/lead", "/keys"):
        shut = await keyless.send("OPTIONS", path, headers=asked)
        assert "access-control-allow-origin" not in shut.headers
    page = Page(app, (await publishable(api))["key"])
    for readable in (await page.click(code), await page.click("none"), await keyless.click(code)):
        assert readable.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "publishable"},
        {"kind": "publishable", "origins": []},
        {"kind": "publishable", "origins": [SITE], "scopes": ["admin"]},
        {"kind": "publishable", "origins": [SITE] * 21},
        {"kind": "public", "origins": [SITE]},
        {"origins": [SITE], "scopes": ["admin"]},
        *(
            {"kind": "publishable", "origins": [origin]}
            for origin in (
                "*", "null", "", "shop.example", "https://", "https://shop.example/",
                "https://shop.example/a", "https://shop.example?x", "https://u@shop.example",
                "ftp://shop.example", "https:///shop.example", "https://shop.example\\x",
                "https://*.shop.example", "javascript:alert(1)", "https://a b.example",
            )
        ),
    ],
)  # fmt: skip
async def test_a_senseless_publishable_key_is_refused(api: Api, body: Any) -> None:
    refused = await api.post("/keys", {"name": "k", **body}, status=422)
    assert refused["errors"][0]["remedy"]
