"""Many rows at once: by COPY, or as arrays of columns that Postgres unnests."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final
from uuid import UUID

import asyncpg
from sqlalchemy import Table
from sqlalchemy.dialects import postgresql

from app.db.tables import Base

_DIALECT: Final = postgresql.dialect()  # type: ignore[no-untyped-call]


async def fetch(
    driver: "asyncpg.Connection[Any]",
    model: type[Base],
    *,
    workspace: UUID,
    keys: Sequence[UUID],
    key: str,
    columns: str = "*",
) -> list[Mapping[str, Any]]:
    """Rows of a workspace by many values of one indexed column, in no order.

    One look-up a value: OFFSET 0 keeps the planner from turning it into a join. While a workspace
    grows faster than the statistics, a planner that believes it empty reads all its rows instead.
    """
    found: list[Mapping[str, Any]] = await driver.fetch(
        f"""
        SELECT t.* FROM unnest($2::uuid[]) AS k (value)
        CROSS JOIN LATERAL (
          SELECT {columns} FROM {_table(model).name}
          WHERE workspace_id = $1 AND {key} = k.value OFFSET 0
        ) t
        """,
        workspace,
        keys,
    )
    return found


async def insert(
    driver: "asyncpg.Connection[Any]", model: type[Base], rows: Sequence[Mapping[str, Any]]
) -> None:
    """Insert rows that all have the same keys, by COPY. JSON values come as text."""
    if not rows:
        return
    columns = tuple(rows[0])
    records = [tuple(row.values()) for row in rows]
    await driver.copy_records_to_table(_table(model).name, columns=columns, records=records)


async def upsert(
    driver: "asyncpg.Connection[Any]",
    model: type[Base],
    rows: Sequence[Mapping[str, Any]],
    *,
    conflict: str,
) -> None:
    """The same for rows that may be there. conflict: the ON CONFLICT clause.

    A column of arrays can't be unnested and is not taken.
    """
    if not rows:
        return
    columns = tuple(rows[0])
    await driver.execute(_insert_sql(model, columns) + conflict, *_by_column(rows, columns))


async def update(
    driver: "asyncpg.Connection[Any]",
    model: type[Base],
    rows: Sequence[Mapping[str, Any]],
    *,
    keys: tuple[str, ...],
) -> None:
    """Update rows found by their keys; all other entries are set."""
    if not rows:
        return
    columns = tuple(rows[0])
    await driver.execute(_update_sql(model, columns, keys), *_by_column(rows, columns))


def _by_column(rows: Sequence[Mapping[str, Any]], columns: tuple[str, ...]) -> list[list[Any]]:
    return [[row[column] for row in rows] for column in columns]


@cache
def _insert_sql(model: type[Base], columns: tuple[str, ...]) -> str:
    names = ", ".join(columns)
    return f"INSERT INTO {_table(model).name} ({names}) SELECT * FROM {_unnest(model, columns)}"


@cache
def _update_sql(model: type[Base], columns: tuple[str, ...], keys: tuple[str, ...]) -> str:
    sets = ", ".join(f"{c} = new.{c}" for c in columns if c not in keys)
    found = " AND ".join(f"old.{key} = new.{key}" for key in keys)
    names = ", ".join(columns)
    return (
        f"UPDATE {_table(model).name} old SET {sets} "
        f"FROM {_unnest(model, columns)} AS new ({names}) WHERE {found}"
    )


def _unnest(model: type[Base], columns: tuple[str, ...]) -> str:
    table = _table(model)
    casts = (
        f"${n}::{table.c[column].type.compile(_DIALECT)}[]" for n, column in enumerate(columns, 1)
    )
    return f"unnest({', '.join(casts)})"


def _table(model: type[Base]) -> Table:
    table = model.__table__
    assert isinstance(table, Table)
    return table
