"""How far an import is and what it came to, written down beside what it did."""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from sqlalchemy import Update, func, insert, update

from app.db import bulk
from app.db.tables import Import, ImportProblem
from app.db.tx import Tx
from app.errors import FieldError, Problem
from app.imports.kinds import Outcome

MAX_ERRORS: Final = 10_000
"""Kept of one file; rows beyond are only counted."""


@dataclass(slots=True)
class Tally:
    """Of the rows so far. sums: by currency [rows, minor units, rows that are in, minor units].

    errors: how many are written down.
    """

    rows: int = 0
    created: int = 0
    unchanged: int = 0
    failed: int = 0
    errors: int = 0
    sums: dict[str, list[int]] = field(default_factory=dict)

    def add(self, outcome: Outcome) -> None:
        self.rows += 1
        if outcome.problem:
            self.failed += 1
        elif outcome.created:
            self.created += 1
        else:
            self.unchanged += 1
        if outcome.sum:
            sums = self.sums.setdefault(outcome.sum.currency, [0, 0, 0, 0])
            sums[0] += 1
            sums[1] += outcome.sum.amount
            if outcome.sum.stored is not None:
                sums[2] += 1
                sums[3] += outcome.sum.stored


@dataclass(frozen=True, slots=True)
class Report:
    """The row of one import."""

    workspace: UUID
    id: UUID

    async def begin(self, tx: Tx, program: UUID, key: UUID, kind: str, *, dry_run: bool) -> None:
        await tx.execute(
            insert(Import).values(
                workspace_id=self.workspace,
                id=self.id,
                program_id=program,
                key_id=key,
                kind=kind,
                dry_run=dry_run,
                state="running",
                problem="",
                sums={},
                **dict.fromkeys(("rows", "created", "unchanged", "failed"), 0),
            )
        )

    async def go_on(self, tx: Tx, tally: Tally, outcomes: Sequence[tuple[int, Outcome]]) -> Tally:
        """The tally with these outcomes, each of a line; it counts once the transaction does."""
        tally = deepcopy(tally)
        for _, outcome in outcomes:
            tally.add(outcome)
        await self._note(tx, tally, outcomes)
        await tx.execute(
            self._update().values(
                rows=tally.rows,
                created=tally.created,
                unchanged=tally.unchanged,
                failed=tally.failed,
                sums=tally.sums,
                touched_at=func.clock_timestamp(),
            )
        )
        return tally

    async def end(self, tx: Tx, problem: str = "") -> None:
        """problem: why it stopped before the file's end."""
        await tx.execute(
            self._update().values(
                state="stopped" if problem else "done",
                problem=problem,
                finished_at=func.clock_timestamp(),
            )
        )

    def _update(self) -> Update:
        return update(Import).where(Import.workspace_id == self.workspace, Import.id == self.id)

    async def _note(self, tx: Tx, tally: Tally, outcomes: Sequence[tuple[int, Outcome]]) -> None:
        told = [
            (line, error)
            for line, outcome in outcomes
            if outcome.problem
            for error in _errors(outcome.problem)
        ][: MAX_ERRORS - tally.errors]
        rows = [
            {
                "workspace_id": self.workspace,
                "import_id": self.id,
                "number": tally.errors + n,
                "line": line,
                # `body/links/3/code` → `code`: a column's name is the last part of any place.
                "field": error.place.rpartition("/")[2],
                "problem": error.problem,
                "remedy": error.remedy,
            }
            for n, (line, error) in enumerate(told, 1)
        ]
        tally.errors += len(rows)
        await bulk.insert(await tx.driver(), ImportProblem, rows)


def _errors(problem: Problem) -> Sequence[FieldError]:
    return problem.errors or [FieldError("", problem.detail, "")]
