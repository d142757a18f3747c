"""The short way of a webhook answers what the app behind uvicorn's own protocol answers, to the
byte, and is taken only by what comes whole, signed, and for a source that is kept open.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
from fastapi import FastAPI
from prometheus_client import REGISTRY
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.conversions.http import Receiver
from app.conversions.quick import Quickest
from app.db.engine import Database
from app.ids import decode, encode, uuid7
from app.late import Late
from app.limits import MAX_WEBHOOK_BYTES
from app.webhook_protocol import WebhookProtocol
from tests.contract import stripe_objects as objects
from tests.http.client import Api
from tests.http.selling import SECRET, Selling, open_selling, signature
from tests.redirect.making import listening

ANSWER_S = 10
EVENT = re.compile(rb"evt_[0-9a-z]{26}")
DATE = re.compile(rb"date: [^\r]*")


@dataclass
class Taker:
    """The app's own, counting how many requests it has answered."""

    inner: Quickest
    answered: int = 0

    def take(self, scope: Any, body: bytes, tell: Callable[[bytes | None], None]) -> bool:
        def told(answer: bytes | None) -> None:
            self.answered += answer is not None
            tell(answer)

        return self.inner.take(scope, body, told)


@pytest.fixture
async def selling(api: Api, database: Database) -> Selling:
    return await open_selling(api, database)


@asynccontextmanager
async def short(app: FastAPI) -> AsyncIterator[tuple[int, Taker]]:
    late, taker = Late(), Taker(app.state.taker)
    late.put(app, taker)
    async with listening(late, partial(WebhookProtocol, late)) as port:
        yield port, taker


def webhook(name: str) -> bytes:
    return objects.encoded(objects.event("customer.created", objects.customer(name), id=name))


def post(
    source: str, body: bytes = b"", *headers: str, line: str = "", signed: bool = True
) -> bytes:
    """A webhook of a source, signed well; line: another first one."""
    lines = [
        line or f"POST /v1/webhooks/{source} HTTP/1.1",
        "Host: api.example",
        *([f"Stripe-Signature: {signature(body)}"] if signed else []),
        *headers,
        *([] if "chunked" in "".join(headers) else [f"Content-Length: {len(body)}"]),
    ]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


A, B, EMPTY = webhook("evt_a"), webhook("evt_b"), b""
BAD = "Stripe-Signature: t=1,v1=0"
CHUNKED = b"%x\r\n%b\r\n0\r\n\r\n" % (len(A), A)
NOWHERE = b"GET /v1/nowhere HTTP/1.1\r\nHost: api.example\r\n\r\n"

