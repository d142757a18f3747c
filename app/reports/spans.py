"""Spans of time in a question: checked at the edge, as instants for rows and days for counters."""

import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Final

from fastapi import Query
from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from app.errors import FieldError, InvalidRequest

_DAY: Final = re.compile(r"2\d{3}-\d\d-\d\d", re.ASCII)
_USUAL_DAYS: Final = 30


def _read_day(value: object) -> date:
    if isinstance(value, date):
        return value
    if isinstance(value, str) and _DAY.fullmatch(value):
        with suppress(ValueError):
            return date.fromisoformat(value)
    raise PydanticCustomError("day_malformed", "Not a day from 2000-01-01 to 2999-12-31")


Day = Annotated[
    date,
    BeforeValidator(_read_day),
    WithJsonSchema({"type": "string", "format": "date", "examples": ["2026-01-31"]}),
]
"""A day in UTC."""


@dataclass(frozen=True, slots=True)
class Days:
    """Query parameters `from` and `to`, both included; by default 30 days up to today (UTC)."""

    from_: Annotated[Day | None, Query(alias="from")] = None
    to: Annotated[Day | None, Query()] = None

    def span(self, most: int) -> tuple[date, date]:
        """First and last day; InvalidRequest if they are turned round or too many."""
        last = self.to or datetime.now(UTC).date()
        first = self.from_ or last - timedelta(days=min(_USUAL_DAYS, most) - 1)
        if first > last:
            raise turned_round()
        if (last - first).days >= most:
            raise too_long(most)
        return first, last


def turned_round() -> InvalidRequest:
    problem = "It begins after it ends"
    return InvalidRequest(
        f"query/from: {problem}", errors=[FieldError("query/from", problem, "Send from before to.")]
    )


def too_long(most: int) -> InvalidRequest:
    problem = f"The span is longer than {most} days"
    remedy = f"Send from and to with at most {most} days between them."
    return InvalidRequest(
        f"query/from: {problem}", errors=[FieldError("query/from", problem, remedy)]
    )


def midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
