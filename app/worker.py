"""Composition root of the worker process: what runs beside the requests, in two visible tables.

LOOPS run here every few seconds; they are safe to run in several workers at once.
SCHEDULES run once per cluster by pgqueuer, which thinks in minutes: it polls for the next full
cron time and a second more, so anything that has to happen within seconds is a loop.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import asyncpg
import structlog
import uvloop
from pgqueuer.adapters.drivers.asyncpg import AsyncpgDriver
from pgqueuer.adapters.persistence.queries import Queries
from pgqueuer.core.sm import SchedulerManager
from pgqueuer.models import Schedule
from prometheus_client import Counter
from sqlalchemy import func
from sqlalchemy.dialects.postgresql import insert

from app import collector, logs, secret_keys
from app.children import on_stop
from app.conversions import true_ups
from app.conversions.backtest import run as backtest
from app.conversions.deal_links import tell_deals
from app.conversions.intake import inbox, replays
from app.conversions.intake.bodies import remove_old_bodies
from app.conversions.intake.watch import watch_inbox
from app.conversions.late_codes import tell_codes
from app.conversions.sources import reconcile
from app.db.engine import Database
from app.db.tables import Heartbeat
from app.db.where import database_url
from app.deal_customers import Finder
from app.health import HEARTBEAT_S
from app.idempotency import remove_old
from app.ledger.mature import mature_due
from app.program.deals.stages import expire_due
from app.redirect.drain import drain_orphans
from app.redirect.partitions import keep_partitions
from app.redirect.prune import prune_changes
from app.redirect.recover import recover_clicks
from app.redirect.retention import remove_old_clicks
from app.redirect.salts import ROUND_S, tend
from app.secret_keys import SecretKeys
from app.settings import Settings

_GRACE_S: Final = 0.6
_LONGEST_WAIT_S: Final = 5.0
_FAILURES: Final = Counter(
    "finderfee_worker_failures",
    "Rounds of the worker's jobs that failed and were tried again",
    ["job"],
)
_log: Final = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Context:
    """What the jobs work on."""

    settings: Settings
    database: Database
    keys: SecretKeys
    stop: asyncio.Event


Run = Callable[[Context], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Loop:
    """A job that runs again `every_s` after its last end."""

    name: str
    every_s: float
    run: Run


@dataclass(frozen=True, slots=True)
class Cron:
    """A job that pgqueuer runs once per cluster at each time of the cron expression (UTC)."""

    name: str
    expression: str
    run: Run


@dataclass(frozen=True, slots=True)
class Once:
    """A job that runs at the worker's start, until it has succeeded."""

    name: str
    run: Run


async def beat(context: Context) -> None:
    """Tell `/readyz/worker`, wherever it is asked, that a worker lives."""
    statement = insert(Heartbeat).values(role="worker")
    async with context.database.tx() as tx:
        await tx.execute(
            statement.on_conflict_do_update(
                index_elements=[Heartbeat.role], set_={"beat_at": func.clock_timestamp()}
            )
        )


async def mature(context: Context) -> None:
    """Several workers may do it at once: each batch is under its workspace's lane."""
    await mature_due(context.database)


async def empty_orphans(context: Context) -> None:
    """Take up the journals of web processes that died; the living ones do it too."""
    await drain_orphans(context.settings.data_dir, context.database)


async def tend_salts(context: Context) -> None:
    """The web processes do it too; here it is done while none lives."""
    await tend(
        context.settings.data_dir,
        context.keys,
        window_s=context.settings.duplicate_window_s,
        database_url=context.database.url,
    )


async def recover_missing_clicks(context: Context) -> None:
    async with context.database.tx() as tx:
        await recover_clicks(tx)


async def watch(context: Context) -> None:
    """Tell what is stuck in the inbox."""
    await watch_inbox(context.database, parked=timedelta(days=context.settings.parked_days))


async def replay_ranges(context: Context) -> None:
    """In chunks; several workers may each be at another replay."""
    while not context.stop.is_set() and await replays.go_on(context.database, context.keys):
        continue


async def reconcile_sources(context: Context) -> None:
    """Page by page; several workers may each be at another source."""
    database, keys, settings = context.database, context.keys, context.settings
    while not context.stop.is_set() and await reconcile.go_on(database, keys, settings):
        continue


async def run_backtests(context: Context) -> None:
    """In processes of their own; several workers may each be at another workspace's."""
    while not context.stop.is_set() and await backtest.go_on(context.database, context.stop):
        continue


