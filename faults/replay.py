"""A replay of a long range while the worker that goes through it is killed.

The inbox holds what an older reader made nothing of; half of it is a sale by today's. Promised:
everything is looked at once, each sale is decided once, the worker's memory stays bounded, and
the same range again changes nothing.
"""

import random
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

import asyncpg
import httpx
import psutil

from app.core import click_token
from app.core.click_token import ClickToken
from app.ids import decode, first_at
from faults.intake import Selling, kill_worker, open_shop
from faults.stage import KEYS, Figures, Stage, promise, run, stage
from tests.contract import stripe_objects as objects
from tests.contract.stripe_invoices import invoice
from tests.e2e.client import command
from tests.service import Service

EVENTS: Final = 100_000
COMMISSION: Final = 2_000
"""Of one sale: 20 % of 100.00."""
MOST_MB: Final = 250
"""Of a worker's memory, all of it; the bodies alone of 100,000 events are 200 MB."""
DONE_S: Final = 1_800.0
_CHUNK: Final = 5_000
_SINCE: Final = timedelta(days=2)


def replay(seed: int, *, events: int = EVENTS, kills: int = 10) -> Figures:
    """`kill -9` of the worker 10 times while it replays 100,000 events."""
    with stage() as here, here.service() as service:
        return range_under_kills(here, service, seed, events=events, kills=kills)


def range_under_kills(
    here: Stage, service: Service, seed: int, *, events: int, kills: int
) -> Figures:
    with httpx.Client(timeout=60) as http:
        selling = open_shop(here, service, http)
        since = datetime.now(UTC) - _SINCE
        run(_store(here, selling, events, since))
        began = time.monotonic()
        done, worker_mb = _replayed(selling, service, since, kills, random.Random(seed))
        took_s = time.monotonic() - began
        sales = events // 2
        promise(done["matched"] == done["looked_at"] == events, f"{done}")
        promise(done["put_back"] == sales, f"{done['put_back']} of {sales} put back")
        service.until(lambda: _waiting(here) == 0, DONE_S)
        settled_s = time.monotonic() - began
        counted = _counted(here)
        promise(counted["applied"] == counted["conversions"] == sales, f"{counted}")
        promise(counted["owed"] == sales * COMMISSION, f"{counted}")
        again, _ = _replayed(selling, service, since, 0, random.Random(seed))
        promise((again["matched"], again["put_back"]) == (events - sales, 0), f"{again}")
        promise(_counted(here) == counted, f"{counted} became {_counted(here)}")
    status, printed = command(service, "verify", within_s=DONE_S, DATABASE_URL=here.url)
    promise(status == 0, printed)
    promise(worker_mb <= MOST_MB, f"a worker took {worker_mb:.0f} MB")
    return {
        "kills": kills,
        "events": events,
        "took_s": round(took_s),
        "settled_s": round(settled_s),
        "worker_mb": round(worker_mb),
        **counted,
        "verified": printed.strip().splitlines()[-1],
    }


def _replayed(
    selling: Selling, service: Service, since: datetime, kills: int, dice: random.Random
) -> tuple[dict[str, Any], float]:
    """Ask for the range and wait; the replay when it is done, and the most that a worker took."""
    until = datetime.now(UTC)
    body = {"from": since.isoformat(), "to": until.isoformat(), "state": "ignored"}
    told = selling.shop.post("/events/replay", body, 202)
    moments = sorted(dice.uniform(0, 1) for _ in range(kills))
    most_mb = 0.0
    began = time.monotonic()
    while told["finished_at"] is None:
        promise(time.monotonic() - began < DONE_S, f"{told}")
        time.sleep(0.1)
        most_mb = max(most_mb, _worker_mb(service))
        told = selling.shop.get(f"/events/replays/{told['id']}")
        if moments and told["looked_at"] >= moments[0] * told["matched"]:
            moments.pop(0)
            service.until(lambda: kill_worker(service), 30)
    return told, most_mb


def _worker_mb(service: Service) -> float:
    """Its memory now, if there is one."""
    with suppress(ValueError, psutil.NoSuchProcess):
        return service.child("app.worker").memory_info().rss / 1e6
    return 0.0


async def _store(here: Stage, selling: Selling, events: int, since: datetime) -> None:
    """As an older release left them: ignored, with nothing but their bytes."""
    source = str(decode("src", selling.shop.source))
    connection = await asyncpg.connect(here.url)
    try:
        for first in range(0, events, _CHUNK):
            numbers = range(first, min(first + _CHUNK, events))
            rows = [_message(n, since, selling.links) for n in numbers]
            await _insert(connection, selling.workspace, source, rows)
        await connection.execute("ANALYZE events")
    finally:
        await connection.close()


async def _insert(
    connection: asyncpg.Connection, workspace: UUID, source: str,
    rows: Sequence[tuple[UUID, str, bytes, datetime]],
) -> None:  # fmt: skip
    await connection.copy_records_to_table(
        "events",
        columns=(
            "workspace_id", "id", "source", "external_id", "type", "fingerprint", "state",
            "reasons", "waits_for", "attempts", "conflicts", "received_at",
        ),
        records=[
            (workspace, i, source, name, "older", "older", "ignored", "[]", [], 0, 0, at)
            for i, name, _, at in rows
        ],
    )  # fmt: skip
    await connection.copy_records_to_table(
        "event_bodies",
        columns=("workspace_id", "event_id", "body", "contact"),
        records=[(workspace, i, body, "{}") for i, _, body, _ in rows],
    )


def _message(
    number: int, since: datetime, links: Sequence[UUID]
) -> tuple[UUID, str, bytes, datetime]:
    """Id, the sender's id, bytes and receipt. Each second one is a sale of another customer."""
    at = since + timedelta(milliseconds=number)
    event_id = UUID(int=first_at(at).int | (uuid4().int >> 64 & (1 << 62) - 1))
    if number % 2:
        said = objects.event("plan.created", {"id": f"plan_{number}"}, created=int(at.timestamp()))
    else:
        earlier = first_at(at - timedelta(hours=1)).int
        click = UUID(int=earlier | 7 << 76 | 2 << 62 | number)
        token = click_token.sign(ClickToken(click, links[number % len(links)], "human"), KEYS)
        paid = invoice(
            id=f"in_{number}",
            customer=f"cus_{number}",
            subscription=f"sub_{number}",
            subscription_metadata={"click_id": token},
            paid_at=int(at.timestamp()),
            created=int(at.timestamp()),
        )
        said = objects.event("invoice.paid", paid, created=int(at.timestamp()))
    name = f"evt_{number}"
    return event_id, name, objects.encoded({**said, "id": name}), at


def _waiting(here: Stage) -> int:
    (row,) = here.rows("SELECT count(*) AS n FROM events WHERE state = 'received'")
    return int(row["n"])


def _counted(here: Stage) -> dict[str, int]:
    (row,) = here.rows("""
        SELECT (SELECT count(*) FROM events WHERE state = 'applied') AS applied,
          (SELECT count(*) FROM conversions) AS conversions,
          (SELECT count(*) FROM decisions) AS decisions,
          (SELECT sum(credits - debits)::bigint FROM accounts WHERE role <> 'expense') AS owed
    """)
    return dict(row)
