"""Road 2 under faults: every event three times, shuffled, what is about payments first.

Promised: each acknowledged event is there once, the ledger is what a pure fold of the events in
memory says, to the cent and on every account, and `verify` finds nothing.
"""

import random
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from uuid import UUID

import httpx
import psutil

from app.conversions import surroundings
from app.conversions.canon import received_event
from app.conversions.intake.understood import mapped_json
from app.conversions.providers import stripe
from app.conversions.providers.mapping import Mapped
from app.core.events import Event
from app.core.world import World
from app.db.engine import Database
from app.ids import uuid7
from app.program.workspaces.create import NewWorkspace, create
from faults.senders import Sent, sending
from faults.shoppers import Histories, histories
from faults.stage import KEYS, Figures, Stage, promise, run, stage
from tests.contract.stripe_objects import Json, encoded
from tests.core.pure_road import PureRoad
from tests.e2e.client import GIVEN, Shop, command, set_up
from tests.service import Service, serve

EVENTS = 10_000
TIMES = 3
PARTNERS = 5
SETTLED_S = 120.0
_WAITING = "SELECT 1 FROM events WHERE state = 'received' LIMIT 1"
_BALANCES = """
    SELECT id, credits - debits AS balance FROM accounts
    WHERE workspace_id = $1 AND credits <> debits
"""


@dataclass(frozen=True)
class Selling:
    """A shop with some partners. workspace: as the database has it."""

    shop: Shop
    workspace: UUID
    links: list[UUID]

    @property
    def webhooks(self) -> str:
        return f"{self.shop.urls[0]}/v1/webhooks/{self.shop.source}"


def workers(seed: int, *, events: int = EVENTS, kills: int = 20, servers: int = 3) -> Figures:
    """`kill -9` of one of two workers 20 times, and of Postgres' postmaster three times."""
    with stage(owned=True) as here, here.service() as service:
        return under_kills(here, service, seed, events=events, kills=(kills, servers))


def under_kills(
    here: Stage, service: Service, seed: int, *, events: int, kills: tuple[int, int]
) -> Figures:
    """kills: of workers, and of Postgres where it is the service's own."""
    dice = random.Random(seed)
    other = here.folder / "other" / "data"
    environment = GIVEN | {"DATABASE_URL": here.url}
    with (
        serve(other, "--role", "worker", environment=environment) as second,
        httpx.Client(timeout=30) as http,
    ):
        selling = open_shop(here, service, http)
        told = histories(dice, selling.links, events)
        began = time.monotonic()
        with sending(selling.webhooks, _shuffled(told, dice)) as sent:
            _kill([service, second], sent, dice, kills)
        sent_s = time.monotonic() - began
        settled_s = service.until(lambda: not _rows(here, _WAITING), SETTLED_S)
        figures = account(here, selling, told, sent)
        status, printed = command(service, "verify", DATABASE_URL=here.url)
        promise(status == 0, printed)
    return {
        "kills": kills[0],
        "of_postgres": kills[1],
        "sent_s": round(sent_s),
        "settled_s": round(settled_s, 1),
        "refused": dict(sent.refused),
        **figures,
        "verified": printed.strip().splitlines()[-1],
    }


def account(here: Stage, selling: Selling, told: Histories, sent: Sent) -> Figures:
    """Compare with what was sent; ends the run if a promise is broken."""
    missing = [name for name in told.events if sent.acknowledged[name] != TIMES]
    promise(not missing, f"{len(missing)} events not acknowledged {TIMES} times")
    twice = [name for name, ids in sent.ids.items() if len(ids) != 1]
    promise(not twice, f"{len(twice)} events have several ids")
    again = [name for name, new in sent.new.items() if new > 1]
    promise(not again, f"{len(again)} events were new more than once")
    rows = here.rows(
        "SELECT external_id, state, conflicts FROM events WHERE workspace_id = $1",
        selling.workspace,
    )
    stored = [row["external_id"] for row in rows]
    promise(sorted(stored) == sorted(told.events), f"{len(stored)} of {len(told.events)} stored")
    undecided = [row for row in rows if row["state"] not in {"applied", "ignored"}]
    promise(not undecided, f"{len(undecided)} events {undecided[:3]}")
    promise(not any(row["conflicts"] for row in rows), "events contradict themselves")
    expected = reference(here, selling, told.events.values())
    found = {row["id"]: row["balance"] for row in here.rows(_BALANCES, selling.workspace)}
    wrong = {i for i in expected.keys() | found.keys() if expected.get(i) != found.get(i)}
    promise(not wrong, f"{len(wrong)} of {len(expected)} accounts differ from the pure fold")
    (sold,) = here.rows(
        "SELECT count(*) AS conversions, (SELECT count(*) FROM commissions) AS commissions,"
        " (SELECT count(*) FROM decisions) AS decisions FROM conversions"
    )
    return {"events": len(stored), "deliveries": sum(sent.acknowledged.values()), **dict(sold)}


