"""Journal rows into Postgres, as often as they come: a click id is stored and counted once."""

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from hashlib import blake2b
from time import time
from typing import TYPE_CHECKING, Final
from uuid import UUID

import asyncpg
import orjson
import structlog
from asyncpg.pgproto.pgproto import UUID as WireUUID  # noqa: N811 (built in C, from bytes)

from app.redirect.copying import COLUMNS, END, HEADER, encode
from app.redirect.journal_rows import (
    JournalRow,
    Row,
    agent_of,
    click_of,
    counted_by,
    referrer_of,
)
from app.redirect.metrics import DRAINED, QUARANTINED
from app.redirect.postgres import transaction
from app.redirect.texts import Dictionary
from app.redirect.turns import ROWS_A_TURN, give_way

if TYPE_CHECKING:
    from app.redirect.postgres import Connection

_A_DAY: Final = 337_500
"""Units of 256 ms, which are the first 40 bits of a UUIDv7."""
_LATE: Final = 2
"""Days; the shortest retention is 7."""
_REFUSED: Final = (
    ValueError,
    asyncpg.DataError,
    asyncpg.exceptions.DataError,
    asyncpg.IntegrityConstraintViolationError,
)
"""What a row's own content can cause; anything else is tried again later."""

_COUNT: Final = """
    INSERT INTO link_clicks (link_id, on_day, traffic_class, clicks)
    SELECT link_id, DATE '1970-01-01' + day, traffic_class, clicks
    FROM unnest($1::uuid[], $2::int[], $3::smallint[], $4::bigint[])
      AS new (link_id, day, traffic_class, clicks)
    ORDER BY 1, 2, 3
    ON CONFLICT (link_id, on_day, traffic_class)
    DO UPDATE SET clicks = link_clicks.clicks + excluded.clicks
"""
# Retention looks at a day once: it has to hear of what is stored there afterwards.
_TELL_RETENTION: Final = """
    INSERT INTO click_retention AS old (workspace_id, cleared_to)
    SELECT links.workspace_id, DATE '0001-01-01'
    FROM unnest($1::uuid[]) AS late (link_id) JOIN links ON links.id = late.link_id
    GROUP BY 1 ORDER BY 1
    ON CONFLICT (workspace_id) DO UPDATE
        SET cleared_to = least(old.cleared_to, DATE '1970-01-01' + $2::int)
"""
_STAGE: Final = (
    "CREATE TEMPORARY TABLE staged_clicks (LIKE clicks INCLUDING DEFAULTS) ON COMMIT DROP"
)
# A click recovered from a conversion's token is there already: it gets what it lacks.
_MERGE: Final = f"""
    INSERT INTO clicks AS old ({", ".join(COLUMNS)})
    SELECT DISTINCT ON (id) {", ".join(COLUMNS)} FROM staged_clicks
    ON CONFLICT (id) DO UPDATE
        SET agent_id = excluded.agent_id, referrer_id = excluded.referrer_id,
            subs = excluded.subs, class_reason = excluded.class_reason,
            visitor = excluded.visitor, country = excluded.country, network = excluded.network
        WHERE old.recovered AND old.agent_id IS NULL
    RETURNING id, recovered
"""
_QUARANTINE: Final = """
    INSERT INTO quarantined_clicks (click_id, row, error) VALUES ($1, $2, $3)
    ON CONFLICT (click_id) DO NOTHING
"""

log = structlog.get_logger()


