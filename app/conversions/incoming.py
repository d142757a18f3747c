"""Store what came: new rows in the inbox, duplicates told apart from contradictions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

import orjson
import structlog
from prometheus_client import Counter

from app.conversions.canon import Json, body_json, json_text
from app.conversions.providers.mapping import (
    Ignored,
    Mapped,
    Meaning,
    fingerprint,
)
from app.conversions.touching import touch_json, touches_of
from app.core.identity import person_name
from app.db.tx import Tx
from app.ids import uuid7

_log: Final = structlog.get_logger()
_CONFLICTS: Final = Counter(
    "finderfee_conflicting_events", "Events that came again under their key with another meaning"
)

_STORE: Final = """
WITH incoming AS (
  SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[],
    $7::jsonb[], $8::text[], $9::jsonb[], $10::timestamptz[], $11::bytea[], $12::jsonb[],
    $13::jsonb[])
  AS i (workspace_id, id, source, external_id, type, fingerprint, mapped, state, reasons,
    occurred_at, body, contact, headers)
), stored AS (
  INSERT INTO events (workspace_id, id, source, external_id, type, fingerprint, mapped, state,
    reasons, waits_for, attempts, conflicts, occurred_at, received_at)
  SELECT workspace_id, id, source, external_id, type, fingerprint, mapped, state, reasons,
    '{}', 0, 0, occurred_at, clock_timestamp()
  FROM incoming
  ON CONFLICT (workspace_id, source, external_id) DO NOTHING
  RETURNING id
), bodies AS (
  INSERT INTO event_bodies (workspace_id, event_id, body, contact, headers)
  SELECT workspace_id, id, body, contact, headers FROM incoming WHERE id IN (SELECT id FROM stored)
)
SELECT id FROM stored
"""


@dataclass(frozen=True, slots=True)
class Incoming:
    """One message for the inbox. program_ids: what its source may pay, if that is limited.

    headers: those that its provider's reader needs, kept beside the body.
    """

    workspace_id: UUID
    source: str
    meaning: Meaning
    body: bytes
    program_ids: tuple[UUID, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    id: UUID = field(default_factory=uuid7)


@dataclass(frozen=True, slots=True)
class Stored:
    """event_id: the one that holds the key. conflicting: it means something else than this."""

    event_id: UUID
    duplicate: bool
    conflicting: bool


async def store(tx: Tx, incoming: Sequence[Incoming], click_keys: Sequence[bytes]) -> list[Stored]:
    """Insert what is new, in one statement; the same key again changes nothing."""
    driver = await tx.driver()
    rows = [_row(message, click_keys) for message in incoming]
    new = {r["id"] for r in await driver.fetch(_STORE, *map(list, zip(*rows, strict=True)))}
    again = [message for message in incoming if message.id not in new]
    holders = await _holders(tx, again) if again else {}
    stored: list[Stored] = []
    for message in incoming:
        if message.id in new:
            stored.append(Stored(message.id, duplicate=False, conflicting=False))
            continue
        event_id, known = holders[_key(message)]
        conflicting = known != fingerprint(message.meaning)
        if conflicting:
            await _alarm(tx, message, event_id)
        stored.append(Stored(event_id, duplicate=True, conflicting=conflicting))
    return stored


async def store_reading(
    tx: Tx,
    workspace: UUID,
    event_id: UUID,
    meaning: Mapped,
    click_keys: Sequence[bytes],
    program_ids: tuple[UUID, ...],
) -> None:
    """What a stored body means by today's reader, in the place of what it meant on its day."""
    driver = await tx.driver()
    await driver.execute(
        "UPDATE events SET mapped = $3, fingerprint = $4, occurred_at = $5"
        " WHERE workspace_id = $1 AND id = $2",
        workspace,
        event_id,
        orjson.dumps(mapped_json(meaning, click_keys, program_ids)).decode(),
        fingerprint(meaning),
        meaning.occurred_at,
    )
    await driver.execute(
        "UPDATE event_bodies SET contact = $3 WHERE workspace_id = $1 AND event_id = $2",
        workspace,
        event_id,
        _contact(meaning),
    )


def mapped_json(
    meaning: Mapped, click_keys: Sequence[bytes], program_ids: tuple[UUID, ...] = ()
) -> Json:
    """The canonical event without what the inbox row says of it: id, source, key, receipt."""
    return {
        "kind": meaning.kind,
        "occurred_at": meaning.occurred_at.isoformat(),
        "body": body_json(meaning.body),
        "people": [person_name(a.namespace, a.external_id) for a in meaning.contact.aliases],
        "payments": list(meaning.payments),
        "touches": [touch_json(touch) for touch in touches_of(meaning, click_keys)],
        "country": meaning.country,
        "program_ids": [str(program) for program in meaning.program_ids or program_ids],
    }


def _row(message: Incoming, click_keys: Sequence[bytes]) -> tuple[Any, ...]:
    meaning = message.meaning
    mapped, contact, occurred_at = None, "{}", None
    if isinstance(meaning, Mapped):
        state, reasons = "received", "[]"
        mapped = orjson.dumps(mapped_json(meaning, click_keys, message.program_ids)).decode()
        contact = _contact(meaning)
        occurred_at = meaning.occurred_at
    else:
        state = "ignored" if isinstance(meaning, Ignored) else "dead"
        reasons = json_text((meaning.reason,))
    return (
        message.workspace_id,
        message.id,
        message.source,
        meaning.external_id,
        meaning.type,
        fingerprint(meaning),
        mapped,
        state,
        reasons,
        occurred_at,
        message.body,
        contact,
        orjson.dumps(dict(message.headers)).decode(),
    )


def _contact(meaning: Mapped) -> str:
    contact = meaning.contact
    aliases = [
        [person_name(a.namespace, a.external_id), a.namespace, a.external_id]
        for a in contact.aliases
    ]
    personal = {"aliases": aliases, "email": contact.email, "name": contact.name}
    return orjson.dumps(personal).decode()


async def _holders(
    tx: Tx, again: Sequence[Incoming]
) -> dict[tuple[UUID, str, str], tuple[UUID, str]]:
    """The events that hold the keys: their ids and fingerprints."""
    driver = await tx.driver()
    rows = await driver.fetch(
        """
        SELECT e.workspace_id, e.source, e.external_id, e.id, e.fingerprint
        FROM unnest($1::uuid[], $2::text[], $3::text[]) AS k (workspace_id, source, external_id)
        JOIN events e USING (workspace_id, source, external_id)
        """,
        [message.workspace_id for message in again],
        [message.source for message in again],
        [message.meaning.external_id for message in again],
    )
    return {
        (r["workspace_id"], r["source"], r["external_id"]): (r["id"], r["fingerprint"])
        for r in rows
    }


async def _alarm(tx: Tx, message: Incoming, event_id: UUID) -> None:
    driver = await tx.driver()
    await driver.execute(
        "UPDATE events SET conflicts = conflicts + 1 WHERE workspace_id = $1 AND id = $2",
        message.workspace_id,
        event_id,
    )
    _CONFLICTS.inc()
    _log.warning("event.conflicting", event_id=str(event_id), source=message.source)


def _key(message: Incoming) -> tuple[UUID, str, str]:
    return (message.workspace_id, message.source, message.meaning.external_id)
