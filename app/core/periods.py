"""Calendar periods in UTC, by names that sort as they follow each other."""

from datetime import UTC, datetime
from typing import Final, Literal, assert_never

Period = Literal["month", "quarter", "year", "life"]

PERIODS: Final[tuple[Period, ...]] = ("month", "quarter", "year", "life")
_YEAR_CHARACTERS: Final = 4


def period_of(at: datetime, period: Period) -> str:
    """The period of a kind that an instant is in: `2026-03`, `2026-q1`, `2026`, `life`."""
    at = at.astimezone(UTC)
    match period:
        case "month":
            return f"{at.year:04}-{at.month:02}"
        case "quarter":
            return f"{at.year:04}-q{(at.month + 2) // 3}"
        case "year":
            return f"{at.year:04}"
        case "life":
            return "life"
        case _:
            assert_never(period)


def kind_of(name: str) -> Period:
    """The kind of a period, by its name."""
    if name == "life":
        return "life"
    if len(name) == _YEAR_CHARACTERS:
        return "year"
    return "quarter" if "q" in name else "month"


def starts_at(name: str) -> datetime | None:
    """When a period begins; None: it always was."""
    match kind_of(name):
        case "month":
            return datetime(int(name[:4]), int(name[5:]), 1, tzinfo=UTC)
        case "quarter":
            return datetime(int(name[:4]), 3 * int(name[6:]) - 2, 1, tzinfo=UTC)
        case "year":
            return datetime(int(name), 1, 1, tzinfo=UTC)
        case _:
            return None


def ends_at(name: str) -> datetime | None:
    """When the next period begins; None: it never ends."""
    begins = starts_at(name)
    if begins is None:
        return None
    months = {"month": 1, "quarter": 3, "year": 12}[kind_of(name)]
    years, month = divmod(begins.month - 1 + months, 12)
    return begins.replace(year=begins.year + years, month=month + 1)
