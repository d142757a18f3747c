"""Postgres stops and comes back under a storm of webhooks: none is lost, none is stored twice."""

import asyncio
import shutil
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from sqlalchemy import make_url, text

from app.api import build
from app.db import embedded
from app.db.engine import Database
from app.db.migrate import upgrade
from app.secret_keys import SecretKeys
from app.settings import Settings
from tests.contract import stripe_objects as objects
from tests.contract.stripe_objects import refund
from tests.http.client import new_workspace
from tests.http.selling import Selling, open_selling, signature

EVENTS = 60


class Server:
    """A Postgres that comes back where it was, as others' do; the embedded one moves."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._short = Path(tempfile.mkdtemp(prefix="ff-"))

    def start(self) -> str:
        url = make_url(embedded.start(self._folder, fsync=False))
        where = self._short / "pg"
        where.unlink(missing_ok=True)
        where.symlink_to(str(url.query["host"]))
        return url.update_query_dict({"host": str(where)}).render_as_string(hide_password=False)

    def stop(self) -> None:
        embedded.stop(self._folder)

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self._short)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    made = Server(tmp_path)
    yield made
    made.remove()


@pytest.fixture
async def selling(server: Server) -> AsyncIterator[Selling]:
    url = await asyncio.to_thread(server.start)
    await upgrade(url)
    database = Database(url)
    keys = SecretKeys(["a key for tests, 32 characters long"])
    app = build(database, Settings(), keys, lambda: True)
    yield await open_selling(await new_workspace(app, database), database)
    await database.close()


async def deliver(selling: Selling, body: bytes, seen: Counter[int]) -> None:
    """As a provider does: until it is taken."""
    while True:
        answer = await selling.post(body, {"Stripe-Signature": signature(body)})
        seen[answer.status_code] += 1
        if answer.status_code == httpx.codes.OK:
            return
        assert answer.status_code == httpx.codes.SERVICE_UNAVAILABLE, answer.text
        assert int(answer.headers["retry-after"]) >= 1
        assert answer.headers["content-type"] == "application/problem+json"
        await asyncio.sleep(0.2)


async def test_webhooks_wait_for_postgres_and_are_stored_once(
    selling: Selling, server: Server
) -> None:
    bodies = [
        objects.encoded(objects.event("refund.created", refund(id=f"re_{n}"), livemode=True))
        for n in range(EVENTS)
    ]
    seen: Counter[int] = Counter()
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        for number, body in enumerate(bodies):
            group.create_task(deliver(selling, body, seen))
            if number == EVENTS // 3:
                await asyncio.to_thread(server.stop)
            await asyncio.sleep(0.01)
        for _ in range(100):
            if seen[httpx.codes.SERVICE_UNAVAILABLE]:
                break
            await asyncio.sleep(0.05)
        await asyncio.to_thread(server.start)
    assert seen[httpx.codes.OK] == EVENTS
    assert seen[httpx.codes.SERVICE_UNAVAILABLE] > 0
    async with selling.database.read() as read:
        rows = await read.all(text("SELECT external_id, conflicts FROM events"))
        kept = await read.scalar(text("SELECT count(*) FROM event_bodies"))
    assert (len(rows), len({row.external_id for row in rows}), kept) == (EVENTS, EVENTS, EVENTS)
    assert not any(row.conflicts for row in rows)
