"""Holes are filled from the provider's own list; against a server that speaks Stripe's endpoint."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from app.api import build
from app.conversions.intake import inbox
from app.conversions.sources import listing, reconcile
from app.db.engine import Database
from app.secret_keys import SecretKeys
from app.settings import Settings
from tests.contract import stripe_objects as objects
from tests.contract.stripe_objects import checkout_session
from tests.http.client import new_workspace
from tests.http.selling import Selling, open_selling, verified

KEY = "rk_live_0123456789abcdef"
LEGAL = {"limit", "created[gte]", "created[lte]", "starting_after"}


class Stripe:
    """`GET /v1/events`: newest first, by `created`, from behind `starting_after`."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.asked: list[dict[str, str]] = []
        self.answers: list[bytes] = []
        """Given in place of pages, the first one first."""
        self.meanwhile: Callable[[], Awaitable[Any]] | None = None
        """What happens before the next answer."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        target = head.split(" ", 2)[1]
        assert urlsplit(target).path == "/v1/events"
        query = {name: text for name, (text,) in parse_qs(urlsplit(target).query).items()}
        assert query.keys() <= LEGAL
        self.asked.append(query)
        if self.meanwhile is not None:
            await self.meanwhile()
        if self.answers:
            writer.write(self.answers.pop(0))
        elif f"authorization: bearer {KEY.lower()}" not in head.lower():
            writer.write(answered(b'{"error": {}}', "401 Unauthorized"))
        else:
            writer.write(answered(orjson.dumps(self.page(query))))
        writer.close()

    def page(self, query: dict[str, str]) -> dict[str, Any]:
        since, until = int(query["created[gte]"]), int(query["created[lte]"])
        found = [one for one in self.events if since <= one["created"] <= until]
        found.sort(key=lambda one: one["created"], reverse=True)
        if after := query.get("starting_after"):
            found = found[[one["id"] for one in found].index(after) + 1 :]
        limit = int(query["limit"])
        return {"object": "list", "data": found[:limit], "has_more": len(found) > limit}


def answered(body: bytes, status: str = "200 OK", more: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{more}\r\n".encode() + body


@pytest.fixture
async def stripe() -> AsyncIterator[tuple[Stripe, str]]:
    made = Stripe()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    yield made, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()


@pytest.fixture
async def app(fresh_database: Database, stripe: tuple[Stripe, str]) -> FastAPI:
    keys = SecretKeys(["a key for tests, 32 characters long"])
    return build(fresh_database, Settings(stripe_api=stripe[1]), keys, lambda: True)


@pytest.fixture
async def selling(app: FastAPI, fresh_database: Database) -> AsyncIterator[Selling]:
    made = await open_selling(await new_workspace(app, fresh_database), fresh_database)
    await made.api.patch(f"/sources/{made.source['id']}", {"api_key": KEY})
    yield made
    await verified(made)


def sold(selling: Selling, number: int, age_s: int = 60) -> dict[str, Any]:
    created = int(time.time()) - age_s
    session = checkout_session(
        f"cs_{number}",
        client_reference_id=selling.click(),
        created=created,
        customer=f"cus_{number}",
        payment_intent=f"pi_{number}",
    )
    return objects.event("checkout.session.completed", session, livemode=True, created=created)


async def work(selling: Selling) -> None:
    """What the worker does until nothing is due."""
    state = selling.api.app.state
    while await reconcile.go_on(selling.database, state.secret_keys, state.settings):
        continue
    while await inbox.settle(selling.database, selling.workspace):
        continue


async def asked_for(selling: Selling, since: int, until: int) -> Any:
    span = {"from": instant(since), "to": instant(until)}
    path = f"/sources/{selling.source['id']}"
    told = await selling.api.post(f"{path}/reconcile", span, status=202)
    assert (told["listed"], told["finished_at"]) == (0, None)
    await work(selling)
    return await selling.api.get(f"{path}/reconciliations/{told['id']}")


def instant(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()


def counts(done: Any) -> tuple[int, int, int]:
    return done["listed"], done["known"], done["filled"]


async def test_holes_are_filled_page_by_page_and_once(
    selling: Selling, stripe: tuple[Stripe, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "PAGE", 3)
    now = int(time.time())
    stripe[0].events = [sold(selling, n, age_s=60 + n) for n in range(8)]
    stripe[0].events.append(objects.event("plan.created", {"id": "p"}, created=now - 30))
    stripe[0].events.append(sold(selling, 99, age_s=7_200))
    for known in (2, 5):
        await selling.webhook(stripe[0].events[known])
    done = await asked_for(selling, now - 3_600, now)
    # What we don't take is not stored, what came by webhook not twice, what is older not listed.
    assert counts(done) == (8, 2, 6)
    assert (done["problem"], done["finished_at"] is None, done["hourly"]) == ("", False, False)
    assert [query.get("starting_after", "") != "" for query in stripe[0].asked] == [0, 1, 1]
    stored = await selling.stored()
    assert (stored["events"], stored["conversions"]) == (8, 8)
    assert counts(await asked_for(selling, now - 3_600, now)) == (8, 8, 0)
    assert await selling.stored() == stored
    # The webhook that comes after all is the same event.
    late = await selling.webhook(stripe[0].events[0])
    assert (late["conflicts"], (await selling.stored())["events"]) == (0, 8)


async def test_each_hour_goes_on_where_the_last_one_ended(
    selling: Selling, stripe: tuple[Stripe, str]
) -> None:
    stripe[0].events = [sold(selling, 1)]
    await reconcile.begin_hourly(selling.database)
    await reconcile.begin_hourly(selling.database)
    await work(selling)
    path = f"/sources/{selling.source['id']}"
    (done,) = (await selling.api.get(f"{path}/reconciliations"))["data"]
    assert (counts(done), done["hourly"]) == ((1, 0, 1), True)
    assert (await selling.api.get(path))["reconciled_to"] == done["to"]
    await reconcile.begin_hourly(selling.database)
    await work(selling)
    (again, _) = (await selling.api.get(f"{path}/reconciliations"))["data"]
    overlap = datetime.fromisoformat(done["to"]) - datetime.fromisoformat(again["from"])
    assert (counts(again), overlap) == ((1, 1, 0), reconcile.OVERLAP)


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (answered(b"{}", "401 Unauthorized"), "It answered with status 401."),
        (answered(b"", "302 Found", "Location: http://127.0.0.1:1/\r\n"), ""),
        (answered(b"{}", "429 Too Many", "Retry-After: 0\r\n"), ""),
        (answered(b"{}", "500 Broken"), ""),
        (answered(b"nonsense"), ""),
        (answered(b"[]"), ""),
        (answered(b"{}"), ""),
        (answered(b'{"data": [5]}'), ""),
        (answered(b"[" * 100_000), ""),
        (b"nonsense\r\n\r\n", ""),
        (b"", ""),
    ],
)
async def test_what_is_no_page_is_asked_for_again_or_given_up(
    selling: Selling, stripe: tuple[Stripe, str], answer: bytes, problem: str
) -> None:
    """A refusal ends it; anything else is tried again, later each time."""
    stripe[0].events = [sold(selling, 1)]
    stripe[0].answers = [answer]
    now = int(time.time())
    done = await asked_for(selling, now - 3_600, now)
    assert counts(done) == (0, 0, 0)
    assert done["problem"].startswith("It ")
    assert (done["finished_at"] is not None, problem in done["problem"]) == (problem != "", True)
    async with selling.database.tx() as tx:
        await tx.execute(text("UPDATE reconciliations SET next_at = now()"))
    await work(selling)
    path = f"/sources/{selling.source['id']}/reconciliations/{done['id']}"
    again = await selling.api.get(path)
    assert counts(again) == ((0, 0, 0) if problem else (1, 0, 1))
    assert again["finished_at"] is not None


async def test_a_page_that_cannot_be_stored_is_given_up_after_some_tries(
    selling: Selling, stripe: tuple[Stripe, str]
) -> None:
    """Seen from outside, later each time; the next hour's round begins nevertheless."""
    stripe[0].events = [sold(selling, 1)]
    await _run(
        selling,
        "CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql"
        " AS 'BEGIN RAISE EXCEPTION USING MESSAGE = ''a name''; END'",
        "CREATE TRIGGER broken BEFORE INSERT ON events EXECUTE FUNCTION broken()",
    )
    await reconcile.begin_hourly(selling.database)
    path, pauses = f"/sources/{selling.source['id']}", []
    for _ in range(reconcile.MOST_ATTEMPTS):
        await work(selling)
        (tried,) = (await selling.api.get(f"{path}/reconciliations"))["data"]
        assert "could not store" in tried["problem"]
        assert "a name" not in tried["problem"]
        pause = "SELECT next_at - clock_timestamp() FROM reconciliations"
        pauses.append(await _run(selling, pause))
        await _run(selling, "UPDATE reconciliations SET next_at = now()")
    assert tried["finished_at"] is not None
    assert all(b > a + a / 2 for a, b in pairwise(pauses))
    assert pauses[0] > timedelta(seconds=reconcile.STORING_PAUSE_S - 5)
    await _run(selling, "DROP TRIGGER broken ON events")
    await reconcile.begin_hourly(selling.database)
    await work(selling)
    (again, _) = (await selling.api.get(f"{path}/reconciliations"))["data"]
    assert (counts(again), again["problem"]) == ((1, 0, 1), "")


