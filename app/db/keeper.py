"""Keeps the embedded Postgres up for as long as the parent runs."""

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog

from app.db import embedded
from app.db.server_user import EmbeddedPostgresError

_CHECK_S: Final = 1.0
_FIRST_WAIT_S: Final = 0.2
_LONGEST_WAIT_S: Final = 5.0
_STOP_S: Final = 1
_log: Final = structlog.get_logger()


async def keep_postgres(
    folder: Path, *, up: asyncio.Event, stop: asyncio.Event, moved: Callable[[], None]
) -> None:
    """Have the data folder's server run until `stop`, then end it.

    up: set once it answers. moved: called when a restart changed its address.
    """
    url = await asyncio.to_thread(embedded.url, folder)
    wait_s = _FIRST_WAIT_S
    while not stop.is_set():
        try:
            if not up.is_set() or not await asyncio.to_thread(embedded.is_running, folder):
                started = await asyncio.to_thread(embedded.start, folder)
                _log.info("postgres.up")
                up.set()
                if started != url:
                    url = started
                    moved()
            wait_s = _CHECK_S
        except (EmbeddedPostgresError, OSError) as error:
            wait_s = min(wait_s * 2, _LONGEST_WAIT_S)
            _log.error("postgres.not_started", reason=str(error), wait_s=wait_s)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), wait_s)
    await asyncio.to_thread(embedded.stop, folder, timeout_s=_STOP_S)
