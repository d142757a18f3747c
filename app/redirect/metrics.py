"""What road 1 counts, labeled by outcome and never by id."""

import asyncio
from typing import Final

from prometheus_client import Counter, Gauge, Histogram

_HAND_ON_S: Final = 0.5


class Held:
    """A counter for the hot path: it adds up here, and is handed on twice a second.

    One in a file that is shared with other processes costs a redirect 2 µs.
    """

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self._count = 0

    def inc(self) -> None:
        self._count += 1

    def hand_on(self) -> None:
        count, self._count = self._count, 0
        if count:
            self._counter.inc(count)


REDIRECTS: Final = Counter(
    "finderfee_redirects", "Requests for /r/{code}, by how they were answered", ["outcome"]
)
REDIRECTED: Final = Held(REDIRECTS.labels("redirected"))
HEADED: Final = Held(REDIRECTS.labels("head"))
UNRECORDED: Final = Counter(
    "finderfee_clicks_unrecorded", "Visitors sent on without their click being safe on disk"
)
UNSALTED: Final = Counter(
    "finderfee_clicks_unsalted",
    "Clicks without a visitor hash because no salt of the day is known; more is an alarm",
)
COMMIT_SECONDS: Final = Histogram(
    "finderfee_journal_commit_seconds",
    "One group commit of the click journal, fsync included",
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5),
)
JOURNAL_BYTES: Final = Gauge(
    "finderfee_journal_used_bytes",
    "Used pages of the journals that wait for the drain",
    multiprocess_mode="livesum",
)
JOURNAL_MAX_BYTES: Final = Gauge(
    "finderfee_journal_max_bytes",
    "What the journals may use; past it clicks are not recorded",
    multiprocess_mode="livesum",
)
JOURNAL_OLDEST_SECONDS: Final = Gauge(
    "finderfee_journal_oldest_seconds",
    "Age of the oldest click that waits in a journal for the drain; 0: none waits",
    multiprocess_mode="livemax",
)
DRAINED: Final = Counter("finderfee_clicks_drained", "Clicks committed in Postgres by the drain")
QUARANTINED: Final = Counter(
    "finderfee_clicks_quarantined", "Journal rows that Postgres refused and that were put aside"
)
IMPRESSIONS: Final = Counter(
    "finderfee_impressions", "Requests for /i/{code}.gif, by how they were answered", ["outcome"]
)
IMPRESSIONS_STORED: Final = Counter(
    "finderfee_impressions_stored", "Impressions added to Postgres' counters"
)
FAILURES: Final = Counter(
    "finderfee_redirect_failures", "Failed rounds of road 1's background tasks", ["task"]
)
IN_DEFAULT_PARTITION: Final = Gauge(
    "finderfee_clicks_in_default_partition",
    "Clicks that no day partition takes; more than none is an alarm",
    multiprocess_mode="livemax",
)


async def keep_handing_on() -> None:
    """Until canceled; what came last is handed on then."""
    try:
        while True:
            await asyncio.sleep(_HAND_ON_S)
            _hand_on()
    finally:
        _hand_on()


def _hand_on() -> None:
    for held in (REDIRECTED, HEADED):
        held.hand_on()
