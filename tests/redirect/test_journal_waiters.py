"""Visitors of one commit wait together; what one's answer meets is no other's affair."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from app.redirect.journal import Journal
from tests.redirect.making import until
from tests.redirect.test_journal import ROW, hanging

BROKEN = {1, 2, 4}
Told = list[tuple[int, bool]]


def waiter(told: Told, number: int) -> Callable[[bool], None]:
    def answer(safe: bool) -> None:  # noqa: FBT001 (as the journal tells it)
        told.append((number, safe))
        if number in BROKEN:
            raise RuntimeError("broken for a test")

    return answer


async def test_an_answer_that_fails_takes_no_other_with_it(tmp_path: Path) -> None:
    journal = Journal(tmp_path, max_bytes=10**9)
    await others_are_told(journal, safe=True)
    await journal.close()


async def test_nor_does_it_when_the_disk_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(tmp_path, max_bytes=10**9, wait_s=0.1)
    with hanging(monkeypatch):
        await others_are_told(journal, safe=False)
    await until(lambda: journal.usable)
    await journal.close()


async def others_are_told(journal: Journal, *, safe: bool) -> None:
    told: Told = []
    before = failed()
    with capture_logs() as logs:
        for number in range(5):
            journal.tell(ROW, waiter(told, number))
        last = journal.record(ROW)
        async with asyncio.timeout(5):
            assert await last is safe
    assert told == [(number, safe) for number in range(5)]
    levels = [one["log_level"] for one in logs if one["event"] == "journal.answer_failed"]
    assert levels == ["error"] * len(BROKEN)
    assert failed() == before + len(BROKEN)


def failed() -> float:
    return REGISTRY.get_sample_value("finderfee_redirect_failures_total", {"task": "answer"}) or 0.0