async def test_a_slow_try_that_fails_opens_nothing_again(
    selling: Selling, stripe: tuple[Stripe, str]
) -> None:
    """Its lease had ended, and another worker came to the end before it."""
    stripe[0].answers = [answered(b"{}", "500 Broken")]
    ended = "UPDATE reconciliations SET finished_at = now()"
    stripe[0].meanwhile = lambda: _run(selling, ended)
    now = int(time.time())
    done = await asked_for(selling, now - 3_600, now)
    assert (done["finished_at"] is not None, done["problem"]) == (True, "")


async def _run(selling: Selling, *statements: str) -> Any:
    """What the last one's only row tells, if it tells something."""
    told = None
    async with selling.database.tx() as tx:
        driver = await tx.driver()
        for statement in statements:
            told = await driver.fetchval(statement)
    return told


async def test_only_a_source_with_a_key_and_a_sensible_span_is_asked(
    selling: Selling, stripe: tuple[Stripe, str]
) -> None:
    path, now = f"/sources/{selling.source['id']}", int(time.time())
    for span in ((now, now), (now - 86_400 * 32, now), (now, now - 5)):
        wrong = {"from": instant(span[0]), "to": instant(span[1])}
        await selling.api.post(f"{path}/reconcile", wrong, status=422)
    await selling.api.patch(path, {"api_key": None})
    span_ = {"from": instant(now - 60), "to": instant(now)}
    problem = await selling.api.post(f"{path}/reconcile", span_, status=409)
    assert "api_key" in problem["detail"]
    await reconcile.begin_hourly(selling.database)
    await work(selling)
    assert stripe[0].asked == []
    answer = await selling.api.send("PATCH", path, json={"api_key": KEY})
    assert KEY not in answer.text
