"""Fill holes: a provider's own list of events, compared with ours, page by page.

What a webhook would have brought goes the webhook's way into the inbox. An event that is there
already is left as it is, whatever the list says of it: the list may be of another API version.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import structlog
from prometheus_client import Counter
from sqlalchemy import Row, func, insert, text

from app.conversions.intake.incoming import Incoming
from app.conversions.intake.put_back import take_in
from app.conversions.providers.registry import PROVIDERS
from app.conversions.sources.change import api_key_owner
from app.conversions.sources.listing import LISTS, Listed, ListingError, ListPage
from app.db.engine import Database
from app.db.tables import Reconciliation
from app.db.tx import Tx
from app.ids import encode, uuid7
from app.secret_keys import SecretKeys
from app.settings import Settings

MOST_ATTEMPTS: Final = 6
STORING_PAUSE_S: Final = 30
"""After a page that we could not store, twice as long each time: 16 minutes, until it is given up
and the next hour's round tries anew.
"""
OVERLAP: Final = timedelta(hours=1)
"""Listed again by each hourly round: events are listed a moment after they were created."""
_LEASE_S: Final = 60
"""Longer than a page takes; a worker that dies leaves the rest to others after it."""
_FILLED: Final = Counter(
    "finderfee_events_reconciled", "Events that no webhook brought, found in a provider's list"
)
_log: Final = structlog.get_logger()

# One open reconciliation of a source at a time; Stripe lists the last 30 days.
_DUE: Final = text("""
INSERT INTO reconciliations (workspace_id, id, source_id, hourly, from_at, to_at, page_after,
  listed, known, filled, attempts, problem)
SELECT s.workspace_id, gen_random_uuid(), s.id, true,
  greatest(coalesce(s.reconciled_to, s.created_at) - CAST(:overlap AS interval),
    clock_timestamp() - interval '30 days'),
  clock_timestamp(), '', 0, 0, 0, 0, ''
FROM sources s
WHERE s.sealed_api_key IS NOT NULL AND s.archived_at IS NULL AND NOT EXISTS (
  SELECT FROM reconciliations r
  WHERE r.workspace_id = s.workspace_id AND r.source_id = s.id AND r.finished_at IS NULL
)
""")
_FORGET: Final = text("""
DELETE FROM reconciliations
WHERE hourly AND filled = 0 AND finished_at < clock_timestamp() - interval '30 days'
""")
_LEASE: Final = text("""
UPDATE reconciliations SET next_at = clock_timestamp() + make_interval(secs => :lease)
FROM (
  SELECT workspace_id, id FROM reconciliations
  WHERE finished_at IS NULL AND next_at <= clock_timestamp()
  ORDER BY created_at LIMIT 1 FOR UPDATE SKIP LOCKED
) due
WHERE reconciliations.workspace_id = due.workspace_id AND reconciliations.id = due.id
RETURNING reconciliations.*
""")
_SOURCE: Final = text("""
SELECT s.id, s.workspace_id, s.provider, s.program_ids, s.with_tax, s.sealed_api_key, w.mode
FROM sources s JOIN workspaces w ON w.id = s.workspace_id
WHERE s.workspace_id = :workspace AND s.id = :source AND s.archived_at IS NULL
""")
# Only the page that the lease was for counts: whoever was slower finds it done.
_TURN: Final = text("""
UPDATE reconciliations SET listed = listed + :listed, known = known + :known,
  filled = filled + :filled, page_after = :after, attempts = 0, problem = '',
  next_at = clock_timestamp(), finished_at = CASE WHEN :after = '' THEN clock_timestamp() END
WHERE workspace_id = :workspace AND id = :id AND page_after = :before AND finished_at IS NULL
RETURNING *
""")
_FAIL: Final = text("""
UPDATE reconciliations SET attempts = attempts + 1, problem = :problem,
  next_at = clock_timestamp() + make_interval(secs => greatest(:wait, 2 ^ attempts)),
  finished_at = CASE WHEN :over OR attempts + 1 >= :most THEN clock_timestamp() END
