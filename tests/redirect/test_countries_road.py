"""The country that Postgres has of a click, with a MaxMind database and a proxy in front."""

from ipaddress import ip_address
from pathlib import Path
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from app.redirect import countries
from app.redirect.journal_file import journals
from tests.canary import spellings, where
from tests.redirect.making import (
    BROWSER,
    Running,
    connected,
    drained,
    inner,
    make_link,
    running_road,
    until,
)
from tests.redirect.test_countries import database

GERMAN, JAPANESE, UNKNOWN = "203.0.113.179", "2001:db8:5eed:77:a11c:e5ee:d0de:cade", "8.8.8.8"
PROXIED: dict[str, Any] = {"trusted_proxies": "127.0.0.1/32", "country_header": "CF-IPCountry"}
EXPECTED = {
    "plain": (GERMAN, {}, "DE"),
    "six": (JAPANESE, {}, "JP"),
    "unknown": (UNKNOWN, {}, None),
    "header": (GERMAN, {"CF-IPCountry": "FR"}, "FR"),
    "unknown_header": (GERMAN, {"CF-IPCountry": "XX"}, "DE"),
    "header_alone": (UNKNOWN, {"CF-IPCountry": "FR"}, "FR"),
}


@pytest.fixture
def url(fresh_database_url: str) -> str:
    return fresh_database_url


async def test_a_click_has_the_country_of_whom_the_proxy_speaks_for(
    url: str, tmp_path: Path
) -> None:
    path = database(tmp_path / "c.mmdb")
    await make_link(url, "spring")
    async with connected(url) as connection:
        await connection.execute("UPDATE programs SET keeps_network = true")
    async with running_road(tmp_path / "data", url, maxmind_db=path, **PROXIED) as road:
        await road.ready()
        await road.knows("spring")
        for name, (address, headers, _) in EXPECTED.items():
            told = {"X-Forwarded-For": address} | headers
            await road.get(f"/r/spring?sub1={name}", headers=told)
        written = b"".join(one.read_bytes() for one in journals(road.folder))
        await drained(url, len(EXPECTED))
        assert await countries_in(url) == {n: one[2] for n, one in EXPECTED.items()}
        on_disk = written + b"".join(
            one.read_bytes() for one in (tmp_path / "data").rglob("*") if one.is_file()
        )
    for address in (GERMAN, JAPANESE):
        packed = ip_address(address).packed
        # What the program keeps of it: these are the clicks.
        assert packed[:3] in written
        # Four bytes may stand in 17 MB of digests by chance; in the clicks' journal they mustn't.
        assert packed not in written
        assert not [name for name, one in spellings(address) if one.encode() in on_disk]
        assert await where(url, address) == []
        assert await where(url, packed.hex()) == []
    assert ip_address(JAPANESE).packed[8:] not in on_disk


async def test_without_a_trusted_proxy_only_the_peers_own_address_counts(
    url: str, tmp_path: Path
) -> None:
    path = database(tmp_path / "c.mmdb")
    await make_link(url, "spring")
    header: dict[str, Any] = {"country_header": "CF-IPCountry"}
    async with running_road(tmp_path / "data", url, maxmind_db=path, **header) as road:
        await road.ready()
        await road.knows("spring")
        claims = {"X-Forwarded-For": JAPANESE, "CF-IPCountry": "FR", "User-Agent": BROWSER}
        async with visitor(road, GERMAN) as german:
            await german.get("/r/spring?sub1=german", headers=claims)
        async with visitor(road, UNKNOWN) as unknown:
            await unknown.get("/r/spring?sub1=unknown", headers=claims)
        await drained(url, 2)
    assert await countries_in(url) == {"german": "DE", "unknown": None}


async def test_a_database_is_taken_up_while_the_process_runs(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(countries, "_LOOK_S", 0.05)
    path = database(tmp_path / "c.mmdb")
    await make_link(url, "spring")
    with capture_logs() as logs:
        async with running_road(tmp_path / "data", url, maxmind_db=path, **PROXIED) as road:
            await road.ready()
            await road.knows("spring")
            await click(road, "first")
            database(path, german="AT")
            await until(lambda: count(logs, "countries.opened") == 2)
            await click(road, "replaced")
            (tmp_path / "bad").write_bytes(path.read_bytes()[:-200])
            (tmp_path / "bad").replace(path)
            await until(lambda: count(logs, "countries.unreadable") > 0)
            await click(road, "damaged")
            path.unlink()
            before = count(logs, "countries.unreadable")
            await until(lambda: count(logs, "countries.unreadable") > before)
            await click(road, "removed")
            database(path, german="CH")
            await until(lambda: count(logs, "countries.opened") == 3)
            await click(road, "back")
            await drained(url, 5)
    assert await countries_in(url) == {
        "first": "DE", "replaced": "AT", "damaged": "AT", "removed": "AT", "back": "CH",
    }  # fmt: skip
    assert count(logs, "task.failed") == 0


@pytest.mark.parametrize("damage", ["missing", "folder", "empty", "cut", "spoiled"])
async def test_a_start_without_a_readable_database_is_told_and_goes_on(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    monkeypatch.setattr(countries, "_LOOK_S", 0.05)
    path = tmp_path / "c.mmdb"
    spoil(path, damage)
    await make_link(url, "spring")
    with capture_logs() as logs:
        async with running_road(tmp_path / "data", url, maxmind_db=path, **PROXIED) as road:
            assert [
                (one["log_level"], one["path"])
                for one in logs
                if one["event"] == "countries.unreadable"
            ][:1] == [("error", str(path))]
            await road.ready()
            await road.knows("spring")
            await click(road, "before")
            if damage == "folder":
                path.rmdir()
            database(path)
            await until(lambda: count(logs, "countries.opened") == 1)
            await click(road, "after")
            await drained(url, 2)
    assert await countries_in(url) == {"before": None, "after": "DE"}


def spoil(path: Path, damage: str) -> None:
    if damage == "missing":
        return
    if damage == "folder":
        path.mkdir()
        return
    whole = database(path).read_bytes()
    at = whole.index(b"binary_format_major_version")
    spoiled = whole[:at] + b"\xff" * 9 + whole[at + 9 :]
    path.write_bytes({"empty": b"", "cut": whole[: len(whole) // 2], "spoiled": spoiled}[damage])


def visitor(road: Running, address: str) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(road.road.app(inner), client=(address, 4711))
    return httpx.AsyncClient(transport=transport, base_url="http://go.example")


async def click(road: Running, name: str) -> None:
    await road.get(f"/r/spring?sub1={name}", headers={"X-Forwarded-For": GERMAN})


def count(logs: list[Any], event: str) -> int:
    return sum(one["event"] == event for one in logs)


async def countries_in(url: str) -> dict[str, str | None]:
    """By the clicks' sub-id."""
    async with connected(url) as connection:
        rows = await connection.fetch("SELECT subs, country FROM clicks ORDER BY id")
    return {row["subs"].removeprefix("sub1="): row["country"] for row in rows}
