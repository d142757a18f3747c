import time
from uuid import UUID

import pytest

from app.ids import click_id

NOW_NS = 1_800_000_000_123_456_789
HOUR_NS = 3_600_000_000_000


def test_a_click_is_dated_by_the_clock_also_after_it_was_set_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for now_ns in (NOW_NS + HOUR_NS, NOW_NS):
        monkeypatch.setattr(time, "time_ns", lambda now_ns=now_ns: now_ns)
        made = UUID(bytes=click_id())
        assert made.version == 7
        assert made.int >> 80 == now_ns // 1_000_000


def test_clicks_of_one_moment_have_ids_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time_ns", lambda: NOW_NS)
    assert len({click_id() for _ in range(10_000)}) == 10_000