class ClickStore:
    """Writes batches on one connection: `await ClickStore(connection).store(rows)`."""

    def __init__(self, connection: "Connection") -> None:
        self._connection = connection
        self._agents = Dictionary("agents")
        self._pages = Dictionary("referrers", _page)
        self._some_come_again = False

    async def store(self, rows: Sequence[Row]) -> None:
        """Commit all rows; one that Postgres refuses is found by bisection and put aside."""
        if not rows:
            return
        try:
            await self._insert(rows)
        except _REFUSED:
            if len(rows) == 1:
                await self._store_alone(JournalRow._make(rows[0]))
                return
            middle = len(rows) // 2
            await self.store(rows[:middle])
            await self.store(rows[middle:])

    async def _store_alone(self, row: JournalRow) -> None:
        """Try once more: its day's partition may have come between, which is not its own fault."""
        try:
            await self._insert([row])
        except _REFUSED as error:
            await self._quarantine(UUID(bytes=row.click), _as_json(row), error)

    async def put_aside(self, rows: bytes, error: ValueError) -> None:
        """Keep a commit whose rows can't even be told apart; by a digest, as it may come again."""
        digest = UUID(bytes=blake2b(rows, digest_size=16).digest())
        await self._quarantine(digest, rows, error)

    async def _insert(self, rows: Sequence[Row]) -> None:
        agents = await self._agents.fields(self._connection, set(map(agent_of, rows)))
        pages = await self._pages.fields(self._connection, set(map(referrer_of, rows)))
        pieces = [HEADER]
        for first in range(0, len(rows), ROWS_A_TURN):
            pieces.append(encode(rows[first : first + ROWS_A_TURN], agents, pages))
            await give_way()
        clicks = b"".join((*pieces, END))
        if not self._some_come_again:
            try:
                await self._copy(clicks, rows)
            except asyncpg.UniqueViolationError:
                self._some_come_again = True
        if self._some_come_again:
            # After a crash the next ones may come again too; until a batch is wholly new.
            self._some_come_again = await self._merge(clicks, rows) < len(rows)
        DRAINED.inc(len(rows))

    async def _copy(self, clicks: bytes, rows: Sequence[Row]) -> None:
        """Store rows none of which is there; UniqueViolationError, and nothing done, if one is."""
        async with transaction(self._connection):
            await self._send("clicks", clicks)
            await self._count(rows)

    async def _merge(self, clicks: bytes, rows: Sequence[Row]) -> int:
        """Store the rows that are not there yet; how many these were."""
        async with transaction(self._connection):
            await self._connection.execute(_STAGE)
            await self._send("staged_clicks", clicks)
            stored = await self._connection.fetch(_MERGE)
            new = {found["id"].bytes for found in stored if not found["recovered"]}
            once = {click_of(row): row for row in rows}
            await self._count([row for click, row in once.items() if click in new])
        return len(new)

    async def _send(self, table: str, clicks: bytes) -> None:
        await self._connection.copy_to_table(
            table, source=_once(clicks), format="binary", columns=COLUMNS
        )

    async def _count(self, rows: Sequence[Row]) -> None:
        """Raise the links' counters in the transaction that stores the rows, or not at all."""
        found: dict[tuple[bytes, int, int], int] = {}
        for day, some in _by_day(rows).items():
            counts = Counter(map(counted_by, some))
            found |= {(link, day, number): clicks for (link, number), clicks in counts.items()}
            await give_way()
        links, days, classes = zip(*found, strict=True) if found else ((), (), ())
        wire_links = [WireUUID(link) for link in links]
        await self._connection.execute(_COUNT, wire_links, days, classes, list(found.values()))
        today = int(time()) // 86_400
        if late := [one for one in zip(days, wire_links, strict=True) if one[0] < today - _LATE]:
            first = min(day for day, _ in late)
            await self._connection.execute(_TELL_RETENTION, [link for _, link in late], first)

    async def _quarantine(self, click: UUID, row: bytes, error: Exception) -> None:
        reason = str(error).replace("\x00", "\ufffd")[:1_000]
        await self._connection.execute(_QUARANTINE, click, row, reason)
        QUARANTINED.inc()
        # Postgres' second line has the row, which is no matter for a log.
        log.error("click.quarantined", click=str(click), error=reason.partition("\n")[0])


def _by_day(rows: Sequence[Row]) -> dict[int, Sequence[Row]]:
    """Rows by their day, in days since 1970; mostly there is one."""
    if not rows:
        return {}
    first, last = (_day_of(of(map(click_of, rows))) for of in (min, max))
    if first == last:
        return {first: rows}
    found: dict[int, list[Row]] = {}
    for row in rows:
        found.setdefault(_day_of(click_of(row)), []).append(row)
    return dict(found)


def _day_of(click: bytes) -> int:
    return int.from_bytes(click[:5]) // _A_DAY


async def _once(clicks: bytes) -> AsyncIterator[bytes]:
    """Bytes as `copy_to_table` takes them, which are a path's name to it otherwise."""
    yield clicks


def _page(referrer: bytes) -> bytes:
    """The referring page without query and fragment: they may name people, and repeat nothing."""
    return referrer.partition(b"#")[0].partition(b"?")[0]


def _as_json(row: JournalRow) -> bytes:
    return orjson.dumps(
        {
            "click": str(UUID(bytes=row.click)),
            "link": str(UUID(bytes=row.link)),
            "traffic_class": row.traffic_class,
            "agent": row.agent.decode("latin-1"),
            "referrer": _page(row.referrer).decode("latin-1"),
            "subs": row.subs.decode("latin-1"),
            "reason": row.reason,
            "country": row.country.decode("latin-1"),
        }
    )
