"""The life of a back-test: asked for, queued, cut into parts, run, ended or canceled.

One runs per workspace at a time. Whoever runs it says so every second; one that falls silent is
taken up again, and only the parts that were under way are done anew.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import asyncpg
import structlog
from sqlalchemy import text

from app.conversions.backtest.compare import Trial
from app.conversions.backtest.tally import Tally, store
from app.conversions.surroundings import compiled_fact
from app.core.periods import kind_of, period_of, starts_at
from app.core.plans import PlanError
from app.db.engine import Database
from app.db.tx import Tx
from app.ids import uuid7

SILENT_S: Final = 8
"""After so long without a word, a back-test that runs has died with its process."""
MAX_ATTEMPTS: Final = 3
PART_SALES: Final = 2_000
"""Sales of a part: half a second of work, some megabytes in memory."""
_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)
_CLAIMS: Final = 0x6261_636B_7465_7374
"""The advisory lock under which one worker at a time looks for work."""
_log: Final = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Job:
    """A back-test, and the start that this process answers for. in_order: as its trial's."""

    workspace: UUID
    id: UUID
    run: UUID
    in_order: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """number: within its back-test. sales: conversions of the period. decision_no: history up to
    it counts.
    """

    number: int
    sales: int
    customers: list[UUID]
    decision_no: int


async def claim(database: Database) -> Job | None:
    """The oldest back-test that waits, or whose runner fell silent; none if there is none."""
    run = uuid7()
    async with database.tx() as tx:
        driver = await tx.driver()
        if not await driver.fetchval("SELECT pg_try_advisory_xact_lock($1)", _CLAIMS):
            return None
        row = await driver.fetchrow(_CLAIM, run, SILENT_S)
        if row is None:
            return None
        job = Job(row["workspace_id"], row["id"], run)
        if row["attempts"] > MAX_ATTEMPTS:
            told = row["problem"] or "The process that ran it died."
            await driver.execute(_END, job.workspace, job.id, run, "failed", told)
            return None
        try:
            # A savepoint: what breaks in here is undone, and the start still counts as a try.
            async with driver.transaction():
                return await _begin(driver, job)
        except PlanError as error:
            # Stored as a plan once. It must not stand in the way of all that wait behind it.
            await driver.execute(_END, job.workspace, job.id, run, "failed", f"No plan: {error}")
        except asyncpg.PostgresError as error:
            _log.error("backtest.begin_failed", backtest_id=str(job.id), error=repr(error))
            await driver.execute(_TROUBLE, job.workspace, job.id, run, repr(error))
        return None


async def _begin(driver: "asyncpg.Connection[Any]", job: Job) -> Job:
    """Cut it into parts the first time. PlanError if its plan is none."""
    trial = await _load(driver, job)
    assert trial is not None
    if not await driver.fetchval(_IS_CUT, job.workspace, job.id):
        trial = await _cut(driver, job, trial)
    elif trial.in_order:
        # The totals were in the memory of a process that is no more.
        await driver.execute(_AGAIN, job.workspace, job.id)
    return replace(job, in_order=trial.in_order)


async def _cut(driver: "asyncpg.Connection[Any]", job: Job, trial: Trial) -> Trial:
    """Parts of about as many sales each; sales before the period too whose totals matter in it."""
    rows = await driver.fetch(_KEPT, job.workspace)
    kinds = {kind_of(row["period"]) for row in rows} | {a.period for a in trial.plan.plan.asks}
    begins = [starts_at(period_of(trial.from_at, kind)) for kind in kinds]
    since = min([trial.from_at, *(at or _LONG_AGO for at in begins)])
    in_order = bool(kinds)
    await driver.execute("SET LOCAL statement_timeout = 0")
    period = (trial.from_at, trial.to_at)
    await driver.execute(_CUT, job.workspace, job.id, *period, since, in_order, PART_SALES)
    await driver.execute(_COUNT, job.workspace, job.id, in_order)
    return replace(trial, in_order=in_order)


async def load(database: Database, job: Job) -> Trial | None:
    """What is tried; none if this start answers for it no more."""
    async with database.read() as read:
        return await _load(await read.driver(), job)


