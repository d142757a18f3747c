"""Keeps the links' change feed short: replicas that were away for longer make a full copy."""

from datetime import timedelta
from typing import Final

from sqlalchemy import delete, func, select

from app.db.engine import Database
from app.db.tables import LinkChange

KEPT: Final = timedelta(days=7)
_ROWS_A_TURN: Final = 20_000


async def prune_changes(database: Database) -> int:
    """Delete the changes older than a week, some at a time; how many they were.

    The newest stays whatever its age: it tells replicas that they are not ahead of a database
    restored from a backup.
    """
    pruned = 0
    while True:
        async with database.tx() as tx:
            newest = select(func.max(LinkChange.number)).scalar_subquery()
            old = (
                select(LinkChange.number)
                .where(
                    LinkChange.changed_at < func.clock_timestamp() - KEPT,
                    LinkChange.number < newest,
                )
                .order_by(LinkChange.changed_at)
                .limit(_ROWS_A_TURN)
            )
            deleted = await tx.execute(delete(LinkChange).where(LinkChange.number.in_(old)))
        pruned += deleted.rowcount
        if deleted.rowcount < _ROWS_A_TURN:
            return pruned
