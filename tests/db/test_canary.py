"""The search that the privacy tests rely on finds what it is told to find."""

import json
from base64 import b64encode, urlsafe_b64encode

import asyncpg
import pytest

from tests.canary import where

NEEDLE = "Zoë-canary-7>?~"


@pytest.mark.parametrize(
    ("column", "spelled"),
    [
        ("t", f"before {NEEDLE} after"),
        ("t", json.dumps([NEEDLE])),
        ("j", json.dumps({"deep": [NEEDLE]})),
        ("a", NEEDLE),
        ("b", f"x{NEEDLE}"),
        ("b", b64encode(f"x{NEEDLE}y".encode()).decode()),
        ("t", urlsafe_b64encode(f"ab{NEEDLE}".encode()).decode()),
        ("t", b64encode(f"{NEEDLE}yz".encode()).decode()),
        ("t", NEEDLE.encode().hex()),
        ("p", NEEDLE),
    ],
)
async def test_a_text_is_found_however_it_is_spelled(
    fresh_database_url: str, column: str, spelled: str
) -> None:
    values = {"t": "$1", "j": "$1::jsonb", "a": "ARRAY['', $1]", "b": "convert_to($1, 'UTF8')"}
    connection = await asyncpg.connect(fresh_database_url)
    try:
        await connection.execute("CREATE TABLE nest (t text, j jsonb, a text[], b bytea)")
        await connection.execute("CREATE TABLE parts (p text) PARTITION BY LIST (p)")
        await connection.execute("CREATE TABLE parts_rest PARTITION OF parts DEFAULT")
        assert await where(fresh_database_url, NEEDLE) == []
        table = "parts" if column == "p" else "nest"
        sql = f"INSERT INTO {table} ({column}) VALUES ({values.get(column, '$1')})"
        await connection.execute(sql, spelled)
    finally:
        await connection.close()
    (place,) = await where(fresh_database_url, NEEDLE)
    assert place.startswith("parts_rest.p" if column == "p" else f"nest.{column}")


async def test_copies_in_the_planner_s_statistics_are_found(fresh_database_url: str) -> None:
    connection = await asyncpg.connect(fresh_database_url)
    try:
        await connection.execute("CREATE TABLE nest (t text)")
        await connection.execute("INSERT INTO nest VALUES ($1), ($1)", NEEDLE)
        await connection.execute("ANALYZE nest")
        await connection.execute("DELETE FROM nest")
    finally:
        await connection.close()
    assert await where(fresh_database_url, NEEDLE) == ["pg_stats of nest.t"]
