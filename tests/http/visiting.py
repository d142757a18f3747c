"""The road in front of the API, and clicks and impressions written without it at chosen times."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, datetime
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import httpx

from app.core.traffic import CLASSES
from app.ids import decode, encode, uuid7
from app.redirect.clicks import ClickStore
from app.redirect.folders import claim_folder, release_folder
from app.redirect.impression_store import store
from app.redirect.impressions import Batch
from app.redirect.journal_rows import JournalRow
from app.redirect.postgres import connect
from app.redirect.road import road
from app.settings import Settings
from tests.http.client import Api

BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@dataclass
class Site:
    """The road in front of the API, on the same database and with the same keys."""

    api: Api
    client: httpx.AsyncClient

    async def open(self, link: Any, query: str = "", **headers: str) -> str:
        """Follow a link; the click id that the visitor carries."""
        sent = {"user-agent": BROWSER, **{n.replace("_", "-"): v for n, v in headers.items()}}
        answer = await self.client.get(f"/r/{link['code']}{query}", headers=sent)
        assert answer.status_code == 302, answer.text
        (token,) = parse_qs(urlsplit(answer.headers["location"]).query)["click_id"]
        return token

    async def read(self, token: str) -> Any:
        """The click as soon as it can be read."""
        deadline = asyncio.get_running_loop().time() + 15
        while (answer := await self.api.send("GET", f"/clicks/{token}")).status_code == 404:
            assert asyncio.get_running_loop().time() < deadline, "never drained"
            await asyncio.sleep(0.05)
        assert answer.status_code == 200, answer.text
        return answer.json()


@asynccontextmanager
async def open_site(api: Api, url: str, data_dir: Path) -> AsyncIterator[Site]:
    settings = Settings(
        data_dir=data_dir,
        trusted_proxies=(ip_network("127.0.0.0/8"),),
        country_header="cf-ipcountry",
    )
    folder, keys = claim_folder(data_dir), api.app.state.secret_keys
    try:
        async with road(settings, database_url=url, keys=keys, folder=folder) as started:
            transport = httpx.ASGITransport(started.app(api.app))
            async with httpx.AsyncClient(transport=transport, base_url="http://go") as client:
                yield Site(api, client)
    finally:
        release_folder(folder)


async def write(
    url: str,
    link: Any,
    times: Sequence[datetime],
    traffic_class: str = "human",
    subs: bytes = b"",
) -> list[str]:
    """Clicks of chosen times, as the drain writes them; their ids."""
    number, link_id = CLASSES[traffic_class], decode("link", link["id"]).bytes
    rows = [
        JournalRow(number, clicked_at(at).bytes, link_id, b"Mozilla/5.0", b"", subs) for at in times
    ]
    async with connect(url, timeout_s=5) as connection:
        await ClickStore(connection).store(rows)
    return [encode("clk", UUID(bytes=row.click)) for row in rows]


def clicked_at(at: datetime) -> UUID:
    random = uuid7().int & ((1 << 62) - 1)
    return UUID(int=(round(at.timestamp() * 1000) << 80) | (7 << 76) | (2 << 62) | random)


async def show(url: str, link: Any, days: dict[date, int]) -> None:
    link_id, epoch = decode("link", link["id"]).bytes, date(1970, 1, 1)
    counts = {(link_id, (day - epoch).days, CLASSES["human"]): n for day, n in days.items()}
    async with connect(url, timeout_s=5) as connection:
        await store(connection, Batch(uuid7(), 1, counts))


async def all_pages(api: Api, path: str) -> list[Any]:
    found: list[Any] = []
    page = await api.get(path)
    while page["has_more"]:
        found += page["data"]
        page = await api.get(f"{path}&starting_after={page['data'][-1]['id']}")
    return [*found, *page["data"]]


async def until_impressions(api: Api, path: str, count: int) -> None:
    deadline = asyncio.get_running_loop().time() + 15
    while sum((await api.get(path))["impressions"].values()) < count:
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.05)


def iso(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