WHERE workspace_id = :workspace AND id = :id AND page_after = :before AND finished_at IS NULL
""")
_RECONCILED: Final = text("""
UPDATE sources SET reconciled_to = greatest(reconciled_to, :to)
WHERE workspace_id = :workspace AND id = :source
""")


@dataclass(frozen=True, slots=True)
class _Page:
    """What a page of a list came to."""

    listed: int
    known: int
    filled: int


async def begin_hourly(database: Database) -> None:
    """Ask for the time since the last round, of each source that has a key."""
    async with database.tx() as tx:
        await tx.execute(_FORGET)
        await tx.execute(_DUE, {"overlap": OVERLAP})


async def begin(tx: Tx, workspace: UUID, source: UUID, since: datetime, until: datetime) -> UUID:
    """Ask for a span; the worker takes it up within seconds."""
    made = uuid7()
    await tx.execute(
        insert(Reconciliation).values(
            workspace_id=workspace,
            id=made,
            source_id=source,
            hourly=False,
            from_at=since,
            to_at=until,
            page_after="",
            listed=0,
            known=0,
            filled=0,
            attempts=0,
            problem="",
            next_at=func.clock_timestamp(),
        )
    )
    return made


async def go_on(database: Database, keys: SecretKeys, settings: Settings) -> bool:
    """One page of one reconciliation; False if none is due. What fails is tried again later, and
    given up after some tries.
    """
    async with database.tx() as tx:
        due = (await tx.execute(_LEASE, {"lease": _LEASE_S})).first()
    if due is None:
        return False
    try:
        await _bring(database, keys, settings, due)
    except ListingError as error:
        await _give_up(database, due, error)
    except Exception as error:  # noqa: BLE001 (whatever it is, other sources go on)
        _log.error("reconciliation.broken", reconciliation_id=str(due.id), exc_info=error)
        problem = f"We could not store its page: {type(error).__name__}."
        wait = STORING_PAUSE_S * 2**due.attempts
        await _give_up(database, due, ListingError(problem, retry_after_s=wait))
    return True


async def _bring(database: Database, keys: SecretKeys, settings: Settings, due: Row[Any]) -> None:
    """Fetch and store a page. The provider is asked outside of any transaction."""
    async with database.read() as read:
        source = await read.first(
            _SOURCE.bindparams(workspace=due.workspace_id, source=due.source_id)
        )
    fetched = await _fetch(settings, keys, source, due)
    assert source is not None
    async with database.tx() as tx:
        now = await tx.scalar(text("SELECT clock_timestamp()"))
        page = await _fill(tx, source, fetched.events, now, keys.click_keys)
        await _turn(tx, due, page, fetched.after)
    _FILLED.inc(page.filled)
    if page.filled:
        # Webhooks were lost on their way: somebody should look why.
        _log.warning("reconciliation.filled", source_id=encode("src", source.id), count=page.filled)


async def _fetch(
    settings: Settings, keys: SecretKeys, source: Row[Any] | None, due: Row[Any]
) -> ListPage:
    if source is None or source.sealed_api_key is None:
        raise ListingError("The source has no API key any more.", refused=True)
    key = keys.open(source.sealed_api_key, owner=api_key_owner(source.id)).decode()
    return await LISTS[source.provider].fetch(
        settings, key, since=due.from_at, until=due.to_at, after=due.page_after
    )


async def _fill(
    tx: Tx, source: Row[Any], listed: Sequence[Listed], now: datetime, click_keys: Sequence[bytes]
) -> _Page:
    """Store those of a page that we would have been sent and do not have."""
    provider = PROVIDERS[source.provider]
    ours = [one for one in listed if one.type in provider.event_types]
    driver = await tx.driver()
    rows = await driver.fetch(
        "SELECT external_id FROM events"
        " WHERE workspace_id = $1 AND source = $2 AND external_id = ANY($3)",
        source.workspace_id,
        str(source.id),
        [one.id for one in ours],
    )
    known = {row["external_id"] for row in rows}
    messages = [
        Incoming(
            workspace_id=source.workspace_id,
            source=str(source.id),
            meaning=provider.read(
                one.body, live=source.mode == "live", received_at=now, with_tax=source.with_tax
            ),
            body=one.body,
            program_ids=tuple(source.program_ids),
            with_tax=source.with_tax,
        )
        for one in ours
        if one.id not in known
    ]
    stored = await take_in(tx, messages, click_keys) if messages else []
    filled = sum(not one.duplicate for one in stored)
    return _Page(len(ours), len(ours) - filled, filled)


async def _turn(tx: Tx, due: Row[Any], page: _Page, after: str) -> None:
    turned = await tx.execute(
        _TURN,
        {
            "listed": page.listed,
            "known": page.known,
            "filled": page.filled,
            "after": after,
            "before": due.page_after,
            "workspace": due.workspace_id,
            "id": due.id,
        },
    )
    row = turned.first()
    if row is not None and row.finished_at is not None and row.hourly:
        await tx.execute(
            _RECONCILED,
            {"to": row.to_at, "workspace": row.workspace_id, "source": row.source_id},
        )


async def _give_up(database: Database, due: Row[Any], error: ListingError) -> None:
    _log.warning(
        "reconciliation.failed", source_id=encode("src", due.source_id), problem=error.problem
    )
    async with database.tx() as tx:
        await tx.execute(
            _FAIL,
            {
                "problem": error.problem,
                "wait": error.retry_after_s,
                "over": error.refused,
                "most": MOST_ATTEMPTS,
                "before": due.page_after,
                "workspace": due.workspace_id,
                "id": due.id,
            },
        )
