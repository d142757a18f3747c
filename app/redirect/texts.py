"""Dictionaries of user agents and referring pages: a click names a text by its number.

A text is touched on the day it is used (`seen_on`), before a click names it; retention removes
those that were last seen before every click that is kept.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from hashlib import blake2b
from typing import TYPE_CHECKING, Final
from uuid import UUID

if TYPE_CHECKING:
    from app.redirect.postgres import Connection

NULL: Final = b"\xff\xff\xff\xff"
_REMEMBERED: Final = 20_000
_SIZE: Final = (4).to_bytes(4)


class Dictionary:
    """Numbers of texts in a dictionary table; those met on this day (UTC) are remembered.

    kept: what is kept of a text; all of it if not given.
    """

    def __init__(self, table: str, kept: Callable[[bytes], bytes] = bytes) -> None:
        self._kept = kept
        # A day late is soon enough, and every process need not be the first of the day.
        self._find = (
            f"SELECT digest, id FROM {table} WHERE digest = ANY($1) AND seen_on >= CURRENT_DATE - 1"
        )
        # One statement, so that no text goes between being found and being touched: retention
        # looks at the day again once it has the row. Sorted, as all who lock several rows do.
        self._touch = (
            f"UPDATE {table} SET seen_on = CURRENT_DATE WHERE id IN (SELECT id FROM {table}"
            " WHERE digest = ANY($1) ORDER BY id FOR NO KEY UPDATE) RETURNING digest, id"
        )
        self._add = (
            f"INSERT INTO {table} (digest, text)"
            " SELECT * FROM unnest($1::uuid[], $2::text[]) AS new (digest, text)"
            " ORDER BY digest ON CONFLICT (digest) DO NOTHING"
        )
        self._known: dict[bytes, bytes] = {}
        self._day = datetime.now(UTC).date()

    async def fields(self, connection: "Connection", texts: Iterable[bytes]) -> dict[bytes, bytes]:
        """Each text's number as a field of Postgres' binary COPY format; NULL for an empty one."""
        today = datetime.now(UTC).date()
        if today != self._day or len(self._known) > _REMEMBERED:
            self._known.clear()
            self._day = today
        kept = {text: self._kept(text) for text in texts}
        if unknown := {text for text in kept.values() if text and text not in self._known}:
            digests = {digest_of(clean(text)): text for text in unknown}
            numbers = await self._stored(connection, digests)
            for text in unknown:
                self._known[text] = _SIZE + numbers[digest_of(clean(text))].to_bytes(4)
        return {text: self._known[page] if page else NULL for text, page in kept.items()}

    async def _stored(self, connection: "Connection", texts: dict[UUID, bytes]) -> dict[UUID, int]:
        numbers: dict[UUID, int] = dict(await connection.fetch(self._find, list(texts)))
        # Looked for first: an insert that conflicts would use up a number each time.
        if missing := texts.keys() - numbers.keys():
            numbers |= dict(await connection.fetch(self._touch, list(missing)))
        if new := [digest for digest in missing if digest not in numbers]:
            await connection.execute(self._add, new, [clean(texts[digest]) for digest in new])
            numbers |= dict(await connection.fetch(self._find, new))
        return numbers


def clean(raw: bytes) -> str:
    """Header bytes as text that Postgres takes: no NUL, no lone surrogate."""
    return raw.decode("utf-8", "replace").replace("\x00", "\ufffd")


def digest_of(text: str) -> UUID:
    return UUID(bytes=blake2b(text.encode(), digest_size=16).digest())
