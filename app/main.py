"""Composition root of the web process: redirect in front of the API, on the parent's socket.

Started by `app.serve` alone, which watches it and hands over the listening socket.
"""

import argparse
import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal, cast

import asyncpg
import structlog
import uvicorn
import uvloop
from sqlalchemy import exists, select
from sqlalchemy.exc import SQLAlchemyError
from starlette.types import ASGIApp

from app import collector, health, logs, secret_keys
from app.children import on_stop
from app.db.engine import Database
from app.db.migrate import is_current
from app.db.tables import Workspace
from app.db.where import database_url
from app.late import Late, nothing_here
from app.redirect.folders import claim_folder
from app.redirect.protocol import RedirectProtocol
from app.redirect.road import road
from app.settings import Settings
from app.site.script import Script
from app.webhook_protocol import WebhookProtocol

if TYPE_CHECKING:
    from fastapi import FastAPI

Role = Literal["all", "redirect", "api"]

_GRACE_S: Final = 1
_POLL_S: Final = 0.3
_KEEP_ALIVE_S: Final = 75
"""Longer than the usual load balancer's 60 s, so that it closes idle connections, not we."""
_log: Final = structlog.get_logger()


class Server(uvicorn.Server):
    """uvicorn without its own signals: it would end the process before our journals are closed."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    def stop(self) -> None:
        self.should_exit = True


class Schema:
    """Whether the database has this release's schema and a first workspace; asked until it has."""

    def __init__(self, url: str, database: Database) -> None:
        self._url = url
        self._database = database
        self._current = False

    def ready(self) -> bool:
        return self._current

    async def ask(self) -> None:
        while not self._current:
            with contextlib.suppress(
                OSError, SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError
            ):
                self._current = await is_current(self._url) and await self._is_filled()
            if not self._current:
                await asyncio.sleep(_POLL_S)
        _log.info("api.ready")

    async def _is_filled(self) -> bool:
        # The parent fills an empty database once it is migrated; until then every key is refused.
        async with self._database.read() as read:
            return bool(await read.scalar(select(exists(Workspace.id))))


@dataclass(frozen=True, slots=True)
class Web:
    """All that a web process answers in its role. late: the API in it."""

    app: ASGIApp
    late: Late


@contextlib.asynccontextmanager
async def application(settings: Settings, role: Role) -> AsyncIterator[Web]:
    """What is answered while the block runs."""
    keys = secret_keys.load(settings)
    url = database_url(settings)
    async with contextlib.AsyncExitStack() as running:
        database = Database(url)
        running.push_async_callback(database.close)
        checks: dict[str, health.Check] = {}
        inner: ASGIApp = nothing_here
        late = Late()
        # In every role: the API journals the clicks that it is told of.
        folder = claim_folder(settings.data_dir)
        clicks = await running.enter_async_context(
            road(settings, database_url=url, keys=keys, folder=folder)
        )
        if role != "api":
            checks["redirect"] = health.of(clicks.ready)
        if role != "redirect":
            group = await running.enter_async_context(asyncio.TaskGroup())
            schema = Schema(url, database)
            recorder = clicks.recorder()
            tasks = [
                group.create_task(schema.ask()),
                group.create_task(_build(late, database, settings, keys, schema.ready, recorder)),
            ]
            running.callback(lambda: [task.cancel() for task in tasks])
            checks["api"] = partial(_api_ready, late, schema, database)
            inner = late
        checks["worker"] = partial(health.worker_beats, database)
        watched = Script(health.Health(inner, checks))
        yield Web(watched if role == "api" else clicks.app(watched), late)


async def _build(late: Late, *parts: Any) -> None:
    """parts: what `api.build` takes."""

    def build() -> "FastAPI":
        from app import api  # noqa: PLC0415 (slow to import: not before the redirects answer)

        return api.build(*parts)

    app = await asyncio.to_thread(build)
    late.put(app, app.state.taker)
    collector.calm()


async def _api_ready(late: Late, schema: Schema, database: Database) -> bool:
    return late.built and schema.ready() and await health.database_answers(database)


def config(
    app: ASGIApp, *, protocol: Callable[..., asyncio.Protocol] = RedirectProtocol
) -> uvicorn.Config:
    """How uvicorn is set up wherever an app is served."""
    return uvicorn.Config(
        app,
        loop="uvloop",
        http=cast("type[asyncio.Protocol]", protocol),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_GRACE_S,
    )


async def serve(settings: Settings, role: Role, listening: socket.socket) -> None:
    async with application(settings, role) as web:
        collector.calm()
        server = Server(config(web.app, protocol=partial(WebhookProtocol, web.late)))
        on_stop(server.stop)
        await server.serve(sockets=[listening])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--role", required=True, choices=("all", "redirect", "api"))
    parser.add_argument("--name", required=True)
    parser.add_argument("--socket", required=True, type=int, help="the listening socket's number")
    given = parser.parse_args()
    settings = Settings()
    logs.configure(settings.log_level, given.name)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(settings, given.role, socket.socket(fileno=given.socket)))


if __name__ == "__main__":
    main()
