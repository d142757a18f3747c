"""What is stuck in the inbox: parked for longer than it should be, dead, or waiting for long."""

from datetime import timedelta
from typing import Final

import structlog
from prometheus_client import Gauge
from sqlalchemy import text

from app.db.engine import Database
from app.ids import encode

_CHUNK: Final = 1_000
_TOLD: Final = 20
"""Overdue events that the log names one by one each round; of more it tells the number."""
_log: Final = structlog.get_logger()

_OLDEST: Final = Gauge(
    "finderfee_events_oldest_waiting_seconds",
    "Since when the oldest event waits for its decision; 0: none waits",
    multiprocess_mode="livemax",
)
_DEAD: Final = Gauge(
    "finderfee_events_dead", "Events that could not be decided", multiprocess_mode="livemax"
)
_PARKED: Final = Gauge(
    "finderfee_events_parked",
    "Events that wait for what they belong to",
    multiprocess_mode="livemax",
)
_OVERDUE: Final = Gauge(
    "finderfee_events_parked_overdue",
    "Of the parked ones those that have waited for longer than they should",
    multiprocess_mode="livemax",
)

# Both states have one small index; the third counts on that of the events that wait.
_STATES: Final = text("""
SELECT
  (SELECT extract(epoch FROM clock_timestamp() - min(received_at)) FROM events
   WHERE state = 'received') AS oldest_s,
  (SELECT count(*) FROM events WHERE state = 'dead' AND state IN ('parked', 'dead')) AS dead,
  (SELECT count(*) FROM events WHERE state = 'parked' AND state IN ('parked', 'dead')) AS parked,
  (SELECT count(*) FROM events WHERE state = 'parked' AND state IN ('parked', 'dead')
   AND overdue_at IS NOT NULL) AS overdue
""")
_MARK: Final = text("""
UPDATE events SET overdue_at = clock_timestamp()
FROM (
  SELECT workspace_id, id FROM events
  WHERE state = 'parked' AND state IN ('parked', 'dead') AND overdue_at IS NULL
    AND received_at < clock_timestamp() - CAST(:term AS interval)
  LIMIT :most FOR UPDATE SKIP LOCKED
) stuck
WHERE events.workspace_id = stuck.workspace_id AND events.id = stuck.id
RETURNING events.id, events.source, events.type
""")


async def watch_inbox(database: Database, *, parked: timedelta) -> int:
    """Mark what is overdue, alarm once for each, and set the gauges. Gives how many it marked.

    parked: how long an event may wait for what it belongs to.
    """
    marked = await _mark_overdue(database, parked)
    async with database.read() as read:
        found = (await read.execute(_STATES)).one()
    _OLDEST.set(max(0.0, float(found.oldest_s or 0)))
    _DEAD.set(found.dead)
    _PARKED.set(found.parked)
    _OVERDUE.set(found.overdue)
    return marked


async def _mark_overdue(database: Database, term: timedelta) -> int:
    marked = 0
    while True:
        async with database.tx() as tx:
            rows = (await tx.execute(_MARK, {"term": term, "most": _CHUNK})).all()
        for row in rows[: max(0, _TOLD - marked)]:
            _log.warning(
                "event.parent_missing",
                event_id=encode("evt", row.id),
                source=row.source,
                type=row.type,
            )
        marked += len(rows)
        if len(rows) < _CHUNK:
            break
    if marked > _TOLD:
        _log.warning("events.parent_missing", count=marked)
    return marked
