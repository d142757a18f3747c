"""Whatever is sent, the answer is a 4xx problem with place and remedy, and nothing is stored."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.db.engine import Database
from app.limits import MAX_BODY_BYTES, MAX_DEPTH, Limits
from app.wire import Amount, Currency, In, Instant, PartnerId
from tests.http.client import Api, make_program, read


class _Sale(In):
    amount: Amount
    currency: Currency
    occurred_at: Instant | None = None
    partner_id: PartnerId | None = None


@pytest.fixture(scope="session")
def echo(app: FastAPI) -> FastAPI:
    """The API's handlers and limits round one route with the strict types."""
    router = APIRouter()

    @router.post("/v1/echo")
    async def echo(body: _Sale) -> _Sale:
        return body

    made = FastAPI(exception_handlers=dict(app.exception_handlers), strict_content_type=False)
    made.include_router(router)
    made.add_middleware(Limits, body_timeout_s=0.2)
    return made


GOOD = {"amount": 1250, "currency": "usd"}


async def test_what_fits_passes_and_comes_back_in_utc(echo: FastAPI) -> None:
    body = {**GOOD, "occurred_at": "2026-01-01T00:00:00.5+02:00",
            "partner_id": "part_01h45ytscbebyvny4gc8cr8ma2"}  # fmt: skip
    sent = await Api(echo, "").post("/echo", body, status=200)
    assert sent == {**body, "occurred_at": "2025-12-31T22:00:00.500000Z"}
    for amount in (0, 10**13):
        await Api(echo, "").post("/echo", {**GOOD, "amount": amount}, status=200)


@pytest.mark.parametrize(
    "amount",
    ["1250", "1250.0", "1.25e3", "1e3", "10.0", '"1250"', '"1e3"', "true", "null", "[1]", "{}",
     "-1", "10000000000001", "9" * 19, "9" * 30, "9" * 300],
)  # fmt: skip
async def test_an_amount_is_an_integer_within_its_range(echo: FastAPI, amount: str) -> None:
    body = f'{{"amount": {amount}, "currency": "usd"}}'.encode()
    response = await Api(echo, "").send("POST", "/echo", content=body)
    if amount == "1250":
        assert response.status_code == 200
        return
    found = read(response, 422)["errors"][0]
    assert found["place"] == "body/amount"
    assert found["problem"]
    assert found["remedy"]


SENSELESS: dict[str, list[object]] = {
    "currency": ["USD", "usdt", "xxx", "", "us", 840, None, ["usd"]],
    "occurred_at": [
        "2026-01-01", "2026-01-01T00:00:00", "2026-01-01 00:00:00Z", 1767225600, "1767225600",
        "2026-02-30T00:00:00Z", "2026-01-01T24:00:01Z", "now", "2026-01-01T00:00:00+25:00",
        "0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00", "٢٠٢٦-01-01T00:00:00Z",
        "2026-01-01T00:00:00Z\n",
    ],
    "partner_id": [
        "", "part_", "link_01h45ytscbebyvny4gc8cr8ma2", "part_01h45ytscbebyvny4gc8cr8ma",
        "part_81h45ytscbebyvny4gc8cr8ma2", "part_01H45YTSCBEBYVNY4GC8CR8MA2", 5, {},
        "018f2c5e-0000-7000-8000-000000000001", "part_01h45ytscbebyvny4gc8cr8mai",
    ],
    "unknown": [1],
    "x" * 1_000: [1],
}  # fmt: skip


@pytest.mark.parametrize(
    ("field", "value"), [(field, value) for field, values in SENSELESS.items() for value in values]
)
async def test_every_field_is_refused_in_its_place(
    echo: FastAPI, field: str, value: object
) -> None:
    problem = await Api(echo, "").post("/echo", {**GOOD, field: value}, status=422)
    assert problem["code"] == "invalid_request"
    assert problem["errors"][0]["place"] == f"body/{field}"[:200]
    assert problem["errors"][0]["remedy"]


