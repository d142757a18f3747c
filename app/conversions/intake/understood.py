"""What a message means, as the inbox keeps it: the canonical event, and apart whom it names."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import orjson

from app.conversions.addresses import aliases_of
from app.conversions.canon import Json, body_json
from app.conversions.providers.mapping import Mapped, fingerprint
from app.conversions.touching import touch_json, touches_of
from app.core.identity import person_name
from app.db.tx import Tx

_NO_PROGRAM: Final = UUID(int=0)
"""Stands where no program is left, since none at all would mean any."""


def mapped_json(
    meaning: Mapped,
    click_keys: Sequence[bytes],
    program_ids: tuple[UUID, ...] = (),
    *,
    joins_email: bool = False,
) -> Json:
    """The canonical event without what the inbox row says of it: id, source, key, receipt."""
    aliases = aliases_of(meaning.contact, joins_email=joins_email)
    return {
        "kind": meaning.kind,
        "occurred_at": meaning.occurred_at.isoformat(),
        "body": body_json(meaning.body),
        "people": [person_name(a.namespace, a.external_id) for a in aliases],
        "payments": list(meaning.payments),
        "touches": [touch_json(touch) for touch in touches_of(meaning, click_keys)],
        "country": meaning.country,
        "program_ids": [str(program) for program in _may_earn(meaning.program_ids, program_ids)],
    }


def contact_json(meaning: Mapped, *, joins_email: bool) -> str:
    """Personal: {aliases: [[name, namespace, external_id]], email, name}, as text."""
    contact = meaning.contact
    aliases = [
        [person_name(a.namespace, a.external_id), a.namespace, a.external_id]
        for a in aliases_of(contact, joins_email=joins_email)
    ]
    personal = {"aliases": aliases, "email": contact.email, "name": contact.name}
    if contact.heard_from:
        personal["heard_from"] = contact.heard_from
    return orjson.dumps(personal).decode()


@dataclass(frozen=True, slots=True)
class Reading:
    """What a stored body means now, and what its source says to that now."""

    meaning: Mapped
    program_ids: tuple[UUID, ...]
    with_tax: bool
    joins_email: bool


async def store_reading(
    tx: Tx,
    workspace: UUID,
    event_id: UUID,
    reading: Reading,
    click_keys: Sequence[bytes],
) -> None:
    """What a stored body means by today's reader, in the place of what it meant on its day."""
    meaning = reading.meaning
    driver = await tx.driver()
    await driver.execute(
        "UPDATE events SET mapped = $3, fingerprint = $4, occurred_at = $5, type = $6"
        " WHERE workspace_id = $1 AND id = $2",
        workspace,
        event_id,
        orjson.dumps(
            mapped_json(meaning, click_keys, reading.program_ids, joins_email=reading.joins_email)
        ).decode(),
        fingerprint(meaning),
        meaning.occurred_at,
        meaning.type,
    )
    await driver.execute(
        "UPDATE event_bodies SET contact = $3, with_tax = $4, joins_email = $5"
        " WHERE workspace_id = $1 AND event_id = $2",
        workspace,
        event_id,
        contact_json(meaning, joins_email=reading.joins_email),
        reading.with_tax,
        reading.joins_email,
    )


def _may_earn(named: Sequence[UUID], of_source: Sequence[UUID]) -> Sequence[UUID]:
    """Which programs may earn: those that the message names, of those that its source may pay."""
    if not named or not of_source:
        return named or of_source
    return [program for program in named if program in of_source] or [_NO_PROGRAM]
