"""Other meanings that came under an event's key: kept, so that a person can compare."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from prometheus_client import Counter

from app.db.tx import Read, Tx

MOST: Final = 20
"""Meanings kept of one key; a sender who goes on beyond is only counted."""
CONFLICTS: Final = Counter(
    "finderfee_conflicting_events",
    "Events that came again under their key with another meaning, or name another's payment",
)

_COUNT: Final = "UPDATE events SET conflicts = conflicts + 1 WHERE workspace_id = $1 AND id = $2"
_KEEP: Final = """
WITH kept AS (
  INSERT INTO event_conflicts (workspace_id, event_id, fingerprint, id, mapped, reasons, times,
    first_at, last_at)
  SELECT $1, $2, $3, $4, $5, $6, 1, clock_timestamp(), clock_timestamp()
  WHERE $10 > (
    SELECT count(*) FROM event_conflicts
    WHERE workspace_id = $1 AND event_id = $2 AND fingerprint <> $3
  )
  ON CONFLICT (workspace_id, event_id, fingerprint) DO UPDATE
    SET times = event_conflicts.times + 1, last_at = excluded.last_at
  RETURNING times
)
INSERT INTO event_bodies (workspace_id, event_id, body, contact, headers)
SELECT $1, $4, $7, $8, $9 FROM kept WHERE times = 1
"""


@dataclass(frozen=True, slots=True)
class Conflicting:
    """What came. id: for its body; mapped, reasons, contact, headers: JSON as text."""

    id: UUID
    fingerprint: str
    mapped: str | None
    reasons: str
    body: bytes
    contact: str
    headers: str


async def keep(tx: Tx, workspace: UUID, event_id: UUID, said: Conflicting) -> None:
    """Count a contradiction of an event, and keep what it said, once for each meaning."""
    driver = await tx.driver()
    await driver.execute(_COUNT, workspace, event_id)
    await driver.execute(
        _KEEP,
        workspace,
        event_id,
        said.fingerprint,
        said.id,
        said.mapped,
        said.reasons,
        said.body,
        said.contact,
        said.headers,
        MOST,
    )


async def kept(
    read: Read, workspace: UUID, events: Sequence[UUID]
) -> dict[UUID, list[Mapping[str, Any]]]:
    """By event, what came under its key otherwise, oldest first."""
    driver = await read.driver()
    rows = await driver.fetch(
        """
        SELECT c.event_id, c.mapped, c.reasons, c.times, c.first_at, c.last_at, b.contact
        FROM event_conflicts c
        LEFT JOIN event_bodies b ON b.workspace_id = c.workspace_id AND b.event_id = c.id
        WHERE c.workspace_id = $1 AND c.event_id = ANY($2)
        ORDER BY c.first_at, c.fingerprint
        """,
        workspace,
        events,
    )
    found: dict[UUID, list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        found[row["event_id"]].append(row)
    return found
