"""Raw bodies past their workspace's retention: deleted in chunks, once their events are settled.

Beside erasing this is the one way to take a body away. The guard of `event_bodies` opens it by
`finderfee.body_retention`, and looks for itself whether a body is old enough and settled.
"""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy import text

from app.db.engine import Database
from app.ids import first_at

_CHUNK: Final = 1_000
_log: Final = structlog.get_logger()

_KEPT: Final = text(
    "SELECT id, body_retention_days AS days, clock_timestamp() AS now FROM workspaces ORDER BY id"
)
_OPEN: Final = text("SELECT set_config('finderfee.body_retention', 'on', true)")
# Ids are UUIDv7s of the receipt: what is due begins the workspace's range of the primary key. A
# conflict's body has no event of its id.
_DELETE: Final = text("""
WITH due AS (
  SELECT b.event_id FROM event_bodies b
  LEFT JOIN events e ON e.workspace_id = b.workspace_id AND e.id = b.event_id
  WHERE b.workspace_id = :workspace AND b.event_id > :after AND b.event_id < :until
    AND coalesce(e.state NOT IN ('received', 'parked'), true)
  ORDER BY b.event_id LIMIT :most
)
DELETE FROM event_bodies WHERE workspace_id = :workspace AND event_id IN (SELECT event_id FROM due)
RETURNING event_id
""")


async def remove_old_bodies(database: Database) -> int:
    """One round over all workspaces; how many bodies went."""
    async with database.read() as read:
        workspaces = await read.all(_KEPT)
    removed = 0
    for row in workspaces:
        until = _first_kept(row.now, row.days)
        removed += await _remove(database, row.id, until)
    if removed:
        _log.info("bodies.removed", count=removed)
    return removed


def _first_kept(now: datetime, days: int) -> UUID:
    return first_at(now - timedelta(days=days))


async def _remove(database: Database, workspace: UUID, until: UUID) -> int:
    removed, after = 0, UUID(int=0)
    while True:
        async with database.tx() as tx:
            await tx.execute(_OPEN)
            gone = await tx.execute(
                _DELETE,
                {"workspace": workspace, "after": after, "until": until, "most": _CHUNK},
            )
            ids = [row.event_id for row in gone]
        removed += len(ids)
        if len(ids) < _CHUNK:
            return removed
        # What stays lies behind us: it isn't looked at again for each chunk.
        after = max(ids)
