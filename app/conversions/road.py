"""Road 2: a batch of events, under the workspace's lane → decisions and the difference they make.

One set of queries gathers facts for all events, the core folds customer by customer, one set of
statements writes everything. One event is a batch of one.
"""

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import asyncpg

from app.conversions import facts, identities, surroundings
from app.conversions.decided import Batch, Decided, decide_step
from app.conversions.facts import Known
from app.conversions.identities import Someone
from app.conversions.record import write
from app.core.steps import next_step
from app.core.world import World
from app.db.tx import Tx


async def decide(tx: Tx, workspace: UUID, ids: Sequence[UUID]) -> int:
    """Decide events and what waited for them, and write the difference. tx: holds the lane.

    Gives the number of events that are settled now. Yields between customers, so that a web
    process answers others meanwhile.
    """
    driver = await tx.driver()
    counters = await facts.counters(driver, workspace)
    news = facts.News()
    news.add(await facts.fetch_news(driver, workspace, ids))
    if not news.events:
        return 0
    sorted_out = await _whose(driver, workspace, news)
    people = sorted_out.people
    recorded = await facts.known(
        driver, workspace, [c for p in people for c in (p.id, *p.absorbed) if not p.made]
    )
    knowns = [_united(person, recorded) for person in people]
    world = await _world(driver, workspace, people, knowns)
    batch = Batch(workspace, counters, sorted_out.orphans, news.contacts)
    for person, known in zip(people, knowns, strict=True):
        batch.decided.append(_decide_one(batch, person, known, world))
        await asyncio.sleep(0)
    await write(driver, batch)
    return len(batch.orphans) + sum(len(person.news) for person in people)


async def _whose(
    driver: "asyncpg.Connection[Any]", workspace: UUID, news: facts.News
) -> identities.Sorted:
    """Whose the events are, with every parked event that they set free."""
    latest = max(event.received_at for event in news.events)
    names = identities.names_of(news.events)
    asked: set[str] = set()
    while names - asked:
        freed = await facts.fetch_parked(driver, workspace, names - asked)
        asked |= names
        # What they say takes effect only now: it must not reach behind a close.
        news.add({**row, "received_at": max(row["received_at"], latest)} for row in freed)
        names = identities.names_of(news.events)
    known = await identities.known_names(driver, workspace, names)
    return identities.sort_out(news.events, known)


async def _world(
    driver: "asyncpg.Connection[Any]",
    workspace: UUID,
    people: Sequence[Someone],
    knowns: Sequence[Known],
) -> World:
    links: set[UUID] = set()
    bound: set[surroundings.Pair] = set()
    for person, known in zip(people, knowns, strict=True):
        links |= surroundings.links_of((*known.events.values(), *person.news))
        bound |= surroundings.bound_to(known.conversions.values())
    return await surroundings.gather(driver, workspace, links, bound)


def _united(person: Someone, recorded: dict[UUID, Known]) -> Known:
    """All that is recorded under any of a customer's former selves."""
    united = Known()
    for customer in (person.id, *person.absorbed):
        known = recorded.get(customer, Known())
        united.events |= known.events
        united.states |= known.states
        united.seen |= known.seen
        united.conversions |= known.conversions
        united.former |= known.former
        united.standings |= known.standings
        united.paid |= known.paid
    return united


def _decide_one(batch: Batch, person: Someone, known: Known, world: World) -> Decided:
    """Fold a customer's news, in as many steps as closes lie between them."""
    own = surroundings.part_for(
        world,
        surroundings.links_of((*known.events.values(), *person.news)),
        surroundings.bound_to(known.conversions.values()),
    )
    decided = Decided(person=person, known=known, world=own)
    left = list(person.news)
    while left:
        as_of, step = next_step(left, decided.conversions, own)
        decide_step(batch, decided, as_of, step)
        taken = {event.id for event in step}
        left = [event for event in left if event.id not in taken]
    return decided
