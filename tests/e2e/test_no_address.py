"""No visitor's address is written anywhere: not in Postgres, on disk, in logs or in metrics."""

import signal
import sys
from collections.abc import Iterator
from ipaddress import IPv4Network, ip_address
from pathlib import Path
from typing import Any

import asyncpg
import httpx

from tests.canary import spellings, where
from tests.e2e.client import BROWSER, GIVEN, Shop, open_shop, until
from tests.e2e.test_workers import alone
from tests.redirect.test_countries import database
from tests.service import Service, free_port, serve

FOUR, SIX = "198.51.203.77", "2001:db8:5eed:77:a11c:e5ee:d0de:cade"
TOLD_FOUR, TOLD_SIX = "198.51.203.91", "2001:db8:5eed:91:be11:e5ee:dead:f00d"
PROXIED = {"FINDERFEE_TRUSTED_PROXIES": "127.0.0.1/32", "FINDERFEE_LOG_LEVEL": "debug"}
PASSED_ON = (FOUR, SIX, f"{FOUR}:4711", f"[{SIX}]:4711", f"10.0.0.1, {SIX}")
"""As proxies write whom they speak for."""
COUNTRIES = {"198.51.203.0/24": "DE", "2001:db8:5eed::/48": "JP"}
SITE = "https://shop.example.com"
CLICKS = 5 * 5 + 2 + 5 * 2


async def test_an_address_is_looked_at_and_forgotten(
    tmp_path: Path, story_database_url: str
) -> None:
    metrics_port = free_port()
    known = database(tmp_path / "countries.mmdb", more=COUNTRIES)
    given = GIVEN | PROXIED | {"DATABASE_URL": story_database_url}
    given |= {"FINDERFEE_METRICS_PORT": str(metrics_port), "FINDERFEE_MAXMIND_DB": str(known)}
    data_dir = tmp_path / "data"
    # A connection a request, so that each goes to the process that takes any.
    once = httpx.Limits(max_keepalive_connections=0)
    with (
        serve(data_dir, "--workers", "2", environment=given) as service,
        httpx.Client(timeout=20, limits=once) as http,
    ):
        service.all_ready(2)
        shop = open_shop([service.url], http)
        shop.ask("PATCH", f"/programs/{shop.program}", {"keeps_network": True})
        code = shop.partner().code
        with alone(service, 1):
            came(service, shop, http, code)
        with alone(service, 2):
            opened(service, shop, http, code)
        await broke(service, shop, story_database_url)
        # Journals and salts as a crash leaves them, before they are drained and after.
        written = files(data_dir)
        until(lambda: clicks_of(shop) == CLICKS, "not drained", 20)
        written += files(data_dir)
        written.append(("metrics", httpx.get(f"http://127.0.0.1:{metrics_port}/metrics").content))
        service.stop(signal.SIGTERM)
    written += files(tmp_path)
    assert any(name == "log.txt" and b"api.ready" in text for name, text in written)
    # The bug that is provoked is told with all that a log tells of one.
    assert any(name == "log.txt" and b"UndefinedTable" in text for name, text in written)
    # What is looked for can be found: the browser's name stands in both processes' journals.
    for process in ("web-1", "web-2"):
        journals = [text for name, text in written if f"{process}/journal-" in name]
        assert any(BROWSER.encode() in text for text in journals), process
    for address in (FOUR, SIX, TOLD_FOUR, TOLD_SIX):
        for form in forms(address):
            assert await where(story_database_url, form) == [], form
            for name, text in written:
                assert not any(one.encode() in text for _, one in spellings(form)), (name, form)
    for address in (SIX, TOLD_SIX):
        # The lower half is enough to know it by, and too long to be met by chance.
        lower = ip_address(address).packed[8:]
        assert not [name for name, text in written if lower in text]
    await networks_alone(story_database_url)


