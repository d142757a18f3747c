"""Whose event is it: names → customers, found, made or joined, for a batch at once.

A person's names join whoever has them. The id of a payment and an e-mail address join too, unless
both sides have an id of the workspace's own: then its word goes, and they are two customers.
"""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import asyncpg

from app.conversions.providers.track import OWN
from app.core.events import Event
from app.ids import uuid7

PERSON: Final = "a:"
"""How `identity.person_name` begins; no payment's key does."""
EMAIL: Final = "email"
"""The namespace of addresses, where a workspace joins by them."""
_CUSTOMER: Final = "customer:"


@dataclass(slots=True)
class Someone:
    """One customer of a batch.

    id: the customer, the oldest if several turn out to be one. absorbed: the younger ones.
    made: it is new. new_names: those of its news that nobody had. news: in order of receipt.
    joined: until one of the news it was a known customer and somebody else.
    """

    id: UUID
    made: bool
    absorbed: tuple[UUID, ...]
    new_names: frozenset[str]
    news: tuple[Event, ...]
    joined: bool


@dataclass(frozen=True, slots=True)
class Apart:
    """What tells customers apart that share a payment or an address.

    own, emails: digests of ids of the workspace's own, and of addresses, among the batch's names.
    owners: known customers who have an own id.
    """

    own: AbstractSet[str]
    emails: AbstractSet[str]
    owners: AbstractSet[UUID] = frozenset()


@dataclass(slots=True)
class Sorted:
    """Who the batch is about, and the events that name only payments that nobody knows yet.

    refused: those that name a payment of somebody who has another own id than theirs. namesakes:
    those that tell the address of such a one, and count without it.
    """

    people: tuple[Someone, ...]
    orphans: tuple[Event, ...]
    refused: tuple[Event, ...] = ()
    namesakes: frozenset[UUID] = frozenset()


@dataclass(slots=True)
class _Clump:
    """Names and events that belong together.

    waiting: events that came before anybody's name. joined: it was two, each somebody's.
    """

    names: set[str] = field(default_factory=set)
    events: list[Event] = field(default_factory=list)
    waiting: list[Event] = field(default_factory=list)
    joined: bool = False

    def take(self, other: "_Clump") -> None:
        self.names |= other.names
        self.events += other.events
        self.waiting += other.waiting
        self.joined |= other.joined


def sort_out(
    events: Sequence[Event], known: Mapping[str, UUID], apart: Apart | None = None
) -> Sorted:
    """Group a batch's events by whom they are about.

    known: customers by name. apart: None joins whatever shares a name; `doubtful` tells whether
    that may have been too much. An event without a person belongs to whoever else has one of its
    payments; it counts as received when the event was that told so, since it has an effect only
    then. If nobody has, it is an orphan.
    """
    people: list[Someone] = []
    orphans: list[Event] = []
    clumps, refused, namesakes = _clumps(events, known, apart)
    for clump in clumps:
        orphans += clump.waiting
        if not clump.events:
            continue
        found = sorted({known[name] for name in clump.names if name in known})
        people.append(
            Someone(
                id=found[0] if found else uuid7(),
                made=not found,
                absorbed=tuple(found[1:]),
                new_names=frozenset(clump.names - known.keys()),
                news=tuple(sorted(clump.events, key=_receipt)),
                joined=len(found) > 1 or (bool(found) and clump.joined),
            )
        )
    return Sorted(tuple(people), tuple(orphans), tuple(refused), frozenset(namesakes))


def doubtful(people: Iterable[Someone], apart: Apart) -> bool:
    """Whether any of them may be several: customers, or own ids that nobody had, or both."""
    return any(
        len(one.absorbed) + (not one.made) + len(one.new_names & apart.own) > 1 for one in people
    )


def in_clear(contacts: Iterable[Mapping[str, Any]]) -> Apart:
    """Which of the names that messages bring are what. contacts: as `event_bodies` has them."""
    told = [alias for contact in contacts for alias in contact.get("aliases", ())]
    return Apart(
        own={name for name, namespace, _ in told if namespace == OWN},
        emails={name for name, namespace, _ in told if namespace == EMAIL},
    )


def names_of(events: Iterable[Event]) -> set[str]:
    return {name for event in events for name in (*event.people, *event.payments)}


