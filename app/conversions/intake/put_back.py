"""Events that were never decided go back into the inbox, read by today's reader.

What was decided stays: its facts are in the ledger's reasons and would change nothing. An event
whose bytes are gone is decided by what they meant on their day, if they meant anything.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from app.conversions.canon import json_text
from app.conversions.intake import incoming
from app.conversions.intake.incoming import Incoming, Stored
from app.conversions.intake.understood import Reading, store_reading
from app.conversions.providers.mapping import Ignored, Mapped, Meaning, fingerprint
from app.conversions.providers.registry import PROVIDERS
from app.db.tx import Tx

# Ordered, so that two who put back the same events don't wait for each other in a circle.
_ROWS: Final = """
SELECT e.id, e.source, e.state, e.mapped IS NULL AS meaningless, e.attempts, e.received_at, b.body,
  b.headers, s.provider, s.program_ids, s.with_tax, w.mode,
  w.joins_emails_since IS NOT NULL AS joins_email
FROM events e
LEFT JOIN event_bodies b ON b.workspace_id = e.workspace_id AND b.event_id = e.id
JOIN workspaces w ON w.id = e.workspace_id
LEFT JOIN sources s ON s.workspace_id = e.workspace_id AND s.id::text = e.source
WHERE e.workspace_id = $1 AND e.id = ANY($2) AND e.decision_no IS NULL
  AND (e.state IN ('dead', 'ignored') OR e.state = 'received' AND e.attempts > 0)
ORDER BY e.id FOR UPDATE OF e
"""


async def put_back(
    tx: Tx, workspace: UUID, events: Sequence[UUID], click_keys: Sequence[bytes]
) -> int:
    """Dead and ignored events that mean something, and those that wait for another try; how many.

    Harmless at any time: other events are left as they are. While one was dead or ignored nothing
    waited for it, so it counts as received now: what has closed stays closed.
    """
    driver = await tx.driver()
    again: list[UUID] = []
    for row in await driver.fetch(_ROWS, workspace, events):
        meaningful = not row["meaningless"]
        if row["state"] != "received" and row["provider"] is not None and row["body"] is not None:
            meaningful |= await _read_anew(tx, workspace, row, click_keys)
        if meaningful:
            again.append(row["id"])
    await driver.execute(
        "UPDATE events SET state = 'received', attempts = 0, reasons = '[]',"
        " next_attempt_at = clock_timestamp(),"
        " received_at = CASE state WHEN 'received' THEN received_at ELSE clock_timestamp() END"
        " WHERE workspace_id = $1 AND id = ANY($2)",
        workspace,
        again,
    )
    return len(again)


async def take_in(
    tx: Tx, messages: Sequence[Incoming], click_keys: Sequence[bytes]
) -> list[Stored]:
    """Store messages; what an older reader made nothing of, and comes again now, is put back."""
    stored = await incoming.store(tx, messages, click_keys)
    driver = await tx.driver()
    for message, one in zip(messages, stored, strict=True):
        if not one.outgrown:
            continue
        await put_back(tx, message.workspace_id, [one.event_id], click_keys)
        known = await driver.fetchval(
            "SELECT fingerprint FROM events WHERE workspace_id = $1 AND id = $2",
            message.workspace_id,
            one.event_id,
        )
        if known != fingerprint(message.meaning):
            await incoming.alarm(tx, message, one.event_id, click_keys)
    return stored


async def _read_anew(
    tx: Tx, workspace: UUID, row: Mapping[str, Any], click_keys: Sequence[bytes]
) -> bool:
    """Whether today's reader makes something of it. The one of that day may have ignored it."""
    meaning = PROVIDERS[row["provider"]].read(
        row["body"],
        live=row["mode"] == "live",
        received_at=row["received_at"],
        with_tax=row["with_tax"],
        headers=row["headers"],
    )
    if isinstance(meaning, Mapped):
        programs = tuple(row["program_ids"])
        reading = Reading(meaning, programs, row["with_tax"], row["joins_email"])
        await store_reading(tx, workspace, row["id"], reading, click_keys)
        return True
    if row["meaningless"]:
        await _store_nothing(tx, workspace, row["id"], meaning)
    return False


async def _store_nothing(tx: Tx, workspace: UUID, event_id: UUID, meaning: Meaning) -> None:
    """It means nothing still; why may have changed, and its fingerprint with it."""
    assert not isinstance(meaning, Mapped)
    driver = await tx.driver()
    await driver.execute(
        "UPDATE events SET state = $3, reasons = $4, fingerprint = $5, type = $6"
        " WHERE workspace_id = $1 AND id = $2 AND fingerprint <> $5",
        workspace,
        event_id,
        "ignored" if isinstance(meaning, Ignored) else "dead",
        json_text((meaning.reason,)),
        fingerprint(meaning),
        meaning.type,
    )
