"""The facts that decisions stored, against the inbox and, while it is kept, the raw bytes."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import asyncpg

from app.conversions.canon import dumps, event_json
from app.conversions.proof.finding import Finding
from app.conversions.proof.raw import Raw, read_again, without_clicks
from app.conversions.proof.replay import Replay
from app.core.events import Event
from app.ids import encode


async def findings(
    driver: "asyncpg.Connection[Any]", workspace: UUID, people: Mapping[UUID, Replay]
) -> list[Finding]:
    """Events that the inbox, or a new reading of the raw bytes, tells otherwise."""
    known = {event.id: event for person in people.values() for event in person.events}
    rows = await driver.fetch(
        """
        SELECT e.*, b.body, b.headers, b.with_tax, b.joins_email, w.mode, s.provider
        FROM events e
        JOIN workspaces w ON w.id = e.workspace_id
        LEFT JOIN event_bodies b ON b.workspace_id = e.workspace_id AND b.event_id = e.id
        LEFT JOIN sources s ON s.workspace_id = e.workspace_id AND s.id::text = e.source
        WHERE e.workspace_id = $1 AND e.id = ANY($2)
        """,
        workspace,
        list(known),
    )
    found: list[Finding] = []
    for row in rows:
        found += _event(known.pop(row["id"]), row)
    found += [Finding(f"event {encode('evt', i)}", "missing from the inbox") for i in known]
    return found


def _event(event: Event, row: Mapping[str, Any]) -> list[Finding]:
    place = f"event {encode('evt', event.id)}"
    decided = event_json(event)
    stored = {
        **row["mapped"],
        "id": str(row["id"]),
        "source": row["source"],
        "external_id": row["external_id"],
        # A parked event takes effect later than it came.
        "received_at": decided["received_at"],
    }
    if dumps(decided) != dumps(stored):
        return [Finding(place, "the inbox holds another fact than was decided on")]
    if row["body"] is None:
        return []
    again = read_again(
        Raw(
            provider=row["provider"] or "api",
            type=row["type"],
            body=row["body"],
            live=row["mode"] == "live",
            received_at=row["received_at"],
            occurred_at=row["occurred_at"],
            # A source's are as they were on the event's day; it may have been changed since.
            program_ids=tuple(map(UUID, row["mapped"]["program_ids"] if row["provider"] else ())),
            headers=row["headers"],
            with_tax=row["with_tax"],
            joins_email=row["joins_email"],
        )
    )
    if again is None:
        return [Finding(place, "its raw bytes no longer mean an event")]
    if dumps(again) != dumps(without_clicks(row["mapped"])):
        return [Finding(place, "its raw bytes mean another fact than is stored")]
    return []
