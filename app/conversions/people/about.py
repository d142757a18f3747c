"""Whatever we hold about a person: a customer's former selves, names, and every event about it.

Decided events name their customer, waiting ones name a name of it. What meant nothing to us has
its raw bytes only, which are searched for the person's addresses and ids.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import asyncpg

from app.conversions import identities
from app.errors import NotFound

SHORTEST_NEEDLE: Final = 5
"""Shorter ids stand in other people's messages too, by chance."""
_MOST_ROUNDS: Final = 10

_UNDECIDED: Final = "SELECT id FROM events WHERE workspace_id = $1 AND customer_id IS NULL"
# OFFSET 0, or a planner that has no statistics yet reads all that was never decided instead.
_UNDECIDED_SINCE: Final = """
SELECT id FROM (
  SELECT id, customer_id FROM events WHERE workspace_id = $1 AND received_at >= $4 OFFSET 0
) recent WHERE customer_id IS NULL
"""
_MENTIONS: Final = """
SELECT e.id, e.mapped->'people' AS people, e.mapped->'payments' AS payments, b.contact
FROM ({candidates}) c
JOIN events e ON e.workspace_id = $1 AND e.id = c.id
LEFT JOIN event_bodies b ON b.workspace_id = $1 AND b.event_id = c.id
WHERE e.mapped->'people' ?| $2 OR e.mapped->'payments' ?| $2
  OR e.mapped IS NULL AND EXISTS (
    SELECT FROM unnest($3::bytea[]) AS n (needle) WHERE position(n.needle IN b.body) > 0
  )
"""


@dataclass(frozen=True, slots=True)
class Person:
    """A customer whole. id: the survivor of its joins. ids: with all that it absorbed.

    names: digests of aliases and payment keys. needles: bytes by which raw bodies name the person.
    """

    id: UUID
    ids: tuple[UUID, ...]
    names: frozenset[str]
    needles: frozenset[bytes]


@dataclass(slots=True)
class _Found:
    """Events found so far, and what they tell of the person that was not known before."""

    events: set[UUID] = field(default_factory=set)
    names: set[str] = field(default_factory=set)
    needles: set[bytes] = field(default_factory=set)


async def person(driver: "asyncpg.Connection[Any]", workspace: UUID, customer_id: UUID) -> Person:
    """By the id of the customer or of one that was joined to it; NotFound."""
    survivor = await driver.fetchval(
        "SELECT coalesce(merged_into, id) FROM customers WHERE workspace_id = $1 AND id = $2",
        workspace,
        customer_id,
    )
    if survivor is None:
        raise NotFound
    ids = await _selves(driver, workspace, survivor)
    names = await driver.fetch(
        "SELECT name, external_id FROM customer_names WHERE workspace_id = $1"
        " AND customer_id = ANY($2)",
        workspace,
        ids,
    )
    emails = await driver.fetch(
        """
        SELECT email FROM customers WHERE workspace_id = $1 AND id = ANY($2)
        UNION
        SELECT b.contact->>'email' FROM events e
        JOIN event_bodies b ON b.workspace_id = e.workspace_id AND b.event_id = e.id
        WHERE e.workspace_id = $1 AND e.customer_id = ANY($2)
        """,
        workspace,
        ids,
    )
    clear = [row["external_id"] or _payment_id(row["name"]) for row in names]
    return Person(
        id=survivor,
        ids=tuple(ids),
        names=frozenset(row["name"] for row in names),
        needles=frozenset(needles(clear, [row["email"] or "" for row in emails])),
    )


async def decided(driver: "asyncpg.Connection[Any]", workspace: UUID, someone: Person) -> set[UUID]:
    """Events that some decision gave to the customer."""
    rows = await driver.fetch(
        "SELECT id FROM events WHERE workspace_id = $1 AND customer_id = ANY($2)",
        workspace,
        someone.ids,
    )
    return {row["id"] for row in rows}


