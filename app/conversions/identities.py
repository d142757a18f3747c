"""Whose event is it: names → customers, found, made or joined, for a batch at once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import asyncpg

from app.core.events import Event
from app.ids import uuid7


@dataclass(slots=True)
class Someone:
    """One customer of a batch.

    id: the customer, the oldest if several turn out to be one. absorbed: the younger ones.
    made: it is new. new_names: those of its news that nobody had. news: in order of receipt.
    """

    id: UUID
    made: bool
    absorbed: tuple[UUID, ...]
    new_names: frozenset[str]
    news: tuple[Event, ...]


@dataclass(slots=True)
class Sorted:
    """Who the batch is about, and the events that name only payments that nobody knows yet."""

    people: tuple[Someone, ...]
    orphans: tuple[Event, ...]


@dataclass(slots=True)
class _Clump:
    """Names and events that belong together."""

    names: set[str] = field(default_factory=set)
    events: dict[UUID, Event] = field(default_factory=dict)


def sort_out(events: Sequence[Event], known: dict[str, UUID]) -> Sorted:
    """Group a batch's events by whom they are about.

    known: customers by name. An event without a person belongs to whoever else has one of its
    payments; if nobody has, it is an orphan.
    """
    people: list[Someone] = []
    orphans: list[Event] = []
    for clump in _clumps(events, known):
        news = tuple(sorted(clump.events.values(), key=lambda e: (e.received_at, e.id)))
        found = sorted({known[name] for name in clump.names if name in known})
        if not found and not any(event.people for event in news):
            orphans.extend(news)
            continue
        made = not found
        people.append(
            Someone(
                id=uuid7() if made else found[0],
                made=made,
                absorbed=tuple(found[1:]),
                new_names=frozenset(clump.names - known.keys()),
                news=news,
            )
        )
    return Sorted(tuple(people), tuple(orphans))


def names_of(events: Iterable[Event]) -> set[str]:
    return {name for event in events for name in (*event.people, *event.payments)}


async def known_names(
    driver: "asyncpg.Connection[Any]", workspace: UUID, names: Iterable[str]
) -> dict[str, UUID]:
    """The customers behind names; names that nobody has are left out."""
    rows = await driver.fetch(
        "SELECT name, customer_id FROM customer_names WHERE workspace_id = $1 AND name = ANY($2)",
        workspace,
        sorted(names),
    )
    return {row["name"]: row["customer_id"] for row in rows}


def _clumps(events: Sequence[Event], known: dict[str, UUID]) -> list[_Clump]:
    """Union of events by shared names; two names of one known customer are shared too."""
    clumps: dict[str, _Clump] = {}
    for event in events:
        labels = {*event.people, *event.payments}
        labels |= {f"customer:{known[name]}" for name in labels if name in known}
        joined = _Clump(set(labels), {event.id: event})
        met = {id(clumps[label]): clumps[label] for label in labels if label in clumps}
        for other in met.values():
            joined.names |= other.names
            joined.events |= other.events
        for name in joined.names:
            clumps[name] = joined
    distinct = {id(clump): clump for clump in clumps.values()}
    for clump in distinct.values():
        clump.names = {name for name in clump.names if not name.startswith("customer:")}
    return list(distinct.values())
