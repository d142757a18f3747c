"""Where a text is found in a database: every column of every table, in every spelling of it."""

import json
from base64 import b64encode, urlsafe_b64encode
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any
from urllib.parse import quote

import asyncpg

from app.ids import uuid7

_COLUMNS = """
SELECT c.relname AS table, quote_ident(a.attname) AS column, t.typname AS type,
  quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS place
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type t ON t.oid = a.atttypid
WHERE c.relkind IN ('r', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
  AND n.nspname NOT LIKE 'pg\\_toast%'
ORDER BY 1, a.attnum
"""
"""Partitions stand for their parents, which hold nothing themselves."""
_STATISTICS = """
SELECT DISTINCT tablename, attname FROM pg_stats
WHERE strpos(most_common_vals::text, $1) > 0 OR strpos(histogram_bounds::text, $1) > 0
"""


async def where(database_url: str, needle: str) -> list[str]:
    """`["customers.email", "event_bodies.body (base64)"]`; empty if it is nowhere.

    needle: ASCII or not, 6 characters or more. Looked for as it is, escaped as in JSON and in URLs,
    as hexadecimal digits and in base64, whatever stands around it; the planner's statistics too,
    which keep copies of values.
    """
    assert len(needle) >= 6, "shorter texts are found by chance"
    connection = await asyncpg.connect(database_url)
    try:
        found = [place async for place in _found(connection, needle)]
        copies = await connection.fetch(_STATISTICS, needle)
        found += [f"pg_stats of {row['tablename']}.{row['attname']}" for row in copies]
    finally:
        await connection.close()
    return sorted(found)


def canaries(*names: str) -> dict[str, str]:
    """By name a text that nobody else has; for places that are to be told apart."""
    return {name: f"canary-{name.replace('_', '-')}-{uuid7().hex}" for name in names}


async def found(database_url: str, texts: Mapping[str, str]) -> dict[str, list[str]]:
    """Where each of several texts is; those that are nowhere left out."""
    places = {name: await where(database_url, text) for name, text in texts.items()}
    return {name: place for name, place in places.items() if place}


async def gather_statistics(database_url: str) -> None:
    """Have the planner look at all values, as it does from time to time, and keep some."""
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute("ANALYZE")
    finally:
        await connection.close()


def spellings(needle: str) -> Iterator[tuple[str, str]]:
    """The needle under the ways in which a program writes texts down; each with its name."""
    raw = needle.encode()
    seen = {needle}
    yield "", needle
    for name, text in (
        ("json", json.dumps(needle)[1:-1]),
        ("url", quote(needle, safe="")),
        ("hex", raw.hex()),
        ("HEX", raw.hex().upper()),
        *(("base64", text) for text in _base64(raw)),
    ):
        if text not in seen:
            seen.add(text)
            yield name, text


def _base64(raw: bytes) -> Iterator[str]:
    """The digits that don't depend on what stands before and behind, for each of three offsets."""
    for offset in range(3):
        for encoded in (b64encode, urlsafe_b64encode):
            digits = encoded(b"\0" * offset + raw).decode().rstrip("=")
            first = (0, 2, 3)[offset]
            last = (offset + len(raw)) * 8 // 6
            yield digits[first:last]


async def _found(connection: "asyncpg.Connection[Any]", needle: str) -> AsyncIterator[str]:
    for row in await connection.fetch(_COLUMNS):
        is_bytes = row["type"] == "bytea"
        test = "position($1::bytea in {})" if is_bytes else "strpos({}::text, $1)"
        for name, text in spellings(needle):
            # Bytes that a client prints as `\x…` are their hexadecimal form anyway.
            sought: Any = text.encode() if is_bytes else text
            sql = f"SELECT 1 FROM {row['place']} WHERE {test.format(row['column'])} > 0 LIMIT 1"
            if await connection.fetchval(sql, sought):
                place = f"{row['table']}.{row['column']}"
                yield f"{place} ({name})" if name else place
