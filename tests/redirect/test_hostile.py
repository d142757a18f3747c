"""Hostile bytes over a real socket to a real server: nobody is led astray, nothing breaks.

The table is in `hostile.py`; each row is one test, and one server serves them all.
"""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_network
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import pytest
from ada_url import URL
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.redirect.folders import claim_folder, release_folder
from app.redirect.protocol import RedirectProtocol
from app.redirect.road import road
from app.settings import Settings
from tests.conftest import copied_database
from tests.redirect.hostile import BRAND, ENDED, LANDING, LOST, TABLE, Attack
from tests.redirect.making import KEYS, connected, listening, make_link, token_of, until

HOSTS = {"shop.example", "brand-shop.example"}
WAIT_S = 10.0
REDIRECT = {"location", "cache-control", "referrer-policy", "content-length", "date"}
PAGE = {
    *("content-type", "content-length", "cache-control", "content-security-policy"),
    *("x-content-type-options", "date"),
}
HEADERS = {
    302: REDIRECT,
    400: {"content-type", "content-length", "date"},
    404: PAGE,
    405: PAGE | {"allow"},
    503: PAGE,
}
"""Exactly these, each once: a header more is one that somebody put in."""
PRINTABLE = re.compile(rb"[!-~]+")


@dataclass
class Served:
    port: int
    database_url: str
    links: set[UUID]


@dataclass
class Answer:
    status: int
    headers: dict[str, bytes]


@pytest.fixture(
    scope="module", params=[HttpToolsProtocol, RedirectProtocol], ids=["asgi", "protocol"]
)
async def served(
    request: pytest.FixtureRequest,
    server_url: str,
    template: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Served]:
    """Road 1 behind uvicorn, as the web process starts it, trusting its peer to be a proxy.

    Once by uvicorn's own protocol and once by ours, which has to answer the same.
    """
    settings = Settings(
        data_dir=tmp_path_factory.mktemp("hostile"),
        trusted_proxies=(ip_network("127.0.0.0/8"),),
        country_header="cf-ipcountry",
    )
    async for url in copied_database(server_url, template):
        links = {
            await make_link(
                url, "spring", destination=f"{LANDING}?plan=pro#top", subs={"sub1": "o"}
            ),
            await make_link(url, "spring", destination=BRAND, host="brand.example"),
        }
        await lead_lost_codes(url, "brand.example")
        past = datetime(2026, 1, 1, tzinfo=UTC)
        await make_link(url, "ended", archived_at=past, fallback=ENDED)
        folder = claim_folder(settings.data_dir)
        async with road(settings, database_url=url, keys=KEYS, folder=folder) as running:
            await until(running.ready)
            async with listening(running.app(nothing_else), request.param) as port:
                yield Served(port, url, links)
        release_folder(folder)


async def lead_lost_codes(url: str, host: str) -> None:
    """Verify the domain for the workspace of its links, whose fallback then serves it."""
    async with connected(url) as connection:
        link = await connection.fetchrow("SELECT * FROM links WHERE host = $1", host)
        assert link is not None
        workspace, program = link["workspace_id"], link["program_id"]
        await connection.execute(
            "UPDATE workspaces SET fallback = $2 WHERE id = $1", workspace, LOST
        )
        await connection.execute(
            "INSERT INTO domains (id, workspace_id, program_id, host, token, verified_at,"
            " verified_by) VALUES (gen_random_uuid(), $1, $2, $3, 'shown', now(), 'dns')",
            *(workspace, program, host),
        )


@pytest.mark.parametrize("row", TABLE)
async def test_nobody_is_led_astray(served: Served, row: str) -> None:
    attack = TABLE[row]
    answers = await told(served.port, attack)
    assert tuple(answer.status for answer in answers) == attack.statuses
    for answer in answers:
        assert answer.headers.keys() - {"connection"} == HEADERS[answer.status]
        assert answer.headers.get("connection", b"close") == b"close"
        led(answer, attack, served)