@pytest.mark.parametrize(
    "content",
    [
        b"{", b"}", b"nul", b"{'a': 1}", b'{"a": 1,}', b'{"a": NaN}', b'{"a": Infinity}',
        b'{"a": 1e999}', b'{"a": "\xff"}', b'{"a": "\\ud800"}', b"\xef\xbb\xbf{}", b"\x00",
        b'{"a": 1} {"b": 2}', b"amount=5&currency=usd", b'{"a": ' + b"9" * 5_000 + b"}",
    ],
)  # fmt: skip
async def test_malformed_json_is_a_400_with_its_place(echo: FastAPI, content: bytes) -> None:
    problem = read(await Api(echo, "").send("POST", "/echo", content=content), 400)
    assert problem["code"] == "malformed_json"
    assert problem["errors"][0]["place"].startswith("body (line 1, column ")
    assert problem["errors"][0]["remedy"]


@pytest.mark.parametrize("content", [b"[]", b"5", b'"x"', b"null", b"true", b"[{}]"])
async def test_a_body_of_another_shape_is_refused(echo: FastAPI, content: bytes) -> None:
    problem = read(await Api(echo, "").send("POST", "/echo", content=content), 422)
    assert problem["errors"][0]["place"] == "body"
    assert problem["errors"][0]["remedy"]


async def test_the_last_of_two_equal_keys_counts(echo: FastAPI) -> None:
    body = b'{"amount": 1, "amount": 2, "currency": "usd"}'
    assert read(await Api(echo, "").send("POST", "/echo", content=body), 200)["amount"] == 2


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
async def test_depth_is_bounded(echo: FastAPI, opening: bytes) -> None:
    closing = b"]" if opening == b"[" else b"}"
    for levels, status in ((MAX_DEPTH, 422), (MAX_DEPTH + 1, 400), (10_000, 400)):
        body = opening * levels + b"1" + closing * levels
        problem = read(await Api(echo, "").send("POST", "/echo", content=body), status)
        assert (problem["code"] == "malformed_json") == (status == 400)


async def test_nul_is_refused_wherever_it_stands(api: Api) -> None:
    program = await make_program(api)
    places = {
        "body/name": {"name": "a\0b"},
        "body/plan/rules/0/id": {"plan": {"rules": [{"id": "\0"}]}},
        "body": {"a\0": 1},
    }
    for place, body in places.items():
        problem = await api.patch(f"/programs/{program['id']}", body, status=422)
        assert [error["place"] for error in problem["errors"]] == [place]
    await api.get("/links?program_id=%00", status=422)
    await api.get("/links?limit=2&x=a%00b", status=422)
    await api.get("/links/a%00b", status=404)
    await api.get("/%00", status=404)
    assert await api.get(f"/programs/{program['id']}") == program


async def test_a_body_over_the_limit_is_a_413(echo: FastAPI) -> None:
    filler = MAX_BODY_BYTES - len(json.dumps(GOOD)) - 1
    fits = json.dumps(GOOD).encode() + b" " * filler
    for body, status in ((fits, 200), (fits + b" ", 200), (fits + b"  ", 413)):
        assert len(body) <= MAX_BODY_BYTES + 1
        read(await Api(echo, "").send("POST", "/echo", content=body), status)


async def test_a_webhook_may_be_larger_and_any_bytes(api: Api) -> None:
    path = "/webhooks/src_01h45ytscbebyvny4gc8cr8ma2"
    for size, status in ((MAX_BODY_BYTES + 1, 404), (2_000_000, 404), (2_000_001, 413)):
        response = await Api(api.app, "").send("POST", path, content=b"\0" * size)
        read(response, status)


async def _chunks(count: int, pause_s: float = 0) -> AsyncIterator[bytes]:
    for _ in range(count):
        await asyncio.sleep(pause_s)
        yield b" " * 10_000


