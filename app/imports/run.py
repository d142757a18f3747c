"""A file from its first byte to its last: chunks of rows, each with its report in one transaction.

What is committed stays if the file breaks off. Every row is known again by its key, so the same
file sent once more goes on where it stopped.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Final

import asyncpg
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import ClientDisconnect

from app import problems
from app.db.engine import Database
from app.db.tx import Tx
from app.errors import FieldError, InvalidRequest, Problem, Unavailable
from app.imports.header import Header, Row
from app.imports.kinds import Ground, Kind, Outcome
from app.imports.records import Record, Records
from app.imports.report import Report, Tally

MOST_WAITING: Final = 5_000
"""Undecided events of the workspace beyond which an import waits: webhooks come in between."""
_LOOK_AGAIN_S: Final = 0.2
_LOOKS: Final = 150
_CHUNK_BYTES: Final = 1_000_000
_RECORDS_A_TURN: Final = 50
_CUT_OFF: Final = "The connection ended before the file did."

DATABASE_ERRORS: Final = (SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError)

_WAITING: Final = """
SELECT count(*) FROM (
  SELECT FROM events WHERE workspace_id = $1 AND state = 'received' LIMIT $2
) few
"""


async def records(body: AsyncIterator[bytes]) -> AsyncIterator[Record]:
    """A body's records; other requests of the process get their turns in between."""
    reader, seen = Records(), 0
    async for arrived in body:
        for record in reader.feed(arrived):
            yield record
            seen += 1
            if seen % _RECORDS_A_TURN == 0:
                await asyncio.sleep(0)
    for record in reader.end():
        yield record


class _DryRunError(Exception):
    """Takes back what a chunk wrote; carries its outcomes."""

    def __init__(self, outcomes: list[Outcome]) -> None:
        super().__init__()
        self.outcomes = outcomes


@dataclass(slots=True)
class Run:
    """One import that has begun."""

    database: Database
    kind: Kind
    ground: Ground
    report: Report
    tally: Tally
    dry_run: bool

    async def through(self, header: Header, rest: AsyncIterator[Record]) -> None:
        """To the file's end, or to where it can't be read any further: then the Problem."""
        try:
            await self._chunks(header, rest)
        except ClientDisconnect:
            await self._end(_CUT_OFF)
            return
        except Problem as problem:
            told = problem.errors[0].problem if problem.errors else problem.detail
            await self._end(f"{told} Rows before that are in." if not self.dry_run else told)
            raise
        await self._end("")

    async def _end(self, problem: str) -> None:
        async with self.database.tx() as tx:
            await self.report.end(tx, problem)

    async def _chunks(self, header: Header, rest: AsyncIterator[Record]) -> None:
        chunk: list[tuple[int, Row | FieldError]] = []
        size = 0
        try:
            async for record in rest:
                chunk.append((record.line, header.row(record)))
                size += sum(map(len, record.cells))
                if len(chunk) >= self.kind.rows_at_once or size >= _CHUNK_BYTES:
                    taken, chunk, size = chunk, [], 0
                    await self._chunk(taken)
        except (Problem, ClientDisconnect):
            # What stands before the place where the file breaks is whole.
            await self._chunk(chunk)
            raise
        await self._chunk(chunk)

    async def _chunk(self, chunk: Sequence[tuple[int, Row | FieldError]]) -> None:
        if not chunk:
            return
        await self._make_room()
        try:
            await self._bring(chunk)
        except DATABASE_ERRORS as error:
            _told(error)
            # Somebody else wrote the same just then: found out row by row.
            for one in chunk:
                await self._alone(one)

    async def _alone(self, one: tuple[int, Row | FieldError]) -> None:
        try:
            await self._bring([one])
        except DATABASE_ERRORS as error:
            outcome = Outcome(_told(error))
            async with self.database.tx() as tx:
                tally = await self.report.go_on(tx, self.tally, [(one[0], outcome)])
            self.tally = tally

    async def _bring(self, chunk: Sequence[tuple[int, Row | FieldError]]) -> None:
        """All rows of a chunk and what they add to the report, or nothing."""
        rows = [row for _, row in chunk if isinstance(row, Row)]
        try:
            async with self.database.tx() as tx:
                brought = self._kept(await self.kind.bring(tx, self.ground, rows))
                tally = await self._note(tx, chunk, brought)
        except _DryRunError as taken_back:
            async with self.database.tx() as tx:
                tally = await self._note(tx, chunk, taken_back.outcomes)
        self.tally = tally

    def _kept(self, brought: list[Outcome]) -> list[Outcome]:
        if self.dry_run:
            raise _DryRunError(brought)
        return brought

    async def _note(
        self,
        tx: Tx,
        chunk: Sequence[tuple[int, Row | FieldError]],
        brought: Sequence[Outcome],
    ) -> Tally:
        of_rows = iter(brought)
        outcomes = [
            (line, Outcome(InvalidRequest(errors=[row])))
            if isinstance(row, FieldError)
            else (line, next(of_rows))
            for line, row in chunk
        ]
        return await self.report.go_on(tx, self.tally, outcomes)

    async def _make_room(self) -> None:
        """Wait until the worker has caught up; Unavailable if it does not."""
        if not self.kind.through_inbox or self.dry_run:
            return
        for _ in range(_LOOKS):
            if await self._waiting() < MOST_WAITING:
                return
            await asyncio.sleep(_LOOK_AGAIN_S)
        problem = "Events wait to be decided and none is; send the file again later."
        raise Unavailable(problem, retry_after_s=60)

    async def _waiting(self) -> int:
        async with self.database.read() as read:
            driver = await read.driver()
            return int(await driver.fetchval(_WAITING, self.ground.workspace, MOST_WAITING))


def _told(error: BaseException) -> Problem:
    """The caller's problem in a database error. What passes, or is a bug, is raised."""
    problem = problems.of_database(error)
    if problem is None:
        raise error
    if problem.retry_after_s is not None:
        raise problem from error
    return problem
