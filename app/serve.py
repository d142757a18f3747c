"""The parent process: it owns the data folder, the socket, and the order of things.

Web starts at once, so that known links redirect; beside it Postgres is started or adopted and
migrated, then the worker starts. At the end: web, worker, Postgres.
"""

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Final, Literal

import structlog

from app import claims, logs, metrics, secret_keys
from app.children import Child
from app.claims import CannotServeError
from app.db.keeper import keep_postgres
from app.metrics import Metrics
from app.settings import Settings

Role = Literal["all", "redirect", "api", "worker"]
ROLES: Final[tuple[Role, ...]] = ("all", "redirect", "api", "worker")
_WEB_GRACE_S: Final = 1.6
_WORKER_GRACE_S: Final = 1.0
_log: Final = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Options:
    """The command line of `serve`."""

    role: Role = "all"
    workers: int = 1
    demo: bool = False


def serve(settings: Settings, options: Options) -> None:
    """Run until SIGINT or SIGTERM. CannotServeError if it can't begin."""
    if options.demo and settings.database_url:
        raise CannotServeError("--demo is refused with DATABASE_URL: it is for trying out only")
    logs.configure(settings.log_level, "parent")
    with contextlib.ExitStack() as held:
        held.enter_context(claims.data_folder(settings.data_dir))
        secret_keys.load(settings)
        opened = None
        if options.role != "worker":
            opened = held.enter_context(claims.listening(settings.host, settings.port))
        counted = Metrics(settings.data_dir.resolve() / "metrics")
        held.callback(counted.remove)
        held.enter_context(counted.served(settings.host, settings.metrics_port))
        asyncio.run(Parent(settings, options, counted, opened).run())


@dataclass
class Parent:
    """One run of `serve`, from the first child to the last."""

    settings: Settings
    options: Options
    metrics: Metrics
    listening: socket.socket | None
    _up: asyncio.Event = field(default_factory=asyncio.Event)
    _prepared: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        stop, web_stop, worker_stop, database_stop = (asyncio.Event() for _ in range(4))
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        web, worker = list(self._web()), list(self._worker())
        async with asyncio.TaskGroup() as group:
            web_tasks = [group.create_task(child.keep(web_stop)) for child in web]
            database = group.create_task(self._keep_database(database_stop, [*web, *worker]))
            preparing = group.create_task(self._prepare())
            worker_tasks = [
                group.create_task(self._keep_prepared(child, worker_stop)) for child in worker
            ]
            await stop.wait()
            _log.info("parent.stopping")
            preparing.cancel()
            for event, tasks in (
                (web_stop, web_tasks),
                (worker_stop, worker_tasks),
                (database_stop, [database]),
            ):
                event.set()
                await asyncio.gather(*tasks)

    def _web(self) -> Iterator[Child]:
        if self.listening is None:
            return
        number = self.listening.fileno()
        for i in range(1, self.options.workers + 1):
            name = f"web-{i}"
            arguments = ("--role", self.options.role, "--name", name, "--socket", str(number))
            yield Child(
                name,
                "app.main",
                arguments,
                self.metrics,
                self._environment(),
                descriptors=(number,),
                grace_s=_WEB_GRACE_S,
            )

    def _worker(self) -> Iterator[Child]:
        if self.options.role in {"all", "worker"}:
            yield Child(
                "worker",
                "app.worker",
                (),
                self.metrics,
                self._environment(),
                grace_s=_WORKER_GRACE_S,
            )

    def _environment(self) -> dict[str, str]:
        return os.environ | {metrics.VARIABLE: str(self.metrics.folder)}

    async def _keep_database(self, stop: asyncio.Event, children: Sequence[Child]) -> None:
        """With DATABASE_URL there is no server of ours to keep."""
        if self.settings.database_url:
            self._up.set()
            return

        def moved() -> None:
            for child in children:
                child.restart()

        await keep_postgres(self.settings.data_dir, up=self._up, stop=stop, moved=moved)

    async def _prepare(self) -> None:
        # In a thread, and not before the children are on their way: it takes most of a second.
        prepare = await asyncio.to_thread(import_module, "app.prepare")
        await self._up.wait()
        if self.options.role != "redirect":
            await prepare.migrate_when_up(self.settings)
        if self.options.role in {"all", "api"}:
            with_demo = self.options.demo
            told = await prepare.first_workspace_when_up(self.settings, with_demo=with_demo)
            address = self.settings.base_url
            sys.stdout.write(f"{told or ''}\nFinderfee answers on {address} ({address}/docs)\n")
            sys.stdout.flush()
        self._prepared.set()

    async def _keep_prepared(self, child: Child, stop: asyncio.Event) -> None:
        """The worker needs the schema; so it starts after the migration."""
        waiting = [asyncio.create_task(event.wait()) for event in (self._prepared, stop)]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in waiting:
            task.cancel()
        await child.keep(stop)