async def test_a_chunked_body_cannot_grow_past_the_limit(echo: FastAPI) -> None:
    assert (await _stream(echo, _chunks(7))).status_code == 413


async def test_a_body_that_trickles_is_given_up(echo: FastAPI) -> None:
    response = await _stream(echo, _chunks(5, pause_s=0.1))
    assert read(response, 408)["code"] == "request_timeout"


async def test_half_a_body_does_nothing(echo: FastAPI) -> None:
    """The sender goes away after the first bytes: no answer, and no route runs on an empty body."""
    sent: list[Any] = []
    messages = [
        {"type": "http.request", "body": b"", "more_body": True},
        {"type": "http.disconnect"},
    ]

    async def receive() -> Any:
        return messages.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http", "method": "POST", "path": "/v1/echo", "raw_path": b"/v1/echo",
        "query_string": b"", "headers": [], "http_version": "1.1", "scheme": "http",
    }  # fmt: skip
    await echo(scope, receive, send)
    assert sent == []


async def _stream(app: FastAPI, chunks: AsyncIterator[bytes]) -> httpx.Response:
    transport = httpx.ASGITransport(app)
    headers = {"Content-Type": "application/json"}
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
        return await client.post("/v1/echo", content=chunks, headers=headers)


async def test_another_content_type_is_refused_with_the_remedy(echo: FastAPI) -> None:
    transport = httpx.ASGITransport(echo)
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
        form = await client.post("/v1/echo", data={"amount": "5"})
        plain = await client.post("/v1/echo", content=b"{}", headers={"Content-Type": "text/plain"})
        charset = await client.post(
            "/v1/echo",
            content=json.dumps(GOOD),
            headers={"Content-Type": "Application/JSON; charset=utf-8"},
        )
    for response in (form, plain):
        assert read(response, 400)["errors"][0]["place"] == "header/content-type"
    assert charset.status_code == 200


async def test_addresses_and_methods_that_are_none_are_problems(api: Api) -> None:
    assert (await api.get("/nothing", status=404))["code"] == "not_found"
    assert (await api.get("/links/", status=404))["code"] == "not_found"
    assert (await api.get("/links/link_x", status=404))["code"] == "not_found"
    response = await api.send("PUT", "/links")
    assert read(response, 405)["code"] == "method_not_allowed"
    assert response.headers["allow"] == "GET, POST"
    response = await api.send("POST", "/keys/key_x")
    assert response.headers["allow"] == "DELETE, GET"


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just("a\0"),
    lambda children: (
        st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=8), children, max_size=4)
    ),
    max_leaves=12,
)
FIELDS = ("name", "currency", "destination_hosts", "default_destination", "plan", "program_id",
          "partner_id", "code", "subs", "expires_at", "email", "scopes", "enrollments")  # fmt: skip


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    path=st.sampled_from(["/programs", "/partners", "/links", "/keys", "/workspaces"]),
    body=ANYTHING | st.dictionaries(st.sampled_from(FIELDS), ANYTHING),
)
async def test_no_json_at_all_makes_a_5xx(api: Api, path: str, body: object) -> None:
    content = json.dumps(body).encode("utf-8", "surrogatepass")
    response = await api.send("POST", path, content=content)
    assert 400 <= response.status_code < 500, response.text
    assert response.headers["content-type"] == "application/problem+json"


async def test_nothing_of_a_refused_body_is_stored(api: Api, database: Database) -> None:
    program = await make_program(api)
    body = {"program_id": program["id"], "name": "A", "email": "a@example.com"}
    for wrong in ({"recruited_by": "part_01h45ytscbebyvny4gc8cr8ma2"}, {"country": "zz"}):
        response = await api.send("POST", "/partners", json={**body, **wrong})
        assert response.status_code in {404, 422}
    assert (await api.get("/partners"))["data"] == []
    assert (await api.get("/links"))["data"] == []
