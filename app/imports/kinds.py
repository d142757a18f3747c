"""What can be imported: each kind with its columns, how many rows at once, and who brings them."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from app.db.tx import Tx
from app.errors import Problem
from app.imports.header import Columns, Row

KindName = Literal["partners", "links", "customers", "sales"]


@dataclass(frozen=True, slots=True)
class Ground:
    """What all rows of a file stand on. paid: of sales whose row doesn't say; None: it must."""

    workspace: UUID
    program: UUID
    click_keys: Sequence[bytes]
    now: datetime
    paid: bool | None


@dataclass(frozen=True, slots=True)
class Sum:
    """Money of one row: as the file tells it, and as it is in afterwards, if it is."""

    currency: str
    amount: int
    stored: int | None


@dataclass(slots=True)
class Outcome:
    """What became of a row. problem: why it is not in; else whether it brought anything new."""

    problem: Problem | None = None
    created: bool = False
    sum: Sum | None = None


Bring = Callable[[Tx, Ground, Sequence[Row]], Awaitable[list[Outcome]]]


@dataclass(frozen=True, slots=True)
class Kind:
    """bring: writes rows, each with its outcome, in their order; it may raise if rows collide.

    through_inbox: what it writes is decided by the worker, so it must not get ahead of it.
    """

    columns: Columns
    rows_at_once: int
    bring: Bring
    through_inbox: bool = False
