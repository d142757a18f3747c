"""What road 1 counts, labeled by outcome and never by id."""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

REDIRECTS: Final = Counter(
    "finderfee_redirects", "Requests for /r/{code}, by how they were answered", ["outcome"]
)
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
