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
from tests.service import Service, free_port, serve

FOUR, SIX = "198.51.203.77", "2001:db8:5eed:77:a11c:e5ee:d0de:cade"
TOLD_FOUR, TOLD_SIX = "198.51.203.91", "2001:db8:5eed:91:be11:e5ee:dead:f00d"
PROXIED = {"FINDERFEE_TRUSTED_PROXIES": "127.0.0.1/32", "FINDERFEE_LOG_LEVEL": "debug"}
CLICKS = 5 * 5 + 2


async def test_an_address_is_looked_at_and_forgotten(
    tmp_path: Path, story_database_url: str, http: httpx.Client
) -> None:
    metrics_port = free_port()
    given = GIVEN | PROXIED | {"DATABASE_URL": story_database_url}
    given |= {"FINDERFEE_METRICS_PORT": str(metrics_port)}
    data_dir = tmp_path / "data"
    with serve(data_dir, environment=given) as service:
        service.ready("api")
        shop = open_shop([service.url], http)
        shop.ask("PATCH", f"/programs/{shop.program}", {"keeps_network": True})
        code = shop.partner().code
        came(service, shop, http, code)
        # Journals and salts as a crash leaves them, before they are drained and after.
        written = files(data_dir)
        until(lambda: clicks_of(shop) == CLICKS, "not drained", 20)
        written += files(data_dir)
        written.append(("metrics", httpx.get(f"http://127.0.0.1:{metrics_port}/metrics").content))
        service.stop(signal.SIGTERM)
    written += files(tmp_path)
    assert any(name == "log.txt" and b"api.ready" in text for name, text in written)
    assert any("journal-" in name for name, _ in written)
    # What is looked for can be found: the browser's name stands in the journal.
    assert any(BROWSER.encode() in text for name, text in written if "journal-" in name)
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
    for address in (FOUR, SIX, f"{FOUR}:4711", f"[{SIX}]:4711", f"10.0.0.1, {SIX}"):
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
                found.append((path.name, path.read_bytes()))
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
            "SELECT DISTINCT network FROM clicks WHERE network IS NOT NULL ORDER BY network"
        )
        assert [str(row["network"]) for row in rows] == ["198.51.203.0/24", "2001:db8:5eed::/48"]
        assert isinstance(rows[0]["network"], IPv4Network)
        private = await connection.fetch(
            "SELECT network FROM clicks WHERE visitor IS NULL AND traffic_class IN (1, 2)"
        )
        assert private
        assert {row["network"] for row in private} == {None}
    finally:
        await connection.close()
