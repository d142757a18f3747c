"""The short way of a redirect and uvicorn's own class, record, count and answer all alike.

Over a real socket: what each header makes of a request, and which of the ways it took.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from prometheus_client import REGISTRY
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.core.traffic import NAMES, REASON_NAMES
from app.redirect.metrics import _hand_on
from app.redirect.protocol import RedirectProtocol
from tests.redirect.making import (
    BROWSER,
    Running,
    connected,
    drained,
    inner,
    listening,
    make_link,
    running_road,
    token_of,
    until,
)

VISITS: list[tuple[str, str, int, str, str]] = [
    ("GET", "", 302, "human", "none"),
    ("GET", "Sec-Purpose: prefetch", 503, "prefetch", "sec_purpose"),
    ("GET", "Sec-Purpose: Prefetch;prerender", 503, "prefetch", "sec_purpose"),
    ("GET", "Purpose: prefetch", 503, "prefetch", "purpose"),
    ("GET", "X-Purpose: preview", 503, "prefetch", "x_purpose"),
    ("GET", "X-Moz: prefetch", 503, "prefetch", "x_moz"),
    ("GET", "x-moz: PREFETCH", 503, "prefetch", "x_moz"),
    ("HEAD", "X-Moz: prefetch", 503, "prefetch", "x_moz"),
    ("HEAD", "", 302, "head", "head_method"),
    ("GET", "Sec-Fetch-Dest: image", 302, "embedded", "embedded_image"),
    ("HEAD", "Sec-Fetch-Dest: image", 302, "head", "head_method"),
    ("GET", "X-Moz: something else", 302, "duplicate", "same_visitor"),
]
"""Method, header, and the status, class and reason that they make."""
OUTCOMES = ("redirected", "head", "prefetch")
Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Answer = tuple[bytes, dict[bytes, bytes], bytes]


class Watched(RedirectProtocol):
    """Ours, telling how many requests it left to uvicorn's way."""

    left = 0

    def begin(self) -> None:
        Watched.left += 1
        super().begin()


@pytest.fixture
async def road(fresh_database_url: str, tmp_path: Path) -> AsyncIterator[Running]:
    for code in ("plain", "short"):
        await make_link(fresh_database_url, code)
    async with running_road(tmp_path, fresh_database_url) as running:
        await running.ready()
        await running.knows("plain", "short")
        # Without the day's salt nobody is known again.
        await until(lambda: running.road.visits.salts.today(time.time()) is not None)
        yield running


async def test_each_header_means_the_same_on_both_ways(
    road: Running, fresh_database_url: str
) -> None:
    app = road.road.app(inner)
    async with listening(app, HttpToolsProtocol) as plain, listening(app, Watched) as short:
        # One connection each: what is answered leaves nothing behind for the next.
        streams = [await asyncio.open_connection("127.0.0.1", port) for port in (plain, short)]
        Watched.left = 0
        for method, header, status, name, _ in VISITS:
            told = []
            for code, stream in zip(("plain", "short"), streams, strict=True):
                before = counted()
                first, headers, body = await opened(stream, code, method, header)
                assert first.split(b" ")[1] == str(status).encode(), (header, code)
                location = headers.pop(b"location", None)
                assert (location is not None) == (name != "prefetch")
                if location is not None:
                    assert token_of(location.decode()).traffic_class == name
                assert headers.pop(b"date")
                now = counted()
                told.append((first, headers, body, {o: now[o] - before[o] for o in OUTCOMES}))
            assert told[0] == told[1], header
            assert sum(told[0][3].values()) == 1
        # Else it would be one way that is held against itself.
        assert Watched.left == 0
        for _, writer in streams:
            writer.close()
    wanted = [[name, reason] for *_, name, reason in VISITS]
    await drained(fresh_database_url, 2 * len(VISITS))
    assert await recorded(fresh_database_url, "plain") == wanted
    assert await recorded(fresh_database_url, "short") == wanted


async def opened(stream: Stream, code: str, method: str, header: str) -> Answer:
    """One answer: its first line, its headers and its body."""
    lines = [f"{method} /r/{code} HTTP/1.1", "Host: go.example", f"User-Agent: {BROWSER}"]
    reader, writer = stream
    writer.write("\r\n".join([*lines, *([header] if header else []), "", ""]).encode())
    async with asyncio.timeout(5):
        head = await reader.readuntil(b"\r\n\r\n")
        first, *answers = head[:-4].split(b"\r\n")
        headers = dict(line.split(b": ", 1) for line in answers)
        length = 0 if method == "HEAD" else int(headers[b"content-length"])
        body = await reader.readexactly(length)
    # Ids of one millisecond are in no order.
    await asyncio.sleep(0.002)
    return first, headers, body


def counted() -> dict[str, float]:
    """Answers so far, by how they were counted."""
    _hand_on()
    name = "finderfee_redirects_total"
    return {o: REGISTRY.get_sample_value(name, {"outcome": o}) or 0.0 for o in OUTCOMES}


async def recorded(url: str, code: str) -> list[list[str]]:
    """Class and reason of each click on a link, in the order of their visits."""
    async with connected(url) as connection:
        rows = await connection.fetch(
            "SELECT traffic_class, class_reason FROM clicks"
            " WHERE link_id = (SELECT id FROM links WHERE code = $1) ORDER BY id",
            code,
        )
    return [[NAMES[row["traffic_class"]], REASON_NAMES[row["class_reason"]]] for row in rows]
