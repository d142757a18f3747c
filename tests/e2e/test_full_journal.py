"""A node whose journals have used up their budget: visitors are sent on, and it tells of it."""

import asyncio
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import httpx

from app.core.click_token import verify
from app.secret_keys import SecretKeys
from tests.e2e.client import GIVEN, SECRET_KEYS, metric
from tests.redirect.making import BROWSER, clicks_in, gate_to, make_link
from tests.service import Service, free_port, serve

KEYS = SecretKeys([SECRET_KEYS]).click_keys
BUDGET = 200_000
WHILE_FULL = 20


async def test_visitors_are_sent_on_past_the_budget_and_recorded_once_there_is_room(
    tmp_path: Path, fresh_database_url: str
) -> None:
    await make_link(fresh_database_url, "spring")
    metrics = free_port()
    async with gate_to(fresh_database_url) as gate, httpx.AsyncClient(timeout=20) as http:
        given = GIVEN | {
            "DATABASE_URL": gate.url,
            "FINDERFEE_JOURNAL_MAX_BYTES": str(BUDGET),
            "FINDERFEE_METRICS_PORT": str(metrics),
        }
        with serve(tmp_path / "data", "--role", "redirect", environment=given) as service:
            await ready(service)
            recorded = {await opened(http, service)}
            await gate.shut()
            while not times_full(service):
                recorded.add(await opened(http, service))
                assert len(recorded) < BUDGET / 100
            before = unrecorded(metrics)
            sent_on = {await opened(http, service) for _ in range(WHILE_FULL)}
            assert service.get("/readyz/redirect") == 503
            assert unrecorded(metrics) == before + WHILE_FULL
            assert times_full(service) == 1

            await gate.open()
            await ready(service)
            after = {await opened(http, service) for _ in range(WHILE_FULL)}
            # A machine too slow to commit within a second tells of it, too.
            slow = '"journal.overdue"' in service.log.read_text()
            assert slow or unrecorded(metrics) == before + WHILE_FULL
            async with asyncio.timeout(20):
                while not after <= (stored := await stored_in(fresh_database_url)):
                    await asyncio.sleep(0.1)
    told = recorded | sent_on | after
    assert stored <= told
    assert not stored & sent_on
    assert len(recorded - stored) <= before


async def ready(service: Service) -> None:
    """In a thread: the way to Postgres is this one's."""
    await asyncio.to_thread(service.ready, "redirect")


def times_full(service: Service) -> int:
    return service.log.read_text().count('"journal.full"')


def unrecorded(port: int) -> float:
    return metric(port, "finderfee_clicks_unrecorded_total")


async def opened(http: httpx.AsyncClient, service: Service) -> UUID:
    """The click that a visitor was sent on with."""
    headers = {"user-agent": BROWSER, "referer": f"https://blog.example/{'page/' * 100}"}
    answer = await http.get(f"{service.url}/r/spring", headers=headers)
    assert answer.status_code == 302, answer.text
    (text,) = parse_qs(urlsplit(answer.headers["location"]).query)["click_id"]
    token = verify(text, KEYS)
    assert token is not None
    return token.click_id


async def stored_in(url: str) -> set[UUID]:
    return {click["id"] for click in await clicks_in(url)}
