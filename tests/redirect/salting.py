"""A node's salts, and what a search of its disk and of Postgres would still find of them."""

import os
import time
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg

from app.redirect import salts
from app.redirect.day_hash import SALT_BYTES
from app.redirect.salt_file import SaltFile
from app.redirect.salts import DAY_S, Salts
from app.secret_keys import SecretKeyError, SecretKeys
from tests.redirect.making import KEYS, connected

WINDOW = 3_600
SOMEONE = (os.urandom(16), bytes((203, 0, 113, 7)), b"Mozilla/5.0")
TODAY = int(time.time() // DAY_S)
NOBODY = "postgresql://nobody@127.0.0.1:1/nothing"
"""A Postgres that is away."""


def node(
    folder: Path,
    *,
    keys: SecretKeys = KEYS,
    window_s: int = WINDOW,
    clock: Callable[[], float] = time.time,
) -> Salts:
    folder.mkdir(exist_ok=True)
    return Salts(SaltFile(folder, keys), window_s=window_s, clock=clock)


def known(salts: Salts, now_s: float) -> bytes | None:
    """Someone's hash at this time."""
    hashed = salts.today(now_s)
    return hashed(*SOMEONE) if hashed else None


def day_of(number: int) -> date:
    return date(1970, 1, 1) + timedelta(days=number)


async def stored(url: str, keys: SecretKeys = KEYS) -> dict[int, bytes]:
    """The salts that these keys open, from Postgres."""
    async with connected(url) as connection:
        rows = await connection.fetch("SELECT on_day, sealed_salt FROM visitor_salts")
    days = {(row["on_day"] - day_of(0)).days: row["sealed_salt"] for row in rows}
    return {day: keys.open(sealed, owner=salts._owner(day)) for day, sealed in days.items()}


async def put(url: str, days: dict[int, bytes], keys: SecretKeys = KEYS) -> dict[int, bytes]:
    """Rows as a restored backup would bring them; their sealed form."""
    sealed = {day: keys.seal(salt, owner=salts._owner(day)) for day, salt in days.items()}
    async with connected(url) as connection:
        await connection.executemany(
            "INSERT INTO visitor_salts (on_day, sealed_salt) VALUES ($1, $2)",
            [(day_of(day), one) for day, one in sealed.items()],
        )
    return sealed


async def file_of_table(connection: "asyncpg.Connection[Any]") -> str:
    return str(await connection.fetchval("SELECT pg_relation_filepath('visitor_salts')"))


async def bytes_on_disk(connection: "asyncpg.Connection[Any]", path: str) -> bytes:
    """The table's file as it lies on the server's disk; empty if it is gone."""
    # A checkpoint leaves unlogged tables in memory, unless a database's files shall be copied.
    name = f"flush_{uuid4().hex}"
    await connection.execute(f"CREATE DATABASE {name} TEMPLATE template0 STRATEGY file_copy")
    await connection.execute(f"DROP DATABASE {name}")
    found = await connection.fetchval("SELECT pg_read_binary_file($1, 0, 10000000, true)", path)
    return bytes(found or b"")


async def salts_left(folder: Path, url: str, keys: SecretKeys = KEYS) -> set[bytes]:
    """Whatever could be a salt: 32 bytes from any file below the folder, sealed or in clear, or
    from any row, for someone who has the secret keys too."""
    found = {bytes(salt) for path in folder.rglob("*") for salt in _in_file(path, keys)}
    async with connected(url) as connection:
        rows = await connection.fetch("SELECT on_day, sealed_salt FROM visitor_salts")
    for row in rows:
        for day in range(TODAY - 3, TODAY + 3):
            try:
                found.add(keys.open(row["sealed_salt"], owner=salts._owner(day)))
            except SecretKeyError:
                continue
    return found


def _in_file(path: Path, keys: SecretKeys) -> Iterator[bytes]:
    if not path.is_file():
        return
    opened = SaltFile(path.parent, keys)
    opened._path = path
    yield from opened.read().values()
    content = path.read_bytes()
    for at in range(len(content) - SALT_BYTES + 1):
        # The map of recent visitors is mostly empty.
        if content[at]:
            yield content[at : at + SALT_BYTES]
