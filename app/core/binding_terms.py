"""The part of a plan that says for how long a customer belongs to whom it was credited."""

from calendar import monthrange
from datetime import UTC, datetime
from typing import Final, Literal, cast

from app.core.documents import Node
from app.core.records import record

End = Literal["suspended"]

ENDS: Final[tuple[End, ...]] = ("suspended",)
MAX_BINDING_MONTHS: Final = 1_200


@record
class BindingTerms:
    """months: calendar months in UTC from the conversion that made it; None: for life.

    ends: what ends it before. suspended: its partners have left the program or were suspended.
    """

    months: int | None = None
    ends: tuple[End, ...] = ()


def read_binding(node: Node) -> BindingTerms:
    """Problems are left in the node; the terms count only if there are none."""
    if node.absent:
        return BindingTerms()
    fields = node.fields((), ("months", "ends"))
    months, ends = fields["months"], fields["ends"].elements(least=1, most=len(ENDS))
    return BindingTerms(
        months=None if months.absent else months.integer(1, MAX_BINDING_MONTHS, default=1),
        ends=tuple(cast("End", end.choice(ENDS, default=ENDS[0])) for end in ends),
    )


def binding_document(terms: BindingTerms) -> dict[str, object]:
    """The normal form; empty for life without an end."""
    months = {} if terms.months is None else {"months": terms.months}
    ends = {"ends": list(terms.ends)} if terms.ends else {}
    return {**months, **ends}


def months_after(start: datetime, months: int) -> datetime:
    """The same day and time some calendar months later in UTC, or the month's last day."""
    start = start.astimezone(UTC)
    years, month = divmod(start.month - 1 + months, 12)
    year = start.year + years
    return start.replace(
        year=year, month=month + 1, day=min(start.day, monthrange(year, month + 1)[1])
    )
