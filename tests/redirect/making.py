"""Links in a database, a running road over ASGI, and a Postgres that can go away."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID, uuid4

import asyncpg
import httpx
from sqlalchemy import make_url

from app.core.click_token import ClickToken, verify
from app.main import Server, config
from app.redirect.asgi import ASGIApp
from app.redirect.directory import Directory
from app.redirect.folders import claim_folder, release_folder
from app.redirect.protocol import RedirectProtocol
from app.redirect.road import Road, road
from app.secret_keys import SecretKeys
from app.settings import Settings

BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
KEYS = SecretKeys(["a secret for tests that nobody else has"])


@asynccontextmanager
async def connected(url: str) -> AsyncIterator["asyncpg.Connection[Any]"]:
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


async def make_link(
    url: str,
    code: str,
    *,
    destination: str = "https://shop.example/landing",
    host: str = "",
    click_parameter: str = "click_id",
    fallback: str | None = None,
    subs: dict[str, str] | None = None,
    utm: dict[str, str] | None = None,
    program_utm: dict[str, str] | None = None,
    expires_at: datetime | None = None,
    archived_at: datetime | None = None,
) -> UUID:
    """A link with a workspace, program and partner of its own."""
    workspace, program, partner, link = (uuid4() for _ in range(4))
    async with connected(url) as connection, connection.transaction():
        await connection.execute(
            "INSERT INTO workspaces (id, name, mode, first) VALUES ($1, 'w', 'test', false)",
            workspace,
        )
        await connection.execute(
            "INSERT INTO programs (id, workspace_id, name, currency, destination_hosts,"
            " default_destination, click_parameter, utm)"
            " VALUES ($1, $2, 'p', 'usd', '{}', 'https://shop.example/', $3, $4)",
            program,
            workspace,
            click_parameter,
            json.dumps(program_utm or {}),
        )
        await connection.execute(
            "INSERT INTO partners (id, workspace_id, country) VALUES ($1, $2, '')",
            partner,
            workspace,
        )
        await connection.execute(
            "INSERT INTO links (id, workspace_id, program_id, partner_id, host, code, destination,"
            " click_parameter, fallback, is_default, subs, expires_at, archived_at, utm)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, 'unread', $8, false, $9, $10, $11, $12)",
            link,
            workspace,
            program,
            partner,
            host,
            code,
            destination,
            fallback,
            json.dumps(subs or {}),
            expires_at,
            archived_at,
            json.dumps(utm or {}),
        )
    return link


async def moved(url: str, code: str, path: str) -> None:
    """Lead a link to another page of the shop."""
    async with connected(url) as connection:
        await (await held_change(connection, code, path)).commit()


async def held_change(
    connection: "asyncpg.Connection[Any]", code: str, path: str
) -> "asyncpg.transaction.Transaction":
    """Another page of a link, in a transaction that the caller ends."""
    held = connection.transaction()
    await held.start()
    await connection.execute(
        "UPDATE links SET destination = $1 WHERE code = $2", f"https://shop.example/{path}", code
    )
    return held


@dataclass
class Running:
    road: Road
    folder: Path
    client: httpx.AsyncClient

    async def get(self, path: str, **named: Any) -> httpx.Response:
        return await self.client.get(path, **named)

    async def ready(self) -> None:
        await until(self.road.ready)

    async def knows(self, *codes: str) -> None:
        """Wait until the replica has these codes."""
        find = self.road.directory.find
        await until(lambda: all(find("", code) is not None for code in codes))

    def leads(self, code: str) -> bytes:
        return target_of(self.road.directory, code)


def target_of(directory: Directory, code: str) -> bytes:
    """Where it leads as far as this machine knows; empty: nowhere."""
    target = directory.find("", code)
    return target.way(b"")[0] if target else b""


@asynccontextmanager
async def running_road(
    data_dir: Path, url: str, *, journal_max_bytes: int = 2_000_000_000, **given: Any
) -> AsyncIterator[Running]:
    """given: other settings."""
    settings = Settings(data_dir=data_dir, journal_max_bytes=journal_max_bytes, **given)
    folder = claim_folder(data_dir)
    try:
        async with (
            road(settings, database_url=url, keys=KEYS, folder=folder) as started,
            httpx.AsyncClient(
                transport=httpx.ASGITransport(started.app(inner)),
                base_url="http://go.example",
                headers={"User-Agent": BROWSER},
            ) as client,
        ):
            yield Running(started, folder, client)
    finally:
        release_folder(folder)


@asynccontextmanager
async def listening(
    app: ASGIApp, protocol: Callable[..., asyncio.Protocol] = RedirectProtocol
) -> AsyncIterator[int]:
    """The port of a uvicorn that is set up as the web process' is."""
    server, door = Server(config(app, protocol=protocol)), socket.create_server(("127.0.0.1", 0))
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(server.serve(sockets=[door]))
        yield door.getsockname()[1]
        server.stop()


