"""Background tasks that go on after whatever fails in them: redirects must not end with one."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

import structlog

from app.redirect.metrics import FAILURES
from app.redirect.postgres import CONNECTION_FAILURES

_PAUSE_S: Final = 1.0

log = structlog.get_logger()


async def keep_running(name: str, task: Callable[[], Awaitable[None]]) -> None:
    """Run a task again and again, a second after it fails, until canceled."""
    own = asyncio.current_task()
    assert own is not None
    while True:
        try:
            await task()
        except CONNECTION_FAILURES as error:
            _tell(name, error, trace=False)
        except Exception as error:  # noqa: BLE001 (counted and logged, with its trace)
            _tell(name, error, trace=True)
        # What fails while it is canceled takes the cancellation's place.
        if own.cancelling():
            return
        await asyncio.sleep(_PAUSE_S)


def _tell(name: str, error: Exception, *, trace: bool) -> None:
    FAILURES.labels(name).inc()
    # A full disk can refuse the log line as well.
    with suppress(OSError):
        log.warning("task.failed", task=name, error=repr(error), exc_info=trace)
