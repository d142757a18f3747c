"""What each kind of visit becomes: its answer, the class in its token, and both in Postgres."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from app.core.traffic import NAMES, REASON_NAMES
from tests.redirect.making import (
    BROWSER,
    connected,
    drained,
    make_link,
    running_road,
    token_of,
    until,
)

VISITS: list[tuple[str, dict[str, str], str, str]] = [
    ("GET", {}, "human", "none"),
    ("GET", {"sec-fetch-dest": "document"}, "duplicate", "same_visitor"),
    ("GET", {"sec-fetch-dest": "image"}, "embedded", "embedded_image"),
    ("GET", {"sec-purpose": "prefetch;prerender"}, "prefetch", "sec_purpose"),
    ("GET", {"x-purpose": "preview"}, "prefetch", "x_purpose"),
    ("HEAD", {}, "head", "head_method"),
    ("GET", {"user-agent": "WhatsApp/2.24.13.78 A"}, "preview", "agent_preview"),
    ("GET", {"user-agent": "Googlebot/2.1"}, "bot", "agent_search"),
    ("GET", {"user-agent": "curl/8.8.0"}, "bot", "agent_tool"),
    ("GET", {"user-agent": ""}, "bot", "agent_empty"),
    ("GET", {"user-agent": f"{BROWSER} Instagram 335.0"}, "human", "none"),
]


@pytest.fixture
def url(fresh_database_url: str) -> str:
    return fresh_database_url


async def test_each_visit_is_recorded_with_class_and_reason(url: str, tmp_path: Path) -> None:
    await make_link(url, "spring")
    told = []
    async with running_road(tmp_path, url) as road:
        await road.ready()
        # Without the day's salt nobody is known again.
        salts = road.road.visits.salts
        await until(lambda: salts.today(time.time()) is not None)
        for method, headers, name, _ in VISITS:
            await asyncio.sleep(0.002)  # ids of one millisecond are in no order
            answer = await road.client.request(method, "/r/spring", headers=headers)
            assert answer.status_code == (503 if name == "prefetch" else 302)
            if answer.status_code == 302:
                told.append(token_of(answer.headers["location"]))
        await drained(url, len(VISITS))
    found = await classes_in(url)
    assert [named for _, *named in found] == [[name, reason] for *_, name, reason in VISITS]
    by_id = {click: name for click, name, _ in found}
    assert [token.traffic_class for token in told] == [by_id[token.click_id] for token in told]
    assert len({token.click_id for token in told}) == len(told) == len(VISITS) - 2


async def classes_in(url: str) -> list[tuple[Any, str, str]]:
    """Click, class and reason, in the order of their visits."""
    async with connected(url) as connection:
        rows = await connection.fetch(
            "SELECT id, traffic_class, class_reason FROM clicks ORDER BY id"
        )
    return [
        (row["id"], NAMES[row["traffic_class"]], REASON_NAMES[row["class_reason"]]) for row in rows
    ]
