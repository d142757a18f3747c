"""Transactions as types: a use case takes `Tx` and never commits; a reader takes `Read`."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import asyncpg
from sqlalchemy import CursorResult, Executable, Row, text
from sqlalchemy.ext.asyncio import AsyncConnection


class Read:
    """A transaction that only reads."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self._begun = False

    async def execute(
        self,
        statement: Executable,
        parameters: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
    ) -> CursorResult[Any]:
        self._begun = True
        return await self._connection.execute(statement, parameters)

    async def all(self, statement: Executable) -> Sequence[Row[Any]]:
        return (await self.execute(statement)).all()

    async def first(self, statement: Executable) -> Row[Any] | None:
        return (await self.execute(statement)).first()

    async def dicts(self, statement: Executable) -> list[dict[str, Any]]:
        """All rows, by the names of their columns."""
        return [dict(row) for row in (await self.execute(statement)).mappings()]

    async def scalar(self, statement: Executable) -> Any:
        return (await self.execute(statement)).scalar()

    async def driver(self) -> "asyncpg.Connection[Any]":
        """The asyncpg connection inside this transaction, for bulk statements.

        SQLAlchemy begins at its first statement; before it, the driver would run outside.
        """
        if not self._begun:
            await self.execute(text("SELECT 1"))
        raw = await self._connection.get_raw_connection()
        return cast("asyncpg.Connection[Any]", raw.driver_connection)


class Tx(Read):
    """A transaction that may write; whoever opened it commits."""
