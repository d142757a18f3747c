"""Road 2 under faults: every event three times, shuffled, what is about payments first.

Promised: each acknowledged event is there once; every decision, account and partner's total is
what a pure fold of the payloads in memory gives, to the cent, though what a sale earns hangs on
what others bought; no cap is exceeded, each past period is settled once, `verify` finds nothing.
"""

import random
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final
from uuid import UUID

import httpx
import psutil

from app.core.plans import parse
from app.core.tallies import BASE, TallyKey
from app.core.true_up import Period, settles_at
from app.db.engine import Database
from app.ledger.mature import GRACE_S
from app.program.workspaces.create import NewWorkspace, create
from faults.reference import followed, totals_of, waiting_for_disputes
from faults.senders import Sent, sending
from faults.shoppers import Histories, histories
from faults.stage import Figures, Stage, promise, run, stage
from faults.terms import SHARED
from tests.contract.stripe_objects import Json
from tests.core.pure_road import PureRoad
from tests.e2e.client import GIVEN, Shop, command, set_up
from tests.service import Service, serve

EVENTS = 10_000
TIMES = 3
PARTNERS = 5
DAYS: Final = 330
"""Before today, in which half of the customers lived."""
SETTLED_S = 120.0
_WAITING = "SELECT 1 FROM events WHERE state = 'received' LIMIT 1"
_UNSETTLED = """
    SELECT 1 FROM tallies u WHERE settled_no IS NULL AND name LIKE 'base:%' AND currency <> ''
    AND to_date(period, 'YYYY-MM') + interval '1 month 14 days 10 seconds' < now() AND NOT EXISTS (
      SELECT 1 FROM commissions c WHERE c.workspace_id = u.workspace_id AND c.held > 0
      AND c.partner_id = u.partner_id AND to_char(c.occurred_at, 'YYYY-MM') = u.period
    )
    UNION ALL SELECT 1 FROM commissions WHERE conversion_id IS NULL AND matured_at IS NULL LIMIT 1
"""
"""Past months that are to be settled yet, and those whose rest is not payable yet."""
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
    here: Stage,
    service: Service,
    seed: int,
    *,
    events: int,
    kills: tuple[int, int],
    days: int = DAYS,
) -> Figures:
    """kills: of workers, and of Postgres where it is the service's own. days: as of `histories`."""
    dice = random.Random(seed)
    other = here.folder / "other" / "data"
    environment = GIVEN | {"DATABASE_URL": here.url}
    with (
        serve(other, "--role", "worker", environment=environment) as second,
        httpx.Client(timeout=30) as http,
    ):
        selling = open_shop(here, service, http, SHARED)
        told = histories(dice, selling.links, events, days)
        began = time.monotonic()
        with sending(selling.webhooks, _shuffled(told, dice)) as sent:
            _kill([service, second], sent, dice, kills)
        sent_s = time.monotonic() - began
        settled_s = service.until(lambda: not _rows(here, _WAITING), SETTLED_S)
        service.until(lambda: not _rows(here, _UNSETTLED), SETTLED_S)
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
    pure = followed(here, selling.workspace, told.events)
    (sold,) = here.rows(
        "SELECT count(*) AS conversions, (SELECT count(*) FROM commissions) AS commissions,"
        " (SELECT count(*) FROM decisions) AS decisions FROM conversions"
    )
    return {
        "events": len(stored),
        "deliveries": sum(sent.acknowledged.values()),
        **dict(sold),
        **_same_money(here, selling, pure),
        **_periods_settled(here, selling, pure),
    }


def _same_money(here: Stage, selling: Selling, pure: PureRoad) -> Figures:
    """Every account and every total of a partner, against the pure fold."""
    pure.mature_true_ups()
    expected = {ref.id: amount for ref, amount in pure.balances.items()}
    found = {row["id"]: row["balance"] for row in here.rows(_BALANCES, selling.workspace)}
    wrong = {i for i in expected.keys() | found.keys() if expected.get(i) != found.get(i)}
    promise(not wrong, f"{len(wrong)} of {len(expected)} accounts differ from the pure fold")
    rows = here.rows("SELECT * FROM tallies WHERE workspace_id = $1", selling.workspace)
    tallied = {_key(row): row["total"] for row in rows if row["total"]}
    sums = totals_of(pure)
    wrong_sums = {key for key, _ in tallied.items() ^ sums.items()}
    promise(not wrong_sums, f"{len(wrong_sums)} of {len(sums)} totals are no sums of what stands")
    return {"accounts": len(expected), "totals": len(sums)}


def _periods_settled(here: Stage, selling: Selling, pure: PureRoad) -> Figures:
    """Each past month of a partner has been settled, or waits for a dispute; and once."""
    now = datetime.now(UTC) - timedelta(seconds=GRACE_S)
    terms = parse(SHARED)
    due = {
        Period(
            program_id=key.program_id,
            partner_id=key.partner_id,
            rule_id=key.name.removeprefix(BASE),
            within=key.period,
            currency=key.currency,
        )
        for key in pure.totals
        if key.name.startswith(BASE) and key.currency and settles_at(terms, key.period) < now
    }
    left = due - pure.true_ups.keys()
    promise(left <= waiting_for_disputes(pure), f"{len(left)} of {len(due)} periods not settled")
    rows = here.rows(
        "SELECT amount FROM commissions WHERE workspace_id = $1 AND conversion_id IS NULL",
        selling.workspace,
    )
    paid = sorted(row["amount"] for row in rows)
    wanted = sorted(one.amount for one in pure.true_ups.values() if one.amount)
    promise(paid == wanted, f"{len(paid)} periods were paid for, not {len(wanted)}")
    return {"settled": len(pure.true_ups), "disputed": len(left), "true_ups": len(paid)}


def _key(row: Any) -> TallyKey:
    return TallyKey(*(row[name] for name in TallyKey._fields))


def open_shop(
    here: Stage, service: Service, http: httpx.Client, terms: Json | None = None
) -> Selling:
    """terms: of the program's plan; 20 % of each sale if none are given."""
    made = run(_workspace(here))
    shop = set_up(Shop([service.url], made.key.key, http))
    if terms is not None:
        (program,) = shop.get("/programs")["data"]
        named = ("currency", "destination_hosts", "default_destination")
        told = {name: program[name] for name in named}
        shop.program = shop.post("/programs", {**told, "name": "Shared", "plan": terms}, 201)["id"]
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