Row = tuple[Callable[[str], list[bytes]], tuple[int, ...], int | None]
"""What is sent in pieces to a source, the statuses of all answers, how many are short.

None: that depends on how the network cuts it.
"""
TABLE: dict[str, Row] = {
    "plain": (lambda s: [post(s, A)], (200,), 1),
    "twice": (lambda s: [post(s, A), post(s, A)], (200, 200), 2),
    "the same at once": (lambda s: [post(s, A) + post(s, A)], (200, 200), 1),
    "pipelined": (lambda s: [post(s, A) + NOWHERE + post(s, B)], (200, 404, 200), 1),
    "behind another": (lambda s: [NOWHERE + post(s, A)], (404, 200), 0),
    "closing": (lambda s: [post(s, A, "Connection: close")], (200,), 1),
    "old": (lambda s: [post(s, A, line=f"POST /v1/webhooks/{s} HTTP/1.0")], (200,), 1),
    "head and body apart": (lambda s: apart(post(s, A)), (200,), 0),
    "body in two pieces": (lambda s: [post(s, A)[:-9], post(s, A)[-9:]], (200,), 0),
    "chunked": (
        lambda s: [post(s, A, "Transfer-Encoding: chunked")[: -len(A)] + CHUNKED],
        (200,),
        1,
    ),
    "asks to be asked": (lambda s: [post(s, A, "Expect: 100-continue")], (100, 200), 0),
    "upgrade": (lambda s: [post(s, A, "Upgrade: h2c")], (200,), 1),
    "large": (lambda s: [post(s, A.ljust(900_000))], (200,), None),
    "too large": (
        lambda s: [post(s, A).replace(b"Length: ", b"Length: %d" % MAX_WEBHOOK_BYTES)],
        (413,),
        0,
    ),
    "two lengths": (lambda s: [post(s, A, f"Content-Length: {len(A)}")], (400,), 0),
    "odd header": (lambda s: [post(s, A, "X-Odd: \xff\xfe")], (200,), 1),
    "header with NUL": (lambda s: [post(s, A, "X-Odd: \0")], (400,), 0),
    "senseless": (lambda s: [post(s, b"nonsense")], (200,), 1),
    "empty": (lambda s: [post(s)], (200,), 1),
    "unsigned": (lambda s: [post(s, A, signed=False)], (401,), 0),
    "signed badly": (lambda s: [post(s, A, BAD, signed=False)], (401,), 0),
    "signed well, then badly": (lambda s: [post(s, A, BAD)], (200,), 1),
    "signed badly, then well": (
        lambda s: [post(s, A, BAD, f"Stripe-Signature: {signature(A)}", signed=False)],
        (401,),
        0,
    ),
    "nobody's source": (lambda _: [post(encode("src", uuid7()), A)], (404,), 0),
    "no source": (lambda _: [post("src_x", A)], (404,), 0),
    "another's prefix": (lambda s: [post(s.replace("src", "evt"), A)], (404,), 0),
    "escaped": (lambda s: [post(s.replace("src", "%73rc"), A)], (200,), 1),
    "NUL": (lambda s: [post(f"{s}%00", A)], (404,), 0),
    "below": (lambda s: [post(f"{s}/", A)], (404,), 0),
    "fragment": (lambda s: [post(f"{s}#x", A)], (200,), 1),
    "query": (lambda s: [post(f"{s}?a=1", A)], (422,), 0),
    "empty query": (lambda s: [post(f"{s}?", A)], (200,), 1),
    "whole address": (
        lambda s: [post(s, A, line=f"POST http://api.example/v1/webhooks/{s} HTTP/1.1")],
        (200,),
        0,
    ),
    "get": (lambda s: [post(s, A, line=f"GET /v1/webhooks/{s} HTTP/1.1")], (405,), 0),
    "put": (lambda s: [post(s, A, line=f"PUT /v1/webhooks/{s} HTTP/1.1")], (405,), 0),
    "small letters": (lambda s: [post(s, A, line=f"post /v1/webhooks/{s} HTTP/1.1")], (400,), 0),
}


def apart(request: bytes) -> list[bytes]:
    head, _, body = request.partition(b"\r\n\r\n")
    return [head + b"\r\n\r\n", body]


@pytest.mark.parametrize("row", TABLE)
async def test_both_ways_answer_the_same(selling: Selling, row: str) -> None:
    app, (pieces, statuses, answered) = selling.api.app, TABLE[row]
    sources = [await opened(selling) for _ in range(2)]
    async with listening(app, HttpToolsProtocol) as port:
        expected = await told(port, pieces(sources[0]), statuses)
    async with short(app) as (port, taker):
        found = await told(port, pieces(sources[1]), statuses)
    assert found == expected
    assert answered in (None, taker.answered)
    assert await stored(selling, sources[0]) == await stored(selling, sources[1])


async def test_the_first_of_a_source_opens_it(selling: Selling) -> None:
    source = selling.source["id"]
    async with short(selling.api.app) as (port, taker):
        await told(port, [post(source, A)], (200,))
        assert taker.answered == 0
        await told(port, [post(source, B)], (200,))
        assert taker.answered == 1


async def test_a_source_that_was_archived_takes_nothing(selling: Selling) -> None:
    source = await opened(selling)
    await selling.api.delete(f"/sources/{source}")
    async with short(selling.api.app) as (port, taker):
        await told(port, [post(source, A)], (404,))
        assert taker.answered == 0


