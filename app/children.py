"""One watched process: started, started again when it dies, ended in bounded time.

A child has its own session, so that Ctrl-C reaches the parent alone, which ends things in order.
Its standard input is a pipe that closes when the parent dies, however it dies; a child that reads
the end of it stops by itself (`orphaned`).
"""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import structlog

from app.metrics import Metrics

_FIRST_WAIT_S: Final = 0.1
_LONGEST_WAIT_S: Final = 5.0
_STEADY_S: Final = 10.0
"""Whoever lived so long starts again without delay."""
_log: Final = structlog.get_logger()


@dataclass
class Child:
    """`python -m <module> <arguments>`, kept alive by `keep`."""

    name: str
    module: str
    arguments: Sequence[str]
    metrics: Metrics
    environment: Mapping[str, str]
    descriptors: Sequence[int] = ()
    grace_s: float = 2.0
    _process: asyncio.subprocess.Process | None = field(default=None, init=False)

    async def keep(self, stop: asyncio.Event) -> None:
        """Run it until `stop`, again and again; then end it."""
        wait_s = _FIRST_WAIT_S
        stopped = asyncio.create_task(stop.wait())
        try:
            while not stop.is_set():
                started = time.monotonic()
                self._process = await self._spawn()
                ended = asyncio.create_task(self._process.wait())
                await asyncio.wait({stopped, ended}, return_when=asyncio.FIRST_COMPLETED)
                if stop.is_set():
                    await self._end(self._process)
                    await ended
                    return
                self.metrics.ended(self._process.pid)
                self.metrics.restarted(self.name)
                if time.monotonic() - started > _STEADY_S:
                    wait_s = _FIRST_WAIT_S
                _log.warning("process.died", child=self.name, code=ended.result(), wait_s=wait_s)
                await asyncio.wait({stopped}, timeout=wait_s)
                wait_s = min(wait_s * 2, _LONGEST_WAIT_S)
        finally:
            stopped.cancel()
            if self._process and self._process.returncode is None:
                self._process.kill()

    def restart(self) -> None:
        """End it now; `keep` starts it again."""
        if self._process and self._process.returncode is None:
            self._process.terminate()

    async def _spawn(self) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", self.module, *self.arguments),
            stdin=asyncio.subprocess.PIPE,
            env=dict(self.environment),
            pass_fds=self.descriptors,
            start_new_session=True,
        )

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(self.grace_s):
                await process.wait()
        except TimeoutError:
            _log.warning("process.killed", child=self.name, grace_s=self.grace_s)
            process.kill()


def on_stop(stop: Callable[[], None]) -> None:
    """In a child: call `stop` once at SIGTERM or SIGINT, or when the parent is gone."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)

    def orphaned() -> None:
        if not os.read(0, 1024):
            loop.remove_reader(0)
            stop()

    loop.add_reader(0, orphaned)