def reference(here: Stage, selling: Selling, payloads: Iterable[Json]) -> dict[UUID, int]:
    """Balances by account, folded in memory from the payloads in the order they were made in."""
    now = datetime.now(UTC)
    events = [event for one in payloads for event in _read(one, now)]
    pure = PureRoad(world=run(_world(here, selling, events)), workspace=selling.workspace)
    pure.receive(*events, now=now)
    promise(not pure.parked, f"the pure fold parks {len(pure.parked)}")
    return {ref.id: amount for ref, amount in pure.balances.items()}


def _read(payload: Json, now: datetime) -> list[Event]:
    meaning = stripe.read(encoded(payload), live=False, received_at=now)
    if not isinstance(meaning, Mapped):
        return []
    return [
        received_event(
            mapped_json(meaning, KEYS),
            event_id=uuid7(),
            source="stripe",
            external_id=meaning.external_id,
            received_at=now,
        )
    ]


async def _world(here: Stage, selling: Selling, events: Sequence[Event]) -> World:
    database = Database(here.url)
    try:
        async with database.read() as read:
            wanted = surroundings.Wanted().add(events, ())
            driver = await read.driver()
            return (await surroundings.gather(driver, selling.workspace, wanted)).world
    finally:
        await database.close()


def open_shop(here: Stage, service: Service, http: httpx.Client) -> Selling:
    made = run(_workspace(here))
    shop = set_up(Shop([service.url], made.key.key, http))
    codes = [shop.partner(f"Partner{n}").code for n in range(PARTNERS)]
    rows = here.rows("SELECT id FROM links WHERE host = '' AND code = ANY($1)", codes)
    return Selling(shop, made.id, [row["id"] for row in rows])


async def _workspace(here: Stage) -> NewWorkspace:
    database = Database(here.url)
    try:
        async with database.tx() as tx:
            return await create(tx, name="Shop", mode="test")
    finally:
        await database.close()


def _shuffled(told: Histories, dice: random.Random) -> list[Json]:
    """What is about payments first, then everything, in all three times."""
    names = list(told.events)
    first = sorted(told.late)
    rest = names * (TIMES - 1) + [name for name in names if name not in told.late]
    dice.shuffle(first)
    dice.shuffle(rest)
    return [told.events[name] for name in (*first, *rest)]


def _kill(
    services: Sequence[Service], sent: Sent, dice: random.Random, kills: tuple[int, int]
) -> None:
    """A worker after the other at random moments, Postgres now and then, while events come."""
    of_workers, of_postgres = kills
    postgres = set(dice.sample(range(of_workers), of_postgres))
    for number in range(of_workers):
        time.sleep(dice.uniform(0.3, 1.5))
        promise(not sent.over, f"all was sent before kill {number}: send more events")
        if number in postgres:
            services[0].postmaster().kill()
        victim = dice.choice(services)
        victim.until(partial(kill_worker, victim), 30)


def kill_worker(service: Service) -> bool:
    """Whether there was a worker to kill."""
    with suppress(ValueError, psutil.NoSuchProcess):
        service.child("app.worker").kill()
        return True
    return False


def _rows(here: Stage, statement: str) -> bool:
    """Whether there are any; also while Postgres starts again."""
    with suppress(OSError):
        return bool(here.rows(statement))
    return True
