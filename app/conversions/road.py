"""Road 2: a batch of events, under the workspace's lane → decisions and the difference they make.

One set of queries gathers facts for all events, the core folds customer by customer, one set of
statements writes what is decided: half a batch while the other half is folded. One event is a
batch of one.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final
from uuid import UUID

import asyncpg

from app.apart import apart
from app.conversions import facts, identities, surroundings, tallying
from app.conversions.decided import Batch, Decided, decide_step
from app.conversions.facts import Known
from app.conversions.identities import Someone
from app.conversions.long_folds import LONG, cost_of_sale
from app.conversions.recording.numbered import write_counters
from app.conversions.recording.record import write
from app.conversions.surroundings import Everything, Wanted
from app.core.events import Event
from app.core.steps import next_step
from app.db.behind import Behind
from app.db.tx import Tx

PART: Final = 45
"""Customers whose decisions are written while the next ones are folded."""
_AT_ONCE: Final = 2
"""Customers folded before others get their turn, the write under way among them."""


async def decide(tx: Tx, workspace: UUID, ids: Sequence[UUID]) -> int:
    """Decide events and what waited for them, and write the difference. tx: holds the lane.

    Gives the number of events that are settled now. Yields every few customers, and long folds
    are made in a thread, so that a web process answers others meanwhile.
    """
    driver = await tx.driver()
    settled, postponed = await _decide_together(driver, workspace, ids)
    for event in postponed:
        settled += (await _decide_together(driver, workspace, [event]))[0]
    return settled


async def _decide_together(
    driver: "asyncpg.Connection[Any]", workspace: UUID, ids: Sequence[UUID]
) -> tuple[int, list[UUID]]:
    """One batch: how many it settled, and the events left out of it, in order of receipt.

    Left out are those of a known customer that turns out to be somebody else too: until the event
    that says so they are two, each with closes of its own, so their events are decided one by one.
    """
    counters = await facts.counters(driver, workspace, ids)
    news = facts.News()
    news.add(await facts.fetch_news(driver, workspace, ids))
    if not news.events:
        return 0, []
    sorted_out = await _whose(driver, workspace, news)
    people, postponed = together(sorted_out.people, set(ids))
    recorded = await facts.known(
        driver, workspace, [c for p in people for c in (p.id, *p.absorbed) if not p.made]
    )
    knowns = [_united(person, recorded) for person in people]
    world = await _world(driver, workspace, people, knowns)
    overtaken = await _overtaken(driver, workspace, ids, counters, people, knowns)
    if overtaken:
        return await _decide_together(driver, workspace, [*ids, *overtaken])
    tallies = await tallying.gather(
        driver,
        workspace,
        [(known, person.news) for person, known in zip(people, knowns, strict=True)],
        world.world,
        counters,
    )
    batch = Batch(
        workspace,
        counters,
        sorted_out.orphans,
        news.contacts,
        refused=sorted_out.refused,
        namesakes=sorted_out.namesakes,
        totals=dict(tallies.totals),
        kept=tallies.kept,
    )
    each = cost_of_sale(world.world)
    async with Behind() as behind:
        for n, (person, known) in enumerate(zip(people, knowns, strict=True)):
            if n and n % PART == 0:
                await behind.run(write(driver, batch.cut()))
            fold = partial(_decide_one, batch, person, known, world)
            is_long = each * (len(known.conversions) + len(person.news)) > LONG
            batch.decided.append(await apart(fold) if is_long else fold())
            if n % _AT_ONCE == 0:
                await asyncio.sleep(0)
        await behind.run(write(driver, batch.cut()))
    await write_counters(driver, workspace, counters)
    settled = len(sorted_out.orphans) + sum(len(person.news) for person in people)
    return settled + len(sorted_out.refused), postponed


async def _overtaken(
    driver: "asyncpg.Connection[Any]",
    workspace: UUID,
    ids: Sequence[UUID],
    counters: facts.Counters,
    people: Sequence[Someone],
    knowns: Sequence[Known],
) -> list[UUID]:
    """Events received earlier that wait still, if something of their customer closed since.

    `/v1/track` decides in the request while webhooks wait for the worker. Mostly that is no harm;
    but what was received before a close must not be decided after what was received behind it.
    """
    since = counters.waiting_since
    if since is None:
        return []
    behind = [
        (person, person.news[-1].received_at)
        for person, known in zip(people, knowns, strict=True)
        if any(
            # While nobody earns, it closes for each program at another time.
            c.hold_until is None or since <= c.hold_until < person.news[-1].received_at
            for c in known.conversions.values()
        )
    ]
    if not behind:
        return []
    customers = [c for person, _ in behind for c in (person.id, *person.absorbed)]
    until = max(received for _, received in behind)
    return await facts.waiting(driver, workspace, customers, until=until, but=ids)


def together(people: Sequence[Someone], asked: set[UUID]) -> tuple[list[Someone], list[UUID]]:
    """Who can be decided in one batch, and the events of the others, in order of receipt.

    asked: the events of the batch; what was parked before comes along with one of them.
    """
    at_once: list[Someone] = []
    apart: list[Event] = []
    for person in people:
        of_batch = [event for event in person.news if event.id in asked]
        if person.joined and len(of_batch) > 1:
            apart += of_batch
        else:
            at_once.append(person)
    apart.sort(key=lambda event: (event.received_at, event.id))
    return at_once, [event.id for event in apart]


async def _whose(
    driver: "asyncpg.Connection[Any]", workspace: UUID, news: facts.News
) -> identities.Sorted:
    """Whose the events are, with every parked event that they set free."""
    names = identities.names_of(news.events)
    asked: set[str] = set()
    while names - asked:
        freed = await facts.fetch_parked(driver, workspace, names - asked)
        asked |= names
        news.add(freed)
        names = identities.names_of(news.events)
    known = await identities.known_names(driver, workspace, names)
    sorted_out = identities.sort_out(news.events, known)
    apart = identities.in_clear(news.contacts.values())
    if identities.doubtful(sorted_out.people, apart):
        owners = await identities.owners(driver, workspace, known.values())
        sorted_out = identities.sort_out(news.events, known, replace(apart, owners=owners))
    return sorted_out


async def _world(
    driver: "asyncpg.Connection[Any]",
    workspace: UUID,
    people: Sequence[Someone],
    knowns: Sequence[Known],
) -> Everything:
    wanted = Wanted()
    for person, known in zip(people, knowns, strict=True):
        wanted.add((*known.events.values(), *person.news), known.conversions.values())
    return await surroundings.gather(driver, workspace, wanted)


def _united(person: Someone, recorded: dict[UUID, Known]) -> Known:
    """All that is recorded under any of a customer's former selves."""
    if not person.absorbed:
        return recorded.get(person.id) or Known()
    united = Known()
    for customer in (person.id, *person.absorbed):
        known = recorded.get(customer, Known())
        united.events |= known.events
        united.states |= known.states
        united.seen |= known.seen
        united.conversions |= known.conversions
        united.former |= known.former
        united.standings |= known.standings
        united.positions |= known.positions
    return united


def _decide_one(batch: Batch, person: Someone, known: Known, world: Everything) -> Decided:
    """Fold a customer's news, in as many steps as closes lie between them."""
    wanted = Wanted().add((*known.events.values(), *person.news), known.conversions.values())
    own = surroundings.part_for(world, wanted, {person.id, *person.absorbed})
    decided = Decided(person=person, known=known, world=own)
    left = list(person.news)
    while left:
        as_of, step = next_step(left, decided.conversions, own)
        decide_step(batch, decided, as_of, step)
        taken = {event.id for event in step}
        left = [event for event in left if event.id not in taken]
    return decided