def came(service: Service, shop: Shop, http: httpx.Client, code: str) -> None:
    """Requests of every kind from these addresses, good and bad."""
    for address in PASSED_ON:
        headers = {"X-Forwarded-For": address, "User-Agent": BROWSER}
        for extra in ({}, {"User-Agent": "Googlebot/2.1"}, {"Sec-Purpose": "prefetch"}):
            http.get(f"{service.url}/r/{code}?sub1=a", headers=headers | extra)
        http.head(f"{service.url}/r/{code}", headers=headers)
        http.get(f"{service.url}/r/{code}", headers=headers | {"Sec-GPC": "1"})
        http.get(f"{service.url}/i/{code}.gif", headers=headers)
        http.get(f"{service.url}/r/nobody-has-this", headers=headers)
        http.get(f"{service.url}/v1/partners", headers=headers)
        http.post(f"{service.url}/v1/track/sale", headers=headers, content=b"{")
        http.post(f"{service.url}/v1/webhooks/src_{'0' * 26}", headers=headers, content=b"{}")
    for address in (TOLD_FOUR, TOLD_SIX):
        told = {"code": code, "ip": address, "user_agent": BROWSER}
        shop.post("/track/click", told)
        shop.post("/track/click", told | {"code": "nobody-has-this"}, 404)
        shop.post("/track/click", told | {"ip": f"{address}/x"}, 422)
        shop.post("/track/click", told | {"url": 7}, 422)


def opened(service: Service, shop: Shop, http: httpx.Client, code: str) -> None:
    """Pages of a site with a publishable key, whose visitors these are; and what goes wrong."""
    wanted = {"name": "Site", "kind": "publishable", "origins": [SITE]}
    key = shop.post("/keys", wanted, 201)["key"]
    told = {"code": code, "url": f"{SITE}/?ref={code}", "referrer": "https://blog.example/"}
    for address in PASSED_ON:
        browser = {
            "Authorization": f"Bearer {key}", "Origin": SITE, "Referer": f"{SITE}/",
            "User-Agent": BROWSER, "X-Forwarded-For": address, "Sec-Fetch-Mode": "cors",
            "Sec-Fetch-Dest": "empty", "Sec-Fetch-Site": "cross-site",
        }  # fmt: skip
        for body, extra, status in (
            (told, {}, 200),
            (told, {"Sec-GPC": "1"}, 200),
            (told | {"code": "nobody-has-this"}, {}, 404),
            (told | {"url": 7}, {}, 422),
            (told | {"host": "no host"}, {}, 422),
            (told, {"Origin": "https://elsewhere.example"}, 403),
            (told, {"Authorization": f"Bearer {key}x"}, 401),
        ):
            answer = http.post(f"{service.url}/v1/track/click", headers=browser | extra, json=body)
            assert answer.status_code == status, answer.text
            if status >= 400:
                assert answer.headers["content-type"] == "application/problem+json"
                assert answer.json()["status"] == status


async def broke(service: Service, shop: Shop, database_url: str) -> None:
    """A request that meets a bug: a table that is not where it should be."""
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute("ALTER TABLE codes RENAME TO codes_away")
        for address in (FOUR, SIX):
            headers = {"Authorization": f"Bearer {shop.key}", "X-Forwarded-For": address}
            # Not by `http`: after a bug the connection is closed.
            answer = httpx.get(f"{service.url}/v1/codes", headers=headers, timeout=20)
            assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    finally:
        await connection.execute("ALTER TABLE codes_away RENAME TO codes")
        await connection.close()


def forms(address: str) -> Iterator[str]:
    """How programs write an address, beyond `canary.spellings`."""
    found = ip_address(address)
    yield address
    yield found.exploded
    yield found.packed.hex()
    yield str(int(found))
    yield str(int.from_bytes(found.packed, sys.byteorder))


def files(folder: Path) -> list[tuple[str, bytes]]:
    """Every file's bytes; some vanish while we look."""
    found = []
    for path in sorted(folder.rglob("*")):
        try:
            if path.is_file():
                found.append((str(path.relative_to(folder)), path.read_bytes()))
        except FileNotFoundError:
            continue
    return found


def clicks_of(shop: Shop) -> int:
    (link,) = shop.get("/links")["data"]
    counts: dict[str, int] = link["clicks"]
    return sum(counts.values())


async def networks_alone(database_url: str) -> None:
    """The program asked for networks; who asked for privacy and who told none has none."""
    connection = await asyncpg.connect(database_url)
    try:
        rows: list[Any] = await connection.fetch(
            "SELECT DISTINCT network, country FROM clicks WHERE network IS NOT NULL"
            " ORDER BY network, country"
        )
        # The database was asked for every one of them.
        assert {str(row["network"]): row["country"] for row in rows} == COUNTRIES
        assert len(rows) == len(COUNTRIES)
        assert isinstance(rows[0]["network"], IPv4Network)
        private = await connection.fetch(
            "SELECT network FROM clicks WHERE visitor IS NULL AND traffic_class IN (1, 2)"
        )
        assert private
        assert {row["network"] for row in private} == {None}
    finally:
        await connection.close()
