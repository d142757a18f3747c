"""Whole calendar months in UTC: leap days, ends of months, and their inverse."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.sale_facts import months_between


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("start", "at", "months"),
    [
        ("2026-01-31T10:00", "2026-02-28T09:59", 0),
        ("2026-01-31T10:00", "2026-02-28T10:00", 1),
        ("2028-01-31T10:00", "2028-02-28T10:00", 0),
        ("2028-01-31T10:00", "2028-02-29T10:00", 1),
        ("2028-02-29T00:00", "2029-02-28T00:00", 12),
        ("2028-02-29T00:00", "2032-02-28T23:59", 47),
        ("2028-02-29T00:00", "2032-02-29T00:00", 48),
        ("2026-05-31T00:00", "2026-06-30T00:00", 1),
        ("2026-05-31T00:00", "2026-07-30T23:59", 1),
        ("2026-12-15T00:00", "2027-01-15T00:00", 1),
        ("2026-03-15T00:00", "2026-03-15T00:00", 0),
        ("2026-03-15T00:00", "2026-02-01T00:00", 0),
    ],
)
def test_calendar_months(start: str, at: str, months: int) -> None:
    assert months_between(utc(start), utc(at)) == months


def test_months_are_counted_in_utc() -> None:
    plus_nine = timezone(timedelta(hours=9))
    start = datetime(2026, 2, 1, 3, tzinfo=plus_nine)  # Jan 31, 18:00 UTC
    assert months_between(start, datetime(2026, 2, 28, 18, tzinfo=UTC)) == 1
    assert months_between(start, datetime(2026, 2, 28, 17, tzinfo=UTC)) == 0


moments = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - Hypothesis wants naive bounds


@given(moments, moments, moments)
def test_later_is_never_fewer_months(start: datetime, one: datetime, other: datetime) -> None:
    first, second = sorted((one, other))
    assert months_between(start, first) <= months_between(start, second)


@given(moments, st.integers(0, 400))
def test_the_anniversary_is_the_same_day_or_the_months_last(start: datetime, months: int) -> None:
    years, month = divmod(start.month - 1 + months, 12)
    first_of_next = datetime(start.year + years + month // 11, (month + 1) % 12 + 1, 1, tzinfo=UTC)
    last_day = (first_of_next - timedelta(days=1)).day
    anniversary = start.replace(
        year=start.year + years, month=month + 1, day=min(start.day, last_day)
    )
    assert months_between(start, anniversary) == months
    if months:
        assert months_between(start, anniversary - timedelta(microseconds=1)) == months - 1