async def test_each_click_is_stored_once_as_clean_text(served: Served) -> None:
    await asyncio.sleep(0.01)  # a later millisecond than any other test's
    since = UUID(int=time.time_ns() // 1_000_000 << 80)
    opened: dict[UUID, str] = {}
    tokenless = 0
    for row, attack in TABLE.items():
        answers = await told(served.port, attack)
        opened |= {click: row for answer in answers if (click := led(answer, attack, served))}
        tokenless += attack.statuses.count(503) + attack.unanswered
    found = await stored(served.database_url, since, len(opened) + tokenless)
    assert [row for click, row in opened.items() if click not in found] == []
    assert len(found) == len(opened) + tokenless
    for click, kept in found.items():
        assert_clean(kept, opened.get(click))


def test_the_table_is_long() -> None:
    assert len(TABLE) >= 80


def led(answer: Answer, attack: Attack, served: Served) -> UUID | None:
    """Where an answer leads has to be the attack's page, however one reads it; its click."""
    if answer.status != 302:
        return None
    raw = answer.headers["location"]
    assert PRINTABLE.fullmatch(raw), raw
    location = raw.decode()
    browser, python = URL(location), urlsplit(location)
    assert browser.hostname == python.hostname
    assert browser.hostname in HOSTS
    assert (browser.protocol, browser.port, browser.username) == ("https:", "", "")
    assert (python.scheme, python.port, python.username) == ("https", None, None)
    assert location.partition("?")[0] == attack.page
    if attack.page in {ENDED, LOST}:
        assert location == attack.page
        return None
    token = token_of(location)
    assert token.link_id in served.links
    if attack.page == LANDING:
        assert location.partition("?")[2].startswith("plan=pro&sub1=o&")
        assert python.fragment == "top"
    return token.click_id


async def stored(url: str, since: UUID, least: int) -> dict[UUID, dict[str, Any]]:
    """The clicks in Postgres after this one, once there are so many and all are counted."""
    async with connected(url) as connection:
        deadline = asyncio.get_running_loop().time() + WAIT_S
        while True:
            found = await connection.fetch(
                "SELECT c.id, c.subs, c.country, a.text AS agent, r.text AS referrer FROM clicks c"
                " LEFT JOIN agents a ON a.id = c.agent_id"
                " LEFT JOIN referrers r ON r.id = c.referrer_id WHERE c.id > $1",
                since,
            )
            uncounted = await connection.fetchval(
                "SELECT (SELECT count(*) FROM clicks) - (SELECT sum(clicks) FROM link_clicks)"
            )
            if len(found) >= least and not uncounted:
                assert not await connection.fetchval("SELECT count(*) FROM quarantined_clicks")
                return {row["id"]: dict(row) for row in found}
            assert asyncio.get_running_loop().time() < deadline, f"{len(found)} of {least} stored"
            await asyncio.sleep(0.05)


def assert_clean(click: dict[str, Any], row: str | None) -> None:
    agent, referrer = click["agent"] or "", click["referrer"] or ""
    assert len(agent) <= 512, row
    assert len(referrer) <= 1_024, row
    assert not re.search(r"[\x00-\x08\x0a-\x1f\x7f]", agent + referrer), row
    assert not re.search(r"[?#]", referrer), row
    assert re.fullmatch(r"[!-~]*", click["subs"] or ""), row
    assert click["country"] is None, row


async def told(port: int, attack: Attack) -> list[Answer]:
    """Send an attack's bytes; as many answers as it expects, and nothing behind them."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(WAIT_S):
            writer.write(attack.request)
            bodiless = attack.request.startswith(b"HEAD")
            answers = [await answer(reader, bodiless=bodiless) for _ in attack.statuses]
            writer.write_eof()
            assert await reader.read() == b""
    finally:
        writer.close()
    return answers


async def answer(reader: asyncio.StreamReader, *, bodiless: bool) -> Answer:
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head[:-4].split(b"\r\n")
    pairs = [line.split(b": ", 1) for line in lines]
    headers = {name.decode().lower(): value for name, value in pairs}
    assert len(headers) == len(pairs), lines
    if not bodiless:
        await reader.readexactly(int(headers.get("content-length", b"0")))
    return Answer(int(first.split()[1]), headers)


async def nothing_else(_scope: Any, _receive: Any, send: Callable[[Any], Any]) -> None:
    """What is not the redirect's: answered as the redirect would a code that it doesn't know."""
    headers = [(name.encode(), b"0") for name in PAGE - {"date"}]
    await send({"type": "http.response.start", "status": 404, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