async def inner(_scope: Any, _receive: Any, send: Callable[[Any], Awaitable[None]]) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"inner"})


def token_of(location: str, parameter: str = "click_id") -> ClickToken:
    """The one token in a Location; fails if there is none, or another beside it."""
    (text,) = parse_qs(urlsplit(location).query)[parameter]
    token = verify(text, KEYS.click_keys)
    assert token is not None
    return token


async def clicks_in(url: str) -> list["asyncpg.Record"]:
    async with connected(url) as connection:
        return await connection.fetch(
            "SELECT c.id, c.link_id, c.traffic_class, c.recovered, c.subs, a.text AS agent,"
            " r.text AS referrer FROM clicks c LEFT JOIN agents a ON a.id = c.agent_id"
            " LEFT JOIN referrers r ON r.id = c.referrer_id ORDER BY c.id"
        )


async def counted_in(url: str) -> int:
    async with connected(url) as connection:
        return int(await connection.fetchval("SELECT coalesce(sum(clicks), 0) FROM link_clicks"))


async def drained(url: str, count: int) -> list["asyncpg.Record"]:
    """The clicks, once there are this many."""
    deadline = asyncio.get_running_loop().time() + 15
    while len(found := await clicks_in(url)) < count:
        assert asyncio.get_running_loop().time() < deadline, f"{len(found)} of {count} drained"
        await asyncio.sleep(0.05)
    return found


async def until(happened: Callable[[], bool], *, timeout_s: float = 15) -> None:
    deadline = asyncio.get_running_loop().time() + timeout_s
    while not happened():
        assert asyncio.get_running_loop().time() < deadline, "it never happened"
        await asyncio.sleep(0.01)


class Gate:
    """A way to a Postgres that can be shut: connections break, new ones are refused.

    Or cleared: while `flows` is, nothing comes through, and nobody is told.
    """

    def __init__(self, url: str) -> None:
        self._upstream = make_url(url)
        self._server: asyncio.Server | None = None
        self._port = 0
        self._writers: set[asyncio.StreamWriter] = set()
        self.flows = asyncio.Event()
        self.flows.set()

    @property
    def url(self) -> str:
        return (
            self._upstream.set(host="127.0.0.1", port=self._port)
            .difference_update_query(["host", "port"])
            .render_as_string(hide_password=False)
        )

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._pass, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def shut(self) -> None:
        if self._server is not None:
            self._server.close()
            for writer in self._writers:
                writer.transport.abort()
            self.flows.set()
            await self._server.wait_closed()
            self._server = None

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        folder = self._upstream.query.get("host")
        port = self._upstream.port or 5432
        if isinstance(folder, str):
            upstream = await asyncio.open_unix_connection(f"{folder}/.s.PGSQL.{port}")
        else:
            upstream = await asyncio.open_connection(self._upstream.host, port)
        pair = {writer, upstream[1]}
        self._writers |= pair
        async with asyncio.TaskGroup() as both:
            both.create_task(self._copy(reader, upstream[1]))
            both.create_task(self._copy(upstream[0], writer))
        self._writers -= pair

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while chunk := await reader.read(65_536):
                await self.flows.wait()
                writer.write(chunk)
                await writer.drain()
        writer.close()


@asynccontextmanager
async def gate_to(url: str) -> AsyncIterator[Gate]:
    gate = Gate(url)
    await gate.open()
    try:
        yield gate
    finally:
        await gate.shut()
