"""Road 1 before a trivial app: `python -m tests.races.serve_road PORT DATABASE_URL FOLDER`."""

import asyncio
import socket
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import uvicorn
import uvloop

from app import collector
from app.main import config
from app.redirect.folders import claim_folder
from app.redirect.road import road
from app.secret_keys import SecretKeys
from app.settings import Settings

SECRET = "a secret for tests of killed roads alone"


async def inner(
    _scope: MutableMapping[str, Any],
    _receive: Callable[[], Awaitable[Any]],
    send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def serve(port: int, database_url: str, data_dir: Path) -> None:
    folder = claim_folder(data_dir)
    async with road(
        Settings(data_dir=data_dir),
        database_url=database_url,
        keys=SecretKeys([SECRET]),
        folder=folder,
    ) as running:
        collector.calm()  # as the web process does
        # uvicorn's own server, so that a signal ends it.
        with socket.create_server(("127.0.0.1", port)) as door:
            await uvicorn.Server(config(running.app(inner))).serve(sockets=[door])


if __name__ == "__main__":
    with (
        suppress(KeyboardInterrupt),
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        runner.run(serve(int(sys.argv[1]), sys.argv[2], Path(sys.argv[3])))