async def _load(driver: "asyncpg.Connection[Any]", job: Job) -> Trial | None:
    row = await driver.fetchrow(_LOAD, job.workspace, job.id, job.run)
    if row is None:
        return None
    version = {
        "id": row["plan_version_id"],
        "version": row["version"],
        "effective_from": row["from_at"],
        "document": row["document"],
    }
    return Trial(
        workspace=job.workspace,
        program_id=row["program_id"],
        plan=compiled_fact(version),
        from_at=row["from_at"],
        to_at=row["to_at"],
        now=row["created_at"],
        in_order=row["in_order"],
    )


async def take(database: Database, job: Job) -> Part | None:
    """The next part that nobody of this start is at; none if there is none."""
    async with database.tx() as tx:
        driver = await tx.driver()
        row = await driver.fetchrow(_TAKE, job.workspace, job.id, job.run)
    if row is None:
        return None
    return Part(**row)


async def put(database: Database, job: Job, part: Part, tally: Tally) -> bool:
    """A part with all that it adds up to; False if this start answers for it no more."""
    async with database.tx() as tx:
        driver = await tx.driver()
        known = await driver.fetchval(
            _PUT,
            job.workspace,
            job.id,
            job.run,
            part.sales,
            tally.sales_otherwise,
            tally.sales_unlike,
        )
        if known is None:
            return False
        await store(driver, job.workspace, job.id, tally)
        await driver.execute(_DONE, job.workspace, job.id, part.number)
    return True


async def touch(database: Database, job: Job) -> bool:
    """Say that it runs; False if it does no more, or for another start."""
    async with database.tx() as tx:
        driver = await tx.driver()
        return await driver.fetchval(_TOUCH, job.workspace, job.id, job.run) is not None


async def trouble(database: Database, job: Job, problem: str) -> None:
    """Note why a part broke; what is tried last is told if all tries break."""
    async with database.tx() as tx:
        driver = await tx.driver()
        await driver.execute(_TROUBLE, job.workspace, job.id, job.run, problem)


async def end(database: Database, job: Job, *, whole: bool) -> None:
    """Whoever ran it has ended: done if no part is left; else free for another try at once."""
    async with database.tx() as tx:
        driver = await tx.driver()
        left = await driver.fetchval(_LEFT, job.workspace, job.id)
        if left == 0 and whole:
            await driver.execute(_END, job.workspace, job.id, job.run, "done", "")
        else:
            await driver.execute(_FREE, job.workspace, job.id, job.run)
        await driver.execute(_FORGET, job.workspace, job.id)


async def cancel(tx: Tx, workspace: UUID, backtest: UUID) -> None:
    """Stop it if it has not ended. What was done until then is kept."""
    await tx.execute(_CANCEL, {"workspace": workspace, "backtest": backtest})


