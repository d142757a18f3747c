"""The short way of a redirect through uvicorn keeps to HTTP, as uvicorn's own way does.

What it answers to hostile bytes is held against uvicorn's in `test_hostile`.
"""

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from app.redirect.protocol import RedirectProtocol
from app.redirect.visits import Visits
from tests.redirect.making import (
    Running,
    clicks_in,
    listening,
    make_link,
    running_road,
    token_of,
    until,
)

AGENT = b"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n"
SPRING = b"GET /r/spring HTTP/1.1\r\nHost: go.example\r\n" + AGENT + b"\r\n"
OTHER = b"POST /v1/other HTTP/1.1\r\nHost: go.example\r\nContent-Length: 4\r\n"
ANSWER_S = 5


async def echo(scope: Any, receive: Callable[[], Awaitable[Any]], send: Any) -> None:
    """Answers with the body that it was sent."""
    body = (await receive())["body"] if scope["path"] == "/v1/other" else b"?"
    length = str(len(body)).encode()
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-length", length)]}
    )
    await send({"type": "http.response.body", "body": body})


@pytest.fixture
async def road(fresh_database_url: str, tmp_path: Path) -> AsyncIterator[Running]:
    await make_link(fresh_database_url, "spring")
    async with running_road(tmp_path, fresh_database_url) as running:
        await running.ready()
        await running.knows("spring")
        yield running


async def answered(reader: asyncio.StreamReader) -> tuple[bytes, dict[bytes, bytes], bytes]:
    """One answer: its first line, its headers and its body."""
    async with asyncio.timeout(ANSWER_S):
        head = await reader.readuntil(b"\r\n\r\n")
        first, *lines = head[:-4].split(b"\r\n")
        headers = dict(line.split(b": ", 1) for line in lines)
        return first, headers, await reader.readexactly(int(headers[b"content-length"]))


async def test_one_connection_takes_many_redirects(road: Running, fresh_database_url: str) -> None:
    clicks = set()
    async with listening(road.road.app(echo), RedirectProtocol) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(20):
            writer.write(SPRING)
            first, headers, body = await answered(reader)
            assert (first, body) == (b"HTTP/1.1 302 Found", b"")
            assert headers.keys() == {
                *(b"location", b"date", b"cache-control", b"referrer-policy", b"content-length"),
            }
            clicks.add(token_of(headers[b"location"].decode()).click_id)
        writer.close()
    await until(lambda: road.road.journal.usable)
    stored: list[Any] = []
    async with asyncio.timeout(ANSWER_S):
        while len(stored) < 20:
            stored = await clicks_in(fresh_database_url)
            await asyncio.sleep(0.05)
    assert {row["id"] for row in stored} == clicks


async def test_pipelined_requests_are_answered_in_their_order(road: Running) -> None:
    async with listening(road.road.app(echo), RedirectProtocol) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        other = OTHER + b"\r\nbody"
        writer.write(SPRING + other + SPRING + SPRING + other)
        firsts = [await answered(reader) for _ in range(5)]
        writer.close()
    assert [first[9:12] for first, _, _ in firsts] == [b"302", b"200", b"302", b"302", b"200"]
    assert [body for _, _, body in firsts] == [b"", b"body", b"", b"", b"body"]
    tokens = [token_of(firsts[n][1][b"location"].decode()).click_id for n in (0, 2, 3)]
    assert len(set(tokens)) == 3


async def test_a_sender_that_waits_to_be_asked_for_its_body_is_asked(road: Running) -> None:
    async with listening(road.road.app(echo), RedirectProtocol) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(OTHER + b"Expect: 100-continue\r\n\r\n")
        async with asyncio.timeout(ANSWER_S):
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100 ")
        writer.write(b"body")
        assert (await answered(reader))[2] == b"body"
        writer.close()


async def test_head_and_closing_are_as_asked_for(road: Running) -> None:
    async with listening(road.road.app(echo), RedirectProtocol) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(SPRING.replace(b"GET", b"HEAD"))
        first, headers, _ = await answered(reader)
        assert first == b"HTTP/1.1 302 Found"
        assert token_of(headers[b"location"].decode()).traffic_class == "head"
        writer.write(SPRING.replace(AGENT, AGENT + b"Connection: close\r\n"))
        _, headers, _ = await answered(reader)
        assert headers[b"connection"] == b"close"
        assert await reader.read() == b""
        writer.close()


async def test_a_click_that_waits_for_the_disk_is_answered_after_it_also_at_a_stop(
    road: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced, sync = threading.Event(), os.fdatasync

    def slow(descriptor: int) -> None:
        synced.wait(10)
        sync(descriptor)

    monkeypatch.setattr("app.redirect.journal_file.os.fdatasync", slow)
    async with listening(road.road.app(echo), RedirectProtocol) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(SPRING)
        waiting = asyncio.ensure_future(answered(reader))
        await asyncio.sleep(0.3)
        assert not waiting.done()
        # Soon after the server was told to stop.
        asyncio.get_running_loop().call_later(0.2, synced.set)
    first, headers, _ = await waiting
    assert first == b"HTTP/1.1 302 Found"
    assert headers[b"connection"] == b"close"
    assert token_of(headers[b"location"].decode())
    writer.close()


async def test_a_visitor_who_hangs_up_leaves_a_click_and_no_trouble(
    road: Running, fresh_database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with listening(road.road.app(echo), RedirectProtocol) as port:
        for _ in range(5):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(SPRING)
            await writer.drain()
            writer.transport.abort()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(SPRING)
        await answered(reader)
        writer.close()
    assert not [record for record in caplog.records if record.levelname in {"ERROR", "WARNING"}]


async def test_an_idle_connection_is_closed_after_its_time_and_no_busy_one(
    road: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.main._KEEP_ALIVE_S", 0.6)
    async with listening(road.road.app(echo), RedirectProtocol) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        began = asyncio.get_running_loop().time()
        for request in (SPRING, SPRING, OTHER + b"\r\nbody", SPRING):
            writer.write(request)
            await answered(reader)
            await asyncio.sleep(0.4)
        # One that is slow to say what it wants is not idle.
        writer.write(SPRING[:-2])
        await asyncio.sleep(0.8)
        writer.write(SPRING[-2:])
        await answered(reader)
        idle_since = asyncio.get_running_loop().time()
        assert idle_since - began > 2
        async with asyncio.timeout(ANSWER_S):
            assert await reader.read() == b""
        assert 0.5 < asyncio.get_running_loop().time() - idle_since < 1.1
        writer.close()


async def test_a_bug_is_a_500_and_told(
    road: Running, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("broken for a test")

    monkeypatch.setattr(Visits, "made", broken)
    async with listening(road.road.app(echo), RedirectProtocol) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(SPRING)
        first, _, _ = await answered(reader)
        assert first.startswith(b"HTTP/1.1 500 ")
        writer.close()
    assert "broken for a test" in caplog.text
