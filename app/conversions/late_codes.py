"""Codes that were made after their first use: whoever used them is decided anew.

Only news decides, so each such customer is told by an event of source `api`, which says nothing
but that a code means something now. What has closed stays.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import asyncpg
from sqlalchemy import Row, select

from app.conversions.intake import incoming
from app.conversions.intake.incoming import Incoming
from app.conversions.providers.mapping import Alias, Contact, Mapped
from app.core.events import Named
from app.core.identity import person_name
from app.db.engine import Database
from app.db.tables import CodeNews
from app.errors import LaneBusy
from app.wire import In

TYPE: Final = "code.known"
CHUNK: Final = 200
"""Uses that one transaction looks at."""
_CHUNKS: Final = 5
"""Of one code in one round, so that the inbox is not filled faster than it is decided."""
_AT_ONCE: Final = 1_000


class CodeKnown(In):
    """As stored: a code that a customer, by a name that it has, once used means something now.
    id: of the news.
    """

    id: UUID
    namespace: str
    external_id: str

    def mapped(self, received_at: datetime) -> Mapped:
        """Key: the news and the customer's name, so that each customer is told once."""
        return Mapped(
            external_id=f"code:{self.id}:{person_name(self.namespace, self.external_id)}",
            kind="named",
            occurred_at=received_at,
            body=Named(),
            contact=Contact((Alias(self.namespace, self.external_id),)),
            type=TYPE,
        )


async def tell_codes(database: Database) -> int:
    """One round over all codes that are new; how many uses it looked at."""
    async with database.read() as read:
        news = await read.all(
            select(CodeNews.workspace_id, CodeNews.id).order_by(CodeNews.noted_at).limit(_AT_ONCE)
        )
    # Whoever decided without a code that was just made has committed once the lane is free, so
    # that its uses are there to be found.
    for workspace in {row.workspace_id for row in news}:
        try:
            async with database.lane(workspace):
                pass
        except LaneBusy:
            news = [row for row in news if row.workspace_id != workspace]
    used = await _used(database, news)
    return sum([await _tell(database, workspace, news_id) for workspace, news_id in used])


async def _used(database: Database, news: Sequence[Row[Any]]) -> list[tuple[UUID, UUID]]:
    """Workspace and id of those that somebody used before; the others, nearly all, are done."""
    if not news:
        return []
    async with database.tx() as tx:
        driver = await tx.driver()
        columns = [row.workspace_id for row in news], [row.id for row in news]
        done = {row["id"] for row in await driver.fetch(_UNUSED, *columns)}
    return [(row.workspace_id, row.id) for row in news if row.id not in done]


async def _tell(database: Database, workspace: UUID, news: UUID) -> int:
    told = 0
    for _ in range(_CHUNKS):
        async with database.tx() as tx:
            driver = await tx.driver()
            row = await driver.fetchrow(_TAKE, workspace, news)
            if row is None:
                break  # Another worker is at it, or was.
            used = await driver.fetch(_USES, workspace, row["name"], row["after_id"], CHUNK)
            events = [use["event_id"] for use in used]
            known = await _customers(driver, workspace, events, news)
            now = datetime.now(UTC)
            messages = [
                Incoming(workspace, "api", one.mapped(now), one.model_dump_json().encode())
                for one in known
            ]
            if messages:
                await incoming.store(tx, messages, ())
            if len(events) == CHUNK:
                await driver.execute(_GO_ON, workspace, news, events[-1])
            else:
                await driver.execute(_DONE, workspace, news)
        told += len(events)
        if len(events) < CHUNK:
            break
    return told


async def _customers(
    driver: "asyncpg.Connection[Any]", workspace: UUID, events: Sequence[UUID], news: UUID
) -> list[CodeKnown]:
    """Who told of a code in these events and has something open."""
    rows = await driver.fetch(_OPEN, workspace, events)
    return [
        CodeKnown(id=news, namespace=r["namespace"], external_id=r["external_id"]) for r in rows
    ]


_UNUSED: Final = """
DELETE FROM code_news c USING unnest($1::uuid[], $2::uuid[]) AS k (workspace_id, id)
WHERE c.workspace_id = k.workspace_id AND c.id = k.id AND NOT EXISTS (
  SELECT FROM told_touches t
  WHERE t.workspace_id = c.workspace_id AND t.kind = 'code' AND t.name = c.name
)
RETURNING c.id
"""
_TAKE: Final = """
SELECT name, after_id FROM code_news WHERE workspace_id = $1 AND id = $2 FOR UPDATE SKIP LOCKED
"""
_USES: Final = """
SELECT event_id FROM told_touches
WHERE workspace_id = $1 AND kind = 'code' AND name = $2 AND ($3::uuid IS NULL OR event_id > $3)
ORDER BY event_id LIMIT $4
"""
# One look-up an event, a customer and a name each, however many there are of all of them.
_OPEN: Final = """
SELECT DISTINCT n.namespace, n.external_id
FROM unnest($2::uuid[]) AS u (event_id)
JOIN events e ON e.workspace_id = $1 AND e.id = u.event_id
CROSS JOIN LATERAL (
  SELECT namespace, external_id FROM customer_names
  WHERE workspace_id = $1 AND customer_id = e.customer_id AND external_id IS NOT NULL
  ORDER BY namespace = 'email', namespace, external_id LIMIT 1
) n
WHERE EXISTS (
  SELECT FROM conversions c
  WHERE c.workspace_id = $1 AND c.customer_id = e.customer_id AND c.superseded_by IS NULL
    AND (c.hold_until IS NULL OR c.hold_until >= now())
)
ORDER BY n.namespace, n.external_id
"""
_GO_ON: Final = "UPDATE code_news SET after_id = $3 WHERE workspace_id = $1 AND id = $2"
_DONE: Final = "DELETE FROM code_news WHERE workspace_id = $1 AND id = $2"