_CLAIM: Final = """
UPDATE backtests SET state = 'running', run = $1, attempts = attempts + 1,
  started_at = coalesce(started_at, clock_timestamp()), touched_at = clock_timestamp()
WHERE (workspace_id, id) = (
  SELECT workspace_id, id FROM backtests b
  WHERE state IN ('queued', 'running')
    AND (state = 'queued' OR touched_at < clock_timestamp() - make_interval(secs => $2))
    AND NOT EXISTS (
      SELECT FROM backtests o
      WHERE o.workspace_id = b.workspace_id AND o.state = 'running' AND o.id <> b.id
    )
  ORDER BY created_at, id LIMIT 1 FOR UPDATE SKIP LOCKED
)
RETURNING *
"""
_IS_CUT: Final = "SELECT decision_no IS NOT NULL FROM backtests WHERE workspace_id = $1 AND id = $2"
_KEPT: Final = "SELECT DISTINCT period FROM tally_periods WHERE workspace_id = $1"
_CUT: Final = """
INSERT INTO backtest_parts (workspace_id, backtest_id, number, customers, sales)
SELECT $1, $2, part, array_agg(customer_id ORDER BY first_at, customer_id), sum(n) FROM (
  SELECT customer_id, first_at, n,
    floor((sum(of_all) OVER (ORDER BY first_at, customer_id) - of_all) / $7) AS part
  FROM (
    SELECT customer_id, count(*) FILTER (WHERE occurred_at >= $3) AS n, count(*) AS of_all,
      CASE WHEN $6 THEN min(recorded_at) END AS first_at
    FROM conversions
    WHERE workspace_id = $1 AND occurred_at >= $5 AND occurred_at < $4 AND superseded_by IS NULL
    GROUP BY customer_id
  ) each
) placed GROUP BY part
"""
_COUNT: Final = """
UPDATE backtests SET in_order = $3,
  sales = (SELECT coalesce(sum(sales), 0) FROM backtest_parts
    WHERE workspace_id = $1 AND backtest_id = $2),
  decision_no = (SELECT decision_no FROM lanes WHERE workspace_id = $1)
WHERE workspace_id = $1 AND id = $2
"""
_AGAIN: Final = """
WITH parts AS (
  UPDATE backtest_parts SET done_at = NULL WHERE workspace_id = $1 AND backtest_id = $2
), sums AS (
  DELETE FROM backtest_sums WHERE workspace_id = $1 AND backtest_id = $2
), changes AS (
  DELETE FROM backtest_changes WHERE workspace_id = $1 AND backtest_id = $2
)
UPDATE backtests SET sales_done = 0, sales_otherwise = 0, sales_unlike = 0
WHERE workspace_id = $1 AND id = $2
"""
_MINE: Final = "workspace_id = $1 AND id = $2 AND run = $3 AND state = 'running'"
_LOAD: Final = """
SELECT b.*, p.version, p.document FROM backtests b
JOIN plan_versions p ON p.workspace_id = b.workspace_id AND p.id = b.plan_version_id
WHERE b.workspace_id = $1 AND b.id = $2 AND b.run = $3 AND b.state = 'running'
"""
_TAKE: Final = """
UPDATE backtest_parts p SET run = $3 FROM backtests b
WHERE b.workspace_id = $1 AND b.id = $2 AND b.run = $3 AND b.state = 'running'
  AND p.workspace_id = $1 AND p.backtest_id = $2 AND p.number = (
    SELECT number FROM backtest_parts
    WHERE workspace_id = $1 AND backtest_id = $2 AND done_at IS NULL
      AND run IS DISTINCT FROM $3
    ORDER BY number LIMIT 1 FOR UPDATE SKIP LOCKED
  )
RETURNING p.number, p.sales, p.customers, b.decision_no
"""
# Its row is locked first, so that sums are added by one process at a time.
_PUT: Final = f"""
UPDATE backtests SET attempts = CASE WHEN in_order THEN attempts ELSE 1 END,
  sales_done = sales_done + $4, sales_otherwise = sales_otherwise + $5,
  sales_unlike = sales_unlike + $6, problem = '', touched_at = clock_timestamp()
WHERE {_MINE} RETURNING id
"""
_DONE: Final = """
UPDATE backtest_parts SET done_at = clock_timestamp()
WHERE workspace_id = $1 AND backtest_id = $2 AND number = $3
"""
_TOUCH: Final = f"UPDATE backtests SET touched_at = clock_timestamp() WHERE {_MINE} RETURNING id"
_TROUBLE: Final = f"UPDATE backtests SET problem = $4 WHERE {_MINE}"
_LEFT: Final = """
SELECT count(*) FROM backtest_parts
WHERE workspace_id = $1 AND backtest_id = $2 AND done_at IS NULL
"""
_END: Final = f"""
UPDATE backtests SET state = $4, problem = $5, finished_at = clock_timestamp() WHERE {_MINE}
"""
_FORGET: Final = """
DELETE FROM backtest_parts p USING backtests b
WHERE b.workspace_id = $1 AND b.id = $2 AND b.state <> 'running'
  AND p.workspace_id = $1 AND p.backtest_id = $2
"""
_FREE: Final = f"UPDATE backtests SET touched_at = '-infinity' WHERE {_MINE}"
_CANCEL: Final = text("""
UPDATE backtests SET state = 'canceled', finished_at = clock_timestamp()
WHERE workspace_id = :workspace AND id = :backtest AND state IN ('queued', 'running')
""")
