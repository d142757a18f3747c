"""Journal rows into Postgres, as often as they come: a click id is stored and counted once."""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from ipaddress import IPv4Network, IPv6Network
from typing import TYPE_CHECKING, Final
from uuid import UUID, uuid4

import asyncpg
import orjson
import structlog
from asyncpg.pgproto.pgproto import UUID as WireUUID  # noqa: N811 (built in C, from bytes)

from app.redirect.journal_file import JournalRow
from app.redirect.metrics import DRAINED, QUARANTINED

if TYPE_CHECKING:
    from app.redirect.postgres import Connection

_REMEMBERED: Final = 50_000
_REFUSED: Final = (
    asyncpg.DataError,
    asyncpg.exceptions.DataError,
    asyncpg.IntegrityConstraintViolationError,
    UnicodeError,
)
"""What a row's own content can cause; anything else is tried again later."""

# One statement is one transaction: the counters rise by what it inserted, or nothing happens.
# A click recovered from a conversion's token is there already: it gets what it lacks.
# A UUIDv7 begins with 48 bits of milliseconds; Postgres reads hexadecimal as bits.
_STORE: Final = """
    WITH stored AS (
        INSERT INTO clicks (id, link_id, agent_id, referrer_id, traffic_class, subs,
                            class_reason, visitor, country, network)
        SELECT * FROM unnest(
            $1::uuid[], $2::uuid[], $3::int[], $4::int[], $5::smallint[], $6::text[],
            $7::smallint[], $8::bigint[], $9::text[], $10::cidr[]
        )
        ON CONFLICT (id) DO UPDATE
            SET agent_id = excluded.agent_id, referrer_id = excluded.referrer_id,
                subs = excluded.subs, class_reason = excluded.class_reason,
                visitor = excluded.visitor, country = excluded.country,
                network = excluded.network
            WHERE clicks.recovered AND clicks.agent_id IS NULL
        RETURNING id, link_id, traffic_class, recovered
    ), counted AS (
        INSERT INTO link_clicks (link_id, on_day, traffic_class, clicks)
        SELECT link_id,
               (to_timestamp(('x' || translate(left(id::text, 13), '-', ''))::bit(48)::bigint
                             / 1000.0) AT TIME ZONE 'UTC')::date,
               traffic_class, count(*)
        FROM stored WHERE NOT recovered
        GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
        ON CONFLICT (link_id, on_day, traffic_class)
        DO UPDATE SET clicks = link_clicks.clicks + excluded.clicks
    )
    SELECT count(*) FROM stored
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
        self._agents = _Dictionary("agents")
        self._referrers = _Dictionary("referrers")

    async def store(self, rows: Sequence[JournalRow]) -> None:
        """Commit all rows; one that Postgres refuses is found by bisection and put aside."""
        if not rows:
            return
        try:
            await self._insert(rows)
        except _REFUSED as error:
            if len(rows) == 1:
                await self._quarantine(UUID(bytes=rows[0].click), _as_json(rows[0]), error)
                return
            middle = len(rows) // 2
            await self.store(rows[:middle])
            await self.store(rows[middle:])

    async def put_aside(self, rows: bytes, error: ValueError) -> None:
        """Keep a commit whose rows can't even be told apart."""
        await self._quarantine(uuid4(), rows, error)

    async def _insert(self, rows: Sequence[JournalRow]) -> None:
        agents = await self._agents.ids(self._connection, {row.agent for row in rows})
        pages = [_page(row.referrer) for row in rows]
        referrers = await self._referrers.ids(self._connection, set(pages))
        await self._connection.fetchval(
            _STORE,
            [WireUUID(row.click) for row in rows],
            [WireUUID(row.link) for row in rows],
            [agents[row.agent] for row in rows],
            [referrers[page] for page in pages],
            [row.traffic_class for row in rows],
            [_text(row.subs) or None for row in rows],
            [row.reason for row in rows],
            [
                int.from_bytes(row.visitor, "big", signed=True) if row.visitor else None
                for row in rows
            ],
            [_text(row.country) or None for row in rows],
            [_network(row.network) for row in rows],
        )
        DRAINED.inc(len(rows))

    async def _quarantine(self, click: UUID, row: bytes, error: Exception) -> None:
        reason = str(error).replace("\x00", "\ufffd")[:1_000]
        await self._connection.execute(_QUARANTINE, click, row, reason)
        QUARANTINED.inc()
        log.error("click.quarantined", click=str(click), error=reason)


class _Dictionary:
    """Ids of texts in a dictionary table; the ones met lately are remembered."""

    def __init__(self, table: str) -> None:
        self._find = f"SELECT digest, id FROM {table} WHERE digest = ANY($1)"
        # Sorted, so that two drains with the same new texts can't wait for each other.
        self._add = (
            f"INSERT INTO {table} (digest, text)"
            " SELECT * FROM unnest($1::uuid[], $2::text[]) AS new (digest, text)"
            " ORDER BY digest ON CONFLICT (digest) DO NOTHING"
        )
        self._known: OrderedDict[bytes, int] = OrderedDict()

    async def ids(
        self, connection: "Connection", texts: Iterable[bytes]
    ) -> dict[bytes, int | None]:
        """The id of each text; none for an empty one."""
        found: dict[bytes, int | None] = {b"": None}
        unknown: dict[bytes, UUID] = {}
        for raw in texts:
            if (known := self._known.get(raw)) is not None:
                self._known.move_to_end(raw)
                found[raw] = known
            elif raw:
                unknown[raw] = _digest(_text(raw))
        if unknown:
            ids = await self._stored(connection, unknown)
            for raw, digest in unknown.items():
                found[raw] = self._known[raw] = ids[digest]
            while len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return found

    async def _stored(self, connection: "Connection", texts: dict[bytes, UUID]) -> dict[UUID, int]:
        digests = set(texts.values())
        ids = dict(await connection.fetch(self._find, list(digests)))
        # Looked for first: an insert that conflicts would use up a number each time.
        if new := {digest: _text(raw) for raw, digest in texts.items() if digest not in ids}:
            await connection.execute(self._add, list(new), list(new.values()))
            ids |= dict(await connection.fetch(self._find, list(new)))
        return ids


def _page(referrer: bytes) -> bytes:
    """The referring page without query and fragment: they may name people, and repeat nothing."""
    return referrer.partition(b"#")[0].partition(b"?")[0]


def _network(prefix: bytes) -> IPv4Network | IPv6Network | None:
    """3 bytes are a /24, 6 a /48; ValueError for others."""
    if not prefix:
        return None
    if len(prefix) == 3:
        return IPv4Network((prefix + bytes(1), 24))
    return IPv6Network((prefix + bytes(10), 48))


def _text(raw: bytes) -> str:
    """Header bytes as text that Postgres takes: no NUL, no lone surrogate."""
    return raw.decode("utf-8", "replace").replace("\x00", "\ufffd")


def _digest(text: str) -> UUID:
    return UUID(bytes=blake2b(text.encode(), digest_size=16).digest())


def _as_json(row: JournalRow) -> bytes:
    return orjson.dumps(
        {
            "click": str(UUID(bytes=row.click)),
            "link": str(UUID(bytes=row.link)),
            "traffic_class": row.traffic_class,
            "agent": row.agent.decode("latin-1"),
            "referrer": row.referrer.decode("latin-1"),
            "subs": row.subs.decode("latin-1"),
            "reason": row.reason,
            "country": row.country.decode("latin-1"),
        }
    )