async def undecided(
    driver: "asyncpg.Connection[Any]",
    workspace: UUID,
    someone: Person,
    *,
    since: datetime | None = None,
) -> set[UUID]:
    """Events about the customer that no decision knows; since: received from then on.

    They wait, failed, or meant nothing. One that waits may tell another name of the person, under
    which others wait: they are found too, unless somebody else has that name.
    """
    found = _Found(names=set(someone.names), needles=set(someone.needles))
    names, sought = sorted(someone.names), sorted(someone.needles)
    for _ in range(_MOST_ROUNDS):
        if not names and not sought:
            break
        rows = await _mentions(driver, workspace, names, sought, since)
        told = [row for row in rows if row["id"] not in found.events]
        found.events |= {row["id"] for row in told}
        names, sought = await _news(driver, workspace, told, found)
    return found.events


async def contradictions(
    driver: "asyncpg.Connection[Any]", workspace: UUID, someone: Person, events: Collection[UUID]
) -> set[UUID]:
    """What came under the keys of events about the customer, or under others' and names it."""
    rows = await driver.fetch(
        """
        SELECT c.id FROM event_conflicts c
        LEFT JOIN event_bodies b ON b.workspace_id = c.workspace_id AND b.event_id = c.id
        WHERE c.workspace_id = $1 AND (
          c.event_id = ANY($2) OR c.mapped->'people' ?| $3 OR c.mapped->'payments' ?| $3
          OR EXISTS (
            SELECT FROM unnest($4::bytea[]) AS n (needle) WHERE position(n.needle IN b.body) > 0
          )
        )
        """,
        workspace,
        list(events),
        sorted(someone.names),
        sorted(someone.needles),
    )
    return {row["id"] for row in rows}


def needles(external_ids: Sequence[str], emails: Sequence[str]) -> set[bytes]:
    """What to look for in raw bodies: ids as whole JSON strings, addresses wherever they stand."""
    texts = {json.dumps(one, ensure_ascii=plain) for one in external_ids for plain in (True, False)}
    found = {text for text in texts if len(text) >= SHORTEST_NEEDLE + 2}
    found |= {email for email in emails if email}
    return {text.encode() for text in found}


async def _selves(driver: "asyncpg.Connection[Any]", workspace: UUID, survivor: UUID) -> list[UUID]:
    """The customer and all that it absorbed, as the decisions that joined them tell."""
    rows = await driver.fetch(
        """
        WITH RECURSIVE selves AS (
          SELECT $2::uuid AS id
          UNION
          SELECT absorbed::uuid FROM selves s
          JOIN decisions d ON d.workspace_id = $1 AND d.customer_id = s.id
          CROSS JOIN LATERAL jsonb_array_elements_text(d.facts->'absorbed') AS absorbed
        )
        SELECT id FROM selves ORDER BY id
        """,
        workspace,
        survivor,
    )
    return [row["id"] for row in rows]


async def _mentions(
    driver: "asyncpg.Connection[Any]",
    workspace: UUID,
    names: Sequence[str],
    sought: Sequence[bytes],
    since: datetime | None,
) -> Sequence[Mapping[str, Any]]:
    if since is None:
        statement = _MENTIONS.format(candidates=_UNDECIDED)
        return await driver.fetch(statement, workspace, names, sought)
    statement = _MENTIONS.format(candidates=_UNDECIDED_SINCE)
    return await driver.fetch(statement, workspace, names, sought, since)


async def _news(
    driver: "asyncpg.Connection[Any]",
    workspace: UUID,
    told: Sequence[Mapping[str, Any]],
    found: _Found,
) -> tuple[list[str], list[bytes]]:
    """Names and needles that were not looked for yet; names that somebody else has left out."""
    mapped = [row for row in told if row["people"] is not None]
    names = {name for row in mapped for name in (*row["people"], *row["payments"])} - found.names
    others = await identities.known_names(driver, workspace, names)
    names -= others.keys()
    contacts = [row["contact"] or {} for row in mapped]
    aliases = [one for contact in contacts for one in contact.get("aliases", [])]
    sought = needles(
        [external_id for name, _, external_id in aliases if name not in others],
        [] if others else [contact.get("email") or "" for contact in contacts],
    )
    sought -= found.needles
    found.names |= names
    found.needles |= sought
    return sorted(names), sorted(sought)


def _payment_id(name: str) -> str:
    """`stripe::invoice:in_1` → `in_1`; nothing for an alias' digest."""
    return "" if name.startswith(identities.PERSON) else name.rpartition(":")[2]
