"""Back-tests run to their end in this process, as the worker's own processes would."""

import asyncio
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import insert, text

from app.conversions.backtest import jobs, run
from app.conversions.backtest.jobs import Job
from app.core.plans import canonical, parse
from app.db import tables as t
from app.db.engine import Database
from app.ids import uuid7
from tests.making import Shop


async def claimed(database: Database, backtest: UUID) -> Job:
    """The start of this one. What other tests left behind is done on the way."""
    while job := await jobs.claim(database):
        if job.id == backtest:
            return job
        await through(database, job)
    raise AssertionError("it is not to be had")


async def through(database: Database, job: Job) -> None:
    await run.work(database, job, asyncio.Event())
    await jobs.end(database, job, whole=True)


async def finish(database: Database, backtest: UUID) -> None:
    await through(database, await claimed(database, backtest))


async def ask(
    shop: Shop, plan: UUID, from_at: datetime, to_at: datetime, program: str = "main"
) -> UUID:
    """A back-test that is queued. plan: the id of a stored version."""
    backtest = uuid7()
    async with shop.database.tx() as tx:
        await tx.execute(
            insert(t.Backtest).values(
                workspace_id=shop.workspace,
                id=backtest,
                program_id=shop.programs[program],
                plan_version_id=plan,
                from_at=from_at,
                to_at=to_at,
            )
        )
    return backtest


async def draft(shop: Shop, terms: dict[str, Any]) -> UUID:
    """The second version of the program's plan, unpublished."""
    made = uuid7()
    async with shop.database.tx() as tx:
        await tx.execute(
            insert(t.PlanVersion).values(
                id=made,
                workspace_id=shop.workspace,
                program_id=shop.programs["main"],
                version=2,
                document=canonical(parse(orjson.loads(orjson.dumps(terms)))),
            )
        )
    return made


async def totals(shop: Shop, backtest: UUID) -> dict[str, tuple[int, int, int, int]]:
    """By currency: awarded and reversed by the terms in force, and by the version."""
    rows = await shop.rows(
        "SELECT currency, sum(present_awarded) AS a, sum(present_reversed) AS b,"
        " sum(tried_awarded) AS c, sum(tried_reversed) AS d FROM backtest_sums"
        " WHERE workspace_id = :workspace AND backtest_id = :backtest GROUP BY currency",
        backtest=backtest,
    )
    return {r.currency: (int(r.a), int(r.b), int(r.c), int(r.d)) for r in rows}


async def told(shop: Shop, backtest: UUID) -> dict[str, object]:
    async with shop.database.read() as read:
        statement = text("SELECT * FROM backtests WHERE workspace_id = :w AND id = :b")
        (row,) = await read.dicts(statement.bindparams(w=shop.workspace, b=backtest))
    return row
