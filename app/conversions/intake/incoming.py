"""Store what came: new rows in the inbox, duplicates told apart from contradictions."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Final
from uuid import UUID

import asyncpg
import orjson
import structlog

from app.conversions.canon import json_text
from app.conversions.intake import conflicts
from app.conversions.intake.conflicts import Conflicting
from app.conversions.intake.understood import contact_json, mapped_json
from app.conversions.providers.mapping import (
    Ignored,
    Mapped,
    Meaning,
    fingerprint,
)
from app.db.tx import Tx
from app.ids import uuid7

_log: Final = structlog.get_logger()

_STORE: Final = """
WITH incoming AS (
  SELECT *, clock_timestamp() AS received_at
  FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[],
    $7::jsonb[], $8::text[], $9::jsonb[], $10::timestamptz[], $11::bytea[], $12::jsonb[],
    $13::jsonb[], $14::boolean[], $15::boolean[])
  AS i (workspace_id, id, source, external_id, type, fingerprint, mapped, state, reasons,
    occurred_at, body, contact, headers, with_tax, joins_email)
), stored AS (
  INSERT INTO events (workspace_id, id, source, external_id, type, fingerprint, mapped, state,
    reasons, waits_for, attempts, conflicts, occurred_at, received_at)
  SELECT workspace_id, id, source, external_id, type, fingerprint, mapped, state, reasons,
    '{}', 0, 0, occurred_at, received_at
  FROM incoming ORDER BY workspace_id, source, external_id, received_at, id
  ON CONFLICT (workspace_id, source, external_id) DO NOTHING
  RETURNING id
), bodies AS (
  INSERT INTO event_bodies (workspace_id, event_id, body, contact, headers, with_tax, joins_email)
  SELECT workspace_id, id, body, contact, headers, with_tax, joins_email FROM incoming
  WHERE id IN (SELECT id FROM stored)
)
SELECT id FROM stored
"""
"""In the order of their key, or two that store the same ones in another order would wait for each
other. `received_at` tells the order in which they came.
"""
_COLUMNS: Final = (
    "workspace_id", "id", "source", "external_id", "type", "fingerprint", "mapped", "state",
    "reasons", "occurred_at", "body", "contact", "headers", "with_tax", "joins_email",
)  # fmt: skip
"""Of one message, in the order in which `_STORE` takes them."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """One message for the inbox. program_ids: what its source may pay, if that is limited.

    headers: those that its provider's reader needs, kept beside the body. with_tax: how it was
    read. joins_email: whether its workspace joins by e-mail; None: not asked yet. otherwise: what
    it would mean the other way, since the source may have been changed between two deliveries of
    one message.
    """

    workspace_id: UUID
    source: str
    meaning: Meaning
    body: bytes
    program_ids: tuple[UUID, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    with_tax: bool = False
    joins_email: bool | None = None
    otherwise: Callable[[], Meaning] | None = None
    id: UUID = field(default_factory=uuid7)


@dataclass(frozen=True, slots=True)
class Stored:
    """event_id: the one that holds the key. conflicting: it means something else than this.

    outgrown: the one that holds the key meant nothing to us when it came, and this does.
    """

    event_id: UUID
    duplicate: bool
    conflicting: bool
    outgrown: bool = False


@dataclass(frozen=True, slots=True)
class _Holder:
    """The event that has a key."""

    id: UUID
    fingerprint: str
    meaningless: bool


async def store(tx: Tx, incoming: Sequence[Incoming], click_keys: Sequence[bytes]) -> list[Stored]:
    """Insert what is new, in one statement; the same key again changes nothing.

    A contradiction is kept and alarmed. What has outgrown an older reader is left to the caller:
    the event has to be put back (`put_back`).
    """
    driver = await tx.driver()
    joining = await _joining_by_email(driver, incoming)
    rows = {
        message.id: _row(
            message, click_keys, joins_email=message.joins_email or message.workspace_id in joining
        )
        for message in incoming
    }
    columns = map(list, zip(*rows.values(), strict=True))
    new = {r["id"] for r in await driver.fetch(_STORE, *columns)}
    again = [message for message in incoming if message.id not in new]
    holders = await _holders(tx, again) if again else {}
    stored: list[Stored] = []
    for message in incoming:
        if message.id in new:
            stored.append(Stored(message.id, duplicate=False, conflicting=False))
            continue
        holder = holders[_key(message)]
        differs = _differs(message, holder.fingerprint)
        outgrown = differs and holder.meaningless and isinstance(message.meaning, Mapped)
        conflicting = differs and not outgrown
        if conflicting:
            await alarm(tx, message, holder.id, click_keys)
        stored.append(Stored(holder.id, True, conflicting, outgrown))
    return stored


async def alarm(tx: Tx, message: Incoming, event_id: UUID, click_keys: Sequence[bytes]) -> None:
    """Another meaning came under an event's key: kept beside it, counted and told."""
    row = dict(zip(_COLUMNS, _row(message, click_keys, joins_email=False), strict=True))
    said = Conflicting(**{field.name: row[field.name] for field in fields(Conflicting)})
    await conflicts.keep(tx, message.workspace_id, event_id, said)
    conflicts.CONFLICTS.inc()
    _log.warning("event.conflicting", event_id=str(event_id), source=message.source)


async def _joining_by_email(
    driver: "asyncpg.Connection[Any]", messages: Sequence[Incoming]
) -> frozenset[UUID]:
    """Workspaces that join by e-mail now; of those only whose messages tell one and don't know."""
    told = {
        message.workspace_id
        for message in messages
        if message.joins_email is None
        and isinstance(message.meaning, Mapped)
        and message.meaning.contact.email
    }
    if not told:
        return frozenset()
    rows = await driver.fetch(
        "SELECT id FROM workspaces WHERE id = ANY($1) AND joins_emails_since IS NOT NULL",
        sorted(told),
    )
    return frozenset(row["id"] for row in rows)


def _row(message: Incoming, click_keys: Sequence[bytes], *, joins_email: bool) -> tuple[Any, ...]:
    meaning = message.meaning
    mapped, contact, occurred_at = None, "{}", None
    if isinstance(meaning, Mapped):
        state, reasons = "received", "[]"
        said = mapped_json(meaning, click_keys, message.program_ids, joins_email=joins_email)
        mapped = orjson.dumps(said).decode()
        contact = contact_json(meaning, joins_email=joins_email)
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
        message.with_tax,
        joins_email,
    )


async def _holders(tx: Tx, again: Sequence[Incoming]) -> dict[tuple[UUID, str, str], _Holder]:
    """The events that hold the keys."""
    driver = await tx.driver()
    rows = await driver.fetch(
        """
        SELECT e.workspace_id, e.source, e.external_id, e.id, e.fingerprint,
          e.mapped IS NULL AS meaningless
        FROM unnest($1::uuid[], $2::text[], $3::text[]) AS k (workspace_id, source, external_id)
        JOIN events e USING (workspace_id, source, external_id)
        """,
        [message.workspace_id for message in again],
        [message.source for message in again],
        [message.meaning.external_id for message in again],
    )
    return {
        (r["workspace_id"], r["source"], r["external_id"]): _Holder(
            r["id"], r["fingerprint"], r["meaningless"]
        )
        for r in rows
    }


def _differs(message: Incoming, known: str) -> bool:
    if known == fingerprint(message.meaning):
        return False
    return message.otherwise is None or known != fingerprint(message.otherwise())


def _key(message: Incoming) -> tuple[UUID, str, str]:
    return (message.workspace_id, message.source, message.meaning.external_id)
