"""A back-test as it runs: two processes beside the worker's, each at another part, gently.

`python -m app.conversions.backtest.run WORKSPACE BACKTEST RUN` is one of them. They hold no lane
and no transaction while they reckon, so live decisions go on; a lower priority leaves the
processors to those. They end with the worker, however it ends.
"""

import asyncio
import contextlib
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from typing import Final
from uuid import UUID

import structlog
import uvloop

from app import collector, logs
from app.children import on_stop
from app.conversions.backtest import jobs
from app.conversions.backtest.compare import Totals
from app.conversions.backtest.jobs import Job
from app.conversions.backtest.part import compare_part
from app.db.engine import Database
from app.db.where import database_url
from app.settings import Settings

PROCESSES: Final = 2
_NICE: Final = 10
_LOOK_S: Final = 1.0
_log: Final = structlog.get_logger()


async def go_on(database: Database, stop: asyncio.Event) -> bool:
    """Run the next back-test to its end, or until told to stop; False if none waits."""
    job = await jobs.claim(database)
    if job is None:
        return False
    processes: list[Process] = []
    try:
        for _ in range(1 if job.in_order else PROCESSES):
            processes.append(await _start(job))  # noqa: PERF401 (what has begun is ended below)
        whole = await _watch(database, job, processes, stop)
    finally:
        for process in processes:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
    await jobs.end(database, job, whole=whole)
    return True


async def _watch(
    database: Database, job: Job, processes: list[Process], stop: asyncio.Event
) -> bool:
    """Until all have ended, or it is canceled, or told to stop; whether all went well."""
    ended = asyncio.create_task(_all(processes))
    stopped = asyncio.create_task(stop.wait())
    try:
        while not ended.done() and not stop.is_set() and await jobs.touch(database, job):
            await asyncio.wait(
                {ended, stopped}, timeout=_LOOK_S, return_when=asyncio.FIRST_COMPLETED
            )
        return ended.done() and not any(ended.result())
    finally:
        ended.cancel()
        stopped.cancel()


async def _start(job: Job) -> Process:
    # Its standard input ends with the worker, and it with that.
    arguments = (str(job.workspace), str(job.id), str(job.run))
    module = "app.conversions.backtest.run"
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, *arguments, stdin=PIPE, stdout=DEVNULL
    )


async def _all(processes: list[Process]) -> list[int]:
    return [await process.wait() for process in processes]


async def work(database: Database, job: Job, stop: asyncio.Event) -> None:
    """Part after part until none is left, or somebody else answers for the back-test."""
    trial, totals = await jobs.load(database, job), Totals()
    while trial is not None and not stop.is_set():
        part = await jobs.take(database, job)
        if part is None:
            return
        try:
            async with database.read() as read:
                tally = await compare_part(
                    await read.driver(), trial, part.customers, part.decision_no, totals
                )
        except Exception as error:
            _log.exception("backtest.part_failed", backtest=str(job.id), part=part.number)
            await jobs.trouble(database, job, f"Part {part.number}: {type(error).__name__}")
            raise
        if not await jobs.put(database, job, part, tally):
            return


async def _main(settings: Settings, job: Job) -> None:
    stop = asyncio.Event()
    on_stop(stop.set)
    database = Database(database_url(settings), pool_size=1, lane_pool_size=1)
    try:
        working = asyncio.create_task(work(database, job, stop))
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait({working, stopped}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if working.done():
            await working
        working.cancel()
    finally:
        await database.close()


def main(arguments: list[str]) -> int:
    settings = Settings()
    logs.configure(settings.log_level, "backtest")
    os.nice(_NICE)
    collector.calm()
    workspace, backtest, run = map(UUID, arguments)
    job = Job(workspace, backtest, run)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_main(settings, job))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