async def known_names(
    driver: "asyncpg.Connection[Any]", workspace: UUID, names: Iterable[str]
) -> dict[str, UUID]:
    """The customers behind names; names that nobody has are left out."""
    # One look-up a name by the primary key. Given the names as a list, a planner that has no
    # statistics yet reads all names of the workspace instead.
    rows = await driver.fetch(
        """
        SELECT k.name, n.customer_id FROM unnest($2::text[]) AS k (name)
        CROSS JOIN LATERAL (
          SELECT customer_id FROM customer_names
          WHERE workspace_id = $1 AND name = k.name LIMIT 1
        ) n
        """,
        workspace,
        sorted(names),
    )
    return {row["name"]: row["customer_id"] for row in rows}


async def owners(
    driver: "asyncpg.Connection[Any]", workspace: UUID, customers: Iterable[UUID]
) -> frozenset[UUID]:
    """Those of the customers who have an id of the workspace's own, erased ones included."""
    # The namespace stands in the text: by a parameter the planner would not use its index.
    rows = await driver.fetch(
        f"""
        SELECT k.id FROM unnest($2::uuid[]) AS k (id)
        CROSS JOIN LATERAL (
          SELECT FROM customer_names
          WHERE workspace_id = $1 AND customer_id = k.id AND namespace = '{OWN}' LIMIT 1
        ) n
        """,
        workspace,
        sorted(set(customers)),
    )
    return frozenset(row["id"] for row in rows)


def _clumps(
    events: Sequence[Event], known: Mapping[str, UUID], apart: Apart | None
) -> tuple[list[_Clump], list[Event], set[UUID]]:
    """Unions by shared names, in order of receipt; all names of a known customer are shared.

    Beside them `Sorted.refused` and `Sorted.namesakes`.
    """
    clumps: dict[str, _Clump] = {}
    refused: list[Event] = []
    namesakes: set[UUID] = set()
    for event in sorted(events, key=_receipt):
        names = {*event.people, *event.payments}
        if apart is not None:
            foreign = _foreign(event, clumps, known, apart)
            if not foreign.isdisjoint(event.payments):
                refused.append(event)
                continue
            namesakes |= {event.id} if foreign else set()
            names -= foreign
        labels = names | {f"{_CUSTOMER}{known[name]}" for name in names if name in known}
        joined = _Clump(labels, waiting=[event])
        met = {id(clumps[label]): clumps[label] for label in labels if label in clumps}
        # Whoever is known without news in this batch is somebody too.
        unmet = [label for label in labels - clumps.keys() if label.startswith(_CUSTOMER)]
        joined.joined = len(unmet) + sum(bool(other.events) for other in met.values()) > 1
        for other in met.values():
            joined.take(other)
        if any(name.startswith((PERSON, _CUSTOMER)) for name in joined.names):
            joined.events += [
                waited
                if waited.received_at >= event.received_at
                else replace(waited, received_at=event.received_at)
                for waited in joined.waiting
            ]
            joined.waiting = []
        for name in joined.names:
            clumps[name] = joined
    distinct = list({id(clump): clump for clump in clumps.values()}.values())
    for clump in distinct:
        clump.names = {name for name in clump.names if not name.startswith(_CUSTOMER)}
    return distinct, refused, namesakes


def _foreign(
    event: Event, clumps: Mapping[str, _Clump], known: Mapping[str, UUID], apart: Apart
) -> set[str]:
    """Its payments and addresses that are somebody else's, who has another own id."""
    marks = apart.own | {f"{_CUSTOMER}{customer}" for customer in apart.owners}
    # All names of whoever the event is about so far.
    named = set[str]()

    def around(name: str) -> set[str]:
        labels = {name} | ({f"{_CUSTOMER}{known[name]}"} if name in known else set())
        return labels.union(*(clumps[label].names for label in labels if label in clumps))

    for name in event.people:
        if name not in apart.emails:
            named |= around(name)
    foreign: set[str] = set()
    addresses = [name for name in event.people if name in apart.emails]
    for name in (*event.payments, *addresses):
        others = around(name)
        if not (named & others or named.isdisjoint(marks) or others.isdisjoint(marks)):
            foreign.add(name)
        else:
            named |= others
    return foreign


def _receipt(event: Event) -> tuple[datetime, UUID]:
    return (event.received_at, event.id)
