"""The worker's loop over the inbox: batches by workspace, poison set aside, nothing lost."""

import asyncio
from collections.abc import Sequence
from typing import Final
from uuid import UUID

import structlog
from prometheus_client import Counter
from sqlalchemy import text

from app.conversions import road
from app.conversions.canon import json_text
from app.core.reasons import because
from app.db.engine import Database
from app.db.tx import Tx
from app.errors import LaneBusy

BATCH: Final = 90
"""Events of one lane transaction: large enough to be fast, small enough for 50 ms."""
MAX_ATTEMPTS: Final = 8
_IDLE_S: Final = 0.2
_PAUSE_AFTER_ERROR_S: Final = 1.0
_WORKSPACES_AT_ONCE: Final = 50

# From workspace to workspace by the index, however many events wait in each.
_DUE: Final = """
WITH RECURSIVE waiting AS (
  (SELECT workspace_id AS id FROM events WHERE state = 'received' ORDER BY workspace_id LIMIT 1)
  UNION ALL
  SELECT (
    SELECT workspace_id FROM events WHERE state = 'received' AND workspace_id > w.id
    ORDER BY workspace_id LIMIT 1
  ) FROM waiting w WHERE w.id IS NOT NULL
)
SELECT w.id AS workspace_id FROM waiting w
CROSS JOIN LATERAL (
  SELECT received_at FROM events
  WHERE workspace_id = w.id AND state = 'received' AND next_attempt_at <= now()
  ORDER BY received_at LIMIT 1
) oldest
ORDER BY oldest.received_at LIMIT :most
"""

_log: Final = structlog.get_logger()
_SETTLED: Final = Counter("finderfee_events_settled", "Events that the worker decided")
_FAILED: Final = Counter("finderfee_events_failed", "Decisions that failed, event by event")


async def run(database: Database, stop: asyncio.Event) -> None:
    """Settle the inbox until told to stop. Postgres may go and come back meanwhile."""
    while not stop.is_set():
        try:
            settled = await settle_due(database)
        except Exception as error:  # noqa: BLE001 (the loop outlives whatever breaks one round)
            _FAILED.inc()
            _log.warning("inbox.round_failed", error=repr(error))
            await _wait(stop, _PAUSE_AFTER_ERROR_S)
            continue
        if settled == 0:
            await _wait(stop, _IDLE_S)


async def settle_due(database: Database) -> int:
    """One round: a batch of every workspace that has events due. Gives how many were settled."""
    async with database.read() as read:
        due = await read.all(text(_DUE).bindparams(most=_WORKSPACES_AT_ONCE))
    return sum([await settle(database, row.workspace_id) for row in due])


async def settle(database: Database, workspace: UUID) -> int:
    """Decide one batch of a workspace. If it fails, event by event, so that the others pass."""
    ids: Sequence[UUID] = ()
    try:
        async with database.lane(workspace) as tx:
            ids = await _claim(tx, workspace)
            settled = await road.decide(tx, workspace, ids)
    except LaneBusy:
        return 0
    except (OSError, ConnectionError):
        raise
    except Exception as error:
        if not ids:
            raise
        # Any of them may have broken it: found out one by one.
        _log.warning("inbox.batch_failed", workspace=str(workspace), error=repr(error))
    else:
        _SETTLED.inc(settled)
        return settled
    return sum([await _settle_alone(database, workspace, event) for event in ids])


async def _settle_alone(database: Database, workspace: UUID, event: UUID) -> int:
    try:
        async with database.lane(workspace) as tx:
            settled = await road.decide(tx, workspace, [event])
    except LaneBusy:
        return 0
    except (OSError, ConnectionError):
        raise
    except Exception as error:  # noqa: BLE001 (whatever it is, it is this event's, and counted)
        _FAILED.inc()
        _log.error("event.failed", event_id=str(event), error=repr(error))
        await _count_attempt(database, workspace, event, error)
        return 0
    _SETTLED.inc(settled)
    return settled


async def _claim(tx: Tx, workspace: UUID) -> list[UUID]:
    """The next events, oldest receipt first. tx: holds the lane, so nobody else claims them."""
    driver = await tx.driver()
    rows = await driver.fetch(
        "SELECT id FROM events WHERE workspace_id = $1 AND state = 'received'"
        " AND next_attempt_at <= clock_timestamp() ORDER BY received_at, id LIMIT $2",
        workspace,
        BATCH,
    )
    return [row["id"] for row in rows]


async def _count_attempt(
    database: Database, workspace: UUID, event: UUID, error: Exception
) -> None:
    """Try again later, twice as late each time; after the last attempt the event is dead."""
    async with database.tx() as tx:
        driver = await tx.driver()
        attempts: int | None = await driver.fetchval(
            "UPDATE events SET attempts = attempts + 1,"
            " next_attempt_at = clock_timestamp() + make_interval(secs => 2 ^ attempts)"
            " WHERE workspace_id = $1 AND id = $2 AND state = 'received' RETURNING attempts",
            workspace,
            event,
        )
        if attempts is None:
            return  # Another process has decided it meanwhile.
        reason = because("decision_failed", error=type(error).__name__, attempts=attempts)
        await driver.execute(
            "UPDATE events SET reasons = $3, state = CASE WHEN attempts >= $4 THEN 'dead'"
            " ELSE state END WHERE workspace_id = $1 AND id = $2",
            workspace,
            event,
            json_text((reason,)),
            MAX_ATTEMPTS,
        )


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return
