"""Keyset pages: newest first, by an instant and the id, never by offset."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import Depends, Query
from sqlalchemy import Row, Select, literal, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute

from app.db.tx import Read
from app.errors import FieldError, InvalidRequest
from app.ids import MalformedIdError, Prefix, decode

DEFAULT_LIMIT: Final = 25
MAX_LIMIT: Final = 100


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list is wanted. starting_after: the last id of the page before."""

    limit: int = DEFAULT_LIMIT
    starting_after: str | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """How a list is sorted, descending: by `at`, then `id`, whose wire prefix is `prefix`."""

    prefix: Prefix
    at: InstrumentedAttribute[Any]
    id: InstrumentedAttribute[UUID]
    workspace: InstrumentedAttribute[UUID]


def _page(
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = DEFAULT_LIMIT,
    starting_after: Annotated[str | None, Query(max_length=100)] = None,
) -> Page:
    return Page(limit, starting_after)


PageDep = Annotated[Page, Depends(_page)]


async def page(
    read: Read, statement: Select[Any], order: Order, wanted: Page, *, workspace: UUID | None
) -> tuple[Sequence[Row[Any]], bool]:
    """The rows of one page, and whether more follow. statement: filtered, not yet sorted.

    An anchor that has left the filter meanwhile still holds its place; one of another workspace
    or kind is refused. workspace: none for who may see all of them.
    """
    if wanted.starting_after is not None:
        anchor = await _anchor(read, order, wanted.starting_after, workspace)
        statement = statement.where(tuple_(order.at, order.id) < anchor)
    statement = statement.order_by(order.at.desc(), order.id.desc()).limit(wanted.limit + 1)
    rows = await read.all(statement)
    return rows[: wanted.limit], len(rows) > wanted.limit


def narrowed(
    statement: Select[Any],
    equal: Iterable[tuple[InstrumentedAttribute[Any], object]],
    at: InstrumentedAttribute[datetime],
    from_: datetime | None,
    to: datetime | None,
) -> Select[Any]:
    """A list's filters: columns that equal what was asked for, if it was, and a span of time.

    from_ is included, to is not.
    """
    for column, wanted in equal:
        if wanted is not None:
            statement = statement.where(column == wanted)
    if from_ is not None:
        statement = statement.where(at >= from_)
    if to is not None:
        statement = statement.where(at < to)
    return statement


async def _anchor(read: Read, order: Order, text: str, workspace: UUID | None) -> Any:
    try:
        wanted = decode(order.prefix, text)
    except MalformedIdError as error:
        raise _unknown_anchor() from error
    statement = select(order.at.label("at"), order.id.label("id")).where(order.id == wanted)
    if workspace is not None:
        statement = statement.where(order.workspace == workspace)
    found = await read.first(statement)
    if found is None:
        raise _unknown_anchor()
    return tuple_(literal(found.at, order.at.type), literal(found.id, order.id.type))


def _unknown_anchor() -> InvalidRequest:
    place, remedy = "query/starting_after", "Send the last id of the page before."
    return InvalidRequest(errors=[FieldError(place, "Not an object of this list", remedy)])
