"""`serve --workers 2`: each web process has its own journal and replica, and none is missed."""

import re
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import asyncpg
import httpx
import psutil
import pytest

from app.core.click_token import verify
from app.secret_keys import SecretKeys
from tests.e2e.client import GIVEN, SECRET_KEYS, metric, open_shop, until
from tests.service import Service, free_port, serve

CLICKS = 30


async def test_clicks_through_every_process_are_counted_once(
    tmp_path: Path, fresh_database_url: str, http: httpx.Client
) -> None:
    metrics = free_port()
    given = GIVEN | {
        "DATABASE_URL": fresh_database_url,
        "FINDERFEE_METRICS_PORT": str(metrics),
    }
    with serve(tmp_path / "data", "--workers", "2", environment=given) as service:
        service.all_ready(2)
        shop = open_shop([service.url], http)
        code = shop.partner().code
        folders = [service.data_dir / name for name in ("web-1", "web-2")]
        until(lambda: all((one / "links.sqlite").exists() for one in folders), "no replica")
        told: set[object] = set()
        for number in (1, 2):
            with alone(service, number):
                told |= opened(service, code, CLICKS)
        # What web-1 has not drained when it is killed is drained by whoever comes after it.
        with alone(service, 1):
            told |= opened(service, code, CLICKS)
            web(service, 1).send_signal(signal.SIGKILL)
        told |= opened(service, code, CLICKS)
        service.until(lambda: is_running(service, 1))
        assert len(told) == 4 * CLICKS
        # On a machine too slow to commit within a second, visitors are sent on, and this is told.
        unrecorded = metric(metrics, "finderfee_clicks_unrecorded_total")
        stored = await drained(fresh_database_url, len(told) - unrecorded)
        assert stored <= told
        assert len(told - stored) <= unrecorded
        # Handed on twice a second: what web-1 counted just before its death is not in it.
        service.until(lambda: 3 * CLICKS <= redirected(metrics) <= len(told))
        assert metric(metrics, 'finderfee_process_restarts_total{process="web-1"}') == 1


async def test_every_process_follows_a_change_within_a_second(
    tmp_path: Path, fresh_database_url: str, http: httpx.Client
) -> None:
    given = GIVEN | {"DATABASE_URL": fresh_database_url}
    with serve(tmp_path / "data", "--workers", "2", environment=given) as service:
        service.all_ready(2)
        shop = open_shop([service.url], http)
        (link,) = shop.get(f"/links?partner_id={shop.partner().id}")["data"]
        with ExitStack() as stack:
            # A connection stays with the process that took it.
            each = [stack.enter_context(httpx.Client(timeout=10)) for _ in range(2)]
            for number, client in enumerate(each, start=1):
                with alone(service, number):
                    assert leads(client, service, link["code"]).startswith("302 ")
            takers = [taker(service, client) for client in each]
            assert takers == [1, 2]

            def both_lead(to: str) -> None:
                until(
                    lambda: all(leads(one, service, link["code"]).startswith(to) for one in each),
                    f"not both lead to {to}",
                    within_s=1,
                )

            place = f"/links/{link['id']}"
            shop.ask("PATCH", place, {"destination": "https://shop.example.com/new"})
            both_lead("302 https://shop.example.com/new?")
            gone = http.delete(
                f"{service.url}/v1{place}", headers={"Authorization": f"Bearer {shop.key}"}
            )
            assert gone.is_success, gone.text
            both_lead("410 ")
            assert [taker(service, client) for client in each] == takers


def taker(service: Service, client: httpx.Client) -> int:
    """The number of the web process at the other end of this client's only connection."""
    answer = client.get(f"{service.url}/readyz")
    _, port = answer.extensions["network_stream"].get_extra_info("client_addr")
    (number,) = [
        number
        for number in (1, 2)
        for one in web(service, number).net_connections("tcp")
        if one.raddr and one.raddr.port == port
    ]
    return number


def leads(client: httpx.Client, service: Service, code: str) -> str:
    answer = client.get(f"{service.url}/r/{code}")
    return f"{answer.status_code} {answer.headers.get('location', '')}"


def redirected(port: int) -> float:
    return metric(port, 'finderfee_redirects_total{outcome="redirected"}')


@contextmanager
def alone(service: Service, number: int) -> Iterator[None]:
    """Only this web process takes connections while the block runs."""
    other = web(service, 3 - number)
    other.suspend()
    try:
        yield
    finally:
        other.resume()


def web(service: Service, number: int) -> psutil.Process:
    (found,) = [
        child
        for child in psutil.Process(service.process.pid).children()
        if child.status() != psutil.STATUS_ZOMBIE and f"web-{number}" in child.cmdline()
    ]
    return found


def is_running(service: Service, number: int) -> bool:
    try:
        return web(service, number).is_running()
    except ValueError:
        return False


def opened(service: Service, code: str, count: int) -> set[object]:
    """Click ids, each over a connection of its own and by a visitor of its own."""
    keys = SecretKeys([SECRET_KEYS]).click_keys
    ids: set[object] = set()
    for number in range(count):
        agent = {"user-agent": f"Mozilla/5.0 (X11; Linux x86_64) Firefox/{number + 100}.0"}
        answer = httpx.get(f"{service.url}/r/{code}", headers=agent, timeout=10)
        assert answer.status_code == 302
        found = re.search(r"click_id=([\w-]{60})", answer.headers["location"])
        token = verify(found[1], keys) if found else None
        assert token is not None
        ids.add(token.click_id)
    return ids


async def drained(url: str, count: float) -> set[object]:
    """The ids of the clicks in Postgres, once there are this many and all are counted."""
    connection = await asyncpg.connect(url)
    try:
        for _ in range(400):
            ids = {row["id"] for row in await connection.fetch("SELECT id FROM clicks")}
            counted = await connection.fetchval("SELECT sum(clicks) FROM link_clicks")
            if len(ids) >= count:
                assert counted == len(ids)
                return ids
            await connection.fetch("SELECT pg_sleep(0.05)")
    finally:
        await connection.close()
    pytest.fail(f"{len(ids)} of {count} clicks were drained")