async def test_who_hangs_up_within_the_body_stores_nothing(selling: Selling) -> None:
    source = await opened(selling)
    async with short(selling.api.app) as (port, _):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(post(source, A)[:-1])
        await writer.drain()
        await asyncio.sleep(0.1)
        writer.transport.abort()
        await told(port, [post(source, B)], (200,))
    assert await stored(selling, source) == ["evt_b", "evt_open"]


async def test_a_bug_is_a_500(
    selling: Selling, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    source = await opened(selling)

    def broken(*_: Any) -> None:
        raise RuntimeError("broken for a test")

    monkeypatch.setattr(Receiver, "_put", broken)
    async with short(selling.api.app) as (port, _):
        await told(port, [post(source, A)], (500,))
    assert "broken for a test" in caplog.text


async def test_what_cannot_be_stored_is_told_by_the_app(
    selling: Selling, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = await opened(selling)

    async def away(*_: Any) -> None:
        raise ConnectionRefusedError

    receiver = selling.api.app.state.receiver
    monkeypatch.setattr(receiver._batches, "_run", away)
    async with short(selling.api.app) as (port, taker):
        refused, _ = await told(port, [post(source, A)], (503,))
    assert b"retry-after: " in refused
    assert taker.answered == 0


async def test_one_that_waits_for_its_commit_is_answered_also_at_a_stop(
    selling: Selling, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = await opened(selling)
    batches = selling.api.app.state.receiver._batches
    run, goes_on = batches._run, asyncio.Event()

    async def slow(*given: Any) -> Any:
        await goes_on.wait()
        return await run(*given)

    monkeypatch.setattr(batches, "_run", slow)
    async with short(selling.api.app) as (port, taker):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(post(source, A))
        await asyncio.sleep(0.1)
        # Soon after the server was told to stop.
        asyncio.get_running_loop().call_later(0.2, goes_on.set)
    found = await answer(reader)
    assert found.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"connection: close\r\n" in found
    assert taker.answered == 1
    writer.close()


async def test_it_is_counted_as_a_request_of_the_api(selling: Selling) -> None:
    labels = {"method": "POST", "route": "/v1/webhooks/{source_id}", "status": "200"}
    source = await opened(selling)
    before = REGISTRY.get_sample_value("finderfee_api_seconds_count", labels)
    assert before
    async with short(selling.api.app) as (port, _):
        await told(port, [post(source, A)], (200,))
    assert REGISTRY.get_sample_value("finderfee_api_seconds_count", labels) == before + 1


async def opened(selling: Selling) -> str:
    """A source of its own that has signed something, so it is kept open."""
    made = await selling.api.post("/sources", {"provider": "stripe", "signing_secrets": [SECRET]})
    body = webhook("evt_open")
    headers = {"Stripe-Signature": signature(body)}
    assert (await selling.post(body, headers, source=made["id"])).status_code == 200
    return str(made["id"])


async def stored(selling: Selling, source: str) -> list[str]:
    """The keys of what it brought."""
    async with selling.database.read() as read:
        driver = await read.driver()
        rows = await driver.fetch(
            "SELECT external_id FROM events WHERE workspace_id = $1 AND source = $2"
            " ORDER BY external_id",
            *(selling.workspace, str(decode("src", source))),
        )
    return [row["external_id"] for row in rows]


async def told(port: int, pieces: list[bytes], statuses: tuple[int, ...]) -> list[bytes]:
    """All answers, as they came but for ids and dates, and whether the connection stays open."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for number, piece in enumerate(pieces):
        if number:
            await asyncio.sleep(0.05)
        writer.write(piece)
    answers = [await answer(reader) for _ in statuses]
    assert tuple(int(one[9:12]) for one in answers) == statuses, answers
    writer.write_eof()
    answers.append(await asyncio.wait_for(reader.read(), ANSWER_S))
    writer.close()
    return answers


async def answer(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(ANSWER_S):
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head)
        body = await reader.readexactly(int(length[1])) if length else b""
    return DATE.sub(b"date", head) + EVENT.sub(b"evt", body)
