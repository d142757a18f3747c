"""Codes that mean something now, noted for the worker: whoever used them before is decided anew."""

from collections.abc import Iterable
from uuid import UUID

from app.db import bulk
from app.db import tables as t
from app.db.tx import Tx
from app.ids import uuid7


async def note(tx: Tx, workspace: UUID, names: Iterable[str]) -> None:
    """In the transaction that makes them. names: codes in normal form, ids at providers."""
    rows = [
        {"workspace_id": workspace, "id": uuid7(), "name": name, "after_id": None}
        for name in sorted(set(names))
    ]
    if rows:
        await bulk.insert(await tx.driver(), t.CodeNews, rows)