async def settle_periods(context: Context) -> None:
    """Batch by batch; several workers may do it at once, each batch is under its lane."""
    while not context.stop.is_set() and await true_ups.settle_due(context.database):
        continue


async def settle_inbox(context: Context) -> None:
    await inbox.run(context.database, context.stop)


def in_database(run: Callable[[Database], Awaitable[object]]) -> Run:
    """A job that needs the database alone."""

    async def on(context: Context) -> None:
        await run(context.database)

    return on


LOOPS: Final = (
    Loop("inbox", 1, settle_inbox),
    Loop("mature", 1, mature),
    Loop("true-ups", 15, settle_periods),
    Loop("heartbeat", HEARTBEAT_S, beat),
    Loop("orphans", 10, empty_orphans),
    Loop("inbox watch", 15, watch),
    Loop("replays", 1, replay_ranges),
    Loop("reconciliations", 2, reconcile_sources),
    Loop("backtests", 1, run_backtests),
    Loop("salts", ROUND_S, tend_salts),
    Loop("deals", 1, in_database(tell_deals)),
    Loop("codes", 0.5, in_database(tell_codes)),
    Loop("deals' customers", 5, in_database(Finder().find)),
)
SCHEDULES: Final = (
    Cron("partitions", "7 * * * *", in_database(keep_partitions)),
    Cron("retention", "37 * * * *", in_database(remove_old_clicks)),
    Cron("bodies", "47 * * * *", in_database(remove_old_bodies)),
    Cron("reconciliation", "23 * * * *", in_database(reconcile.begin_hourly)),
    Cron("link changes", "17 3 * * *", in_database(prune_changes)),
    Cron("idempotency keys", "47 * * * *", in_database(remove_old)),
    Cron("deals' locks", "*/5 * * * *", in_database(expire_due)),
    Cron("recovered clicks", "*/10 * * * *", recover_missing_clicks),
)
AT_START: Final = (Once("partitions", in_database(keep_partitions)),)


async def work(settings: Settings) -> None:
    """Run the tables until told to stop."""
    stop = asyncio.Event()
    on_stop(stop.set)
    collector.calm()
    database = Database(database_url(settings))
    context = Context(settings, database, secret_keys.load(settings), stop)
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_repeat(loop, context)) for loop in (*LOOPS, _SCHEDULER)]
            tasks += [group.create_task(_once(job, context)) for job in AT_START]
            await stop.wait()
            await asyncio.wait(tasks, timeout=_GRACE_S)
            for task in tasks:
                task.cancel()
    finally:
        await database.close()


async def _repeat(loop: Loop, context: Context) -> None:
    """Round after round until `stop`; a round that fails is logged, counted and tried again."""
    failures = 0
    while not context.stop.is_set():
        failures = 0 if await _succeeds(loop.name, loop.run, context) else failures + 1
        await _wait(context.stop, _backoff_s(loop.every_s, failures))


async def _once(job: Once, context: Context) -> None:
    failures = 0
    while not context.stop.is_set() and not await _succeeds(job.name, job.run, context):
        failures += 1
        await _wait(context.stop, _backoff_s(0, failures))


async def _succeeds(name: str, run: Run, context: Context) -> bool:
    try:
        await run(context)
    except Exception as error:  # noqa: BLE001 (the worker loop; counted)
        _FAILURES.labels(name).inc()
        _log.warning("worker.round_failed", job=name, exc_info=error)
        return False
    return True


def _backoff_s(every_s: float, failures: int) -> float:
    return min(every_s + 0.25 * (2.0**failures - 1), max(every_s, _LONGEST_WAIT_S))


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)


async def _run_schedules(context: Context) -> None:
    """Run pgqueuer on a connection of its own; when that breaks, the next round opens another."""
    connection = await asyncpg.connect(context.database.url, timeout=5)
    try:
        manager = SchedulerManager(Queries(AsyncpgDriver(connection)))
        manager.shutdown = context.stop
        for cron in SCHEDULES:
            manager.schedule(cron.name, cron.expression)(_crontab(cron, context))
        await manager.run()
    finally:
        connection.terminate()


def _crontab(cron: Cron, context: Context) -> Callable[[Schedule], Awaitable[None]]:
    async def run(_schedule: Schedule) -> None:
        await _succeeds(cron.name, cron.run, context)

    return run


_SCHEDULER: Final = Loop("scheduler", 1, _run_schedules)


def main() -> None:
    settings = Settings()
    logs.configure(settings.log_level, "worker")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(work(settings))


if __name__ == "__main__":
    main()
