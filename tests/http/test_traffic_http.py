"""Clicks and impressions by day and class, and the rate that they make."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from app.reports import subs
from tests.http.client import Api, make_link, make_partner, make_program
from tests.http.visiting import BROWSER, Site, open_site, show, until_impressions, write

TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


@pytest.fixture
async def partner(api: Api) -> Any:
    return await make_partner(api, await make_program(api))


@pytest.fixture
async def site(api: Api, database_url: str, tmp_path: Path) -> AsyncIterator[Site]:
    async with open_site(api, database_url, tmp_path) as site:
        yield site


async def test_pixels_and_clicks_make_a_rate(api: Api, site: Site, partner: Any) -> None:
    banner = await make_link(api, partner, asset_id="banner")
    kit = await api.get(f"/links/{banner['id']}/share")
    pixel = urlsplit(kit["impression_url"]).path
    for _ in range(8):
        shown = await site.client.get(
            pixel,
            headers={"user-agent": BROWSER, "sec-fetch-dest": "image"},
        )
        # 202 as long as this process has not been told of the link: counted behind the answer.
        assert shown.status_code in (200, 202)
    await site.client.get(pixel, headers={"user-agent": "curl/8.0"})
    await site.read(await site.open(banner))
    # A mail link has no pixel, so its clicks say nothing about the banner.
    await site.read(await site.open(partner["default_link"]))
    path = f"/partners/{partner['id']}/traffic"
    await until_impressions(api, path, 9)
    both = await api.get(path)
    assert both["impressions"] == {"human": 8, "bot": 1}
    assert sum(both["clicks"].values()) == 2
    assert both["ctr"] == {"impressions": 8, "clicks": 1, "bps": 1250}
    (day,) = both["days"]
    assert day == {
        "on": datetime.now(UTC).date().isoformat(),
        "clicks": both["clicks"],
        "impressions": both["impressions"],
    }
    plain = await api.get(f"/links/{partner['default_link']['id']}/traffic")
    assert plain["ctr"] == {"impressions": 0, "clicks": 0, "bps": None}


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("from=2026-01-01&to=2026-12-31", 200),
        ("from=2024-01-01&to=2024-12-31", 200),
        ("from=2025-12-31&to=2027-01-01", 422),
        ("from=2026-02-01&to=2026-01-31", 422),
        ("from=2026-02-30", 422),
        ("from=2026-02-01T00:00:00Z", 422),
        ("to=9999-12-31", 422),
        ("to=1700000000", 422),
        ("to=2000-01-01", 200),
    ],
)
async def test_a_span_of_days_is_checked(api: Api, partner: Any, query: str, status: int) -> None:
    for path in (f"/links/{partner['default_link']['id']}", f"/partners/{partner['id']}"):
        answer = await api.get(f"{path}/traffic?{query}", status=status)
        if status == 422:
            assert answer["errors"][0]["remedy"]


async def test_traffic_is_summed_by_day_with_both_ends(
    api: Api, partner: Any, database_url: str
) -> None:
    link = partner["default_link"]
    days = [TODAY + timedelta(days=d) for d in (-3, -2, -1)]
    await write(database_url, link, [days[0], days[1], days[1], days[2]])
    await write(database_url, link, [days[1] + timedelta(hours=23, minutes=59)], "duplicate")
    await write(database_url, link, [days[1]], "bot")
    await show(database_url, link, {days[0].date(): 100, days[1].date(): 3, days[2].date(): 1})
    middle = days[1].date().isoformat()
    found = await api.get(f"/links/{link['id']}/traffic?from={middle}&to={middle}")
    assert found == {
        "from_on": middle,
        "to_on": middle,
        "days": [
            {
                "on": middle,
                "clicks": {"human": 2, "duplicate": 1, "bot": 1},
                "impressions": {"human": 3},
            }
        ],
        "clicks": {"human": 2, "duplicate": 1, "bot": 1},
        "impressions": {"human": 3},
        "ctr": {"impressions": 3, "clicks": 3, "bps": 10_000},
    }
    week = await api.get(f"/links/{link['id']}/traffic")
    assert [day["on"] for day in week["days"]] == [day.date().isoformat() for day in days]
    assert week["ctr"] == {"impressions": 104, "clicks": 5, "bps": 481}
    first, last = (date.fromisoformat(week[name]) for name in ("from_on", "to_on"))
    assert (last - first).days == 29


async def test_clicks_are_counted_by_the_values_of_a_sub_id(
    api: Api, partner: Any, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    link, yesterday = partner["default_link"], TODAY - timedelta(days=1)
    for count, brought, name in (
        (3, b"sub1=footer&sub2=a", "human"), (1, b"sub1=footer", "bot"),
        (2, b"sub1=caf%C3%A9+%26+bar", "human"), (1, b"sub2=sub1%3Dno", "human"), (1, b"", "human"),
    ):  # fmt: skip
        await write(database_url, link, [yesterday] * count, name, brought)
    await write(database_url, link, [TODAY - timedelta(days=40)], subs=b"sub1=old")
    path = f"/links/{link['id']}/subs"
    found = await api.get(path)
    assert found["data"] == [
        {"value": "footer", "clicks": {"human": 3, "bot": 1}},
        {"value": "café & bar", "clicks": {"human": 2}},
    ]
    assert (found["sub"], found["has_more"]) == ("sub1", False)
    second = await api.get(f"{path}?sub=sub2&to={TODAY.date()}")
    assert [one["value"] for one in second["data"]] == ["a", "sub1=no"]
    for query in ("sub=sub6", "sub=x", "from=2026-01-01&to=2026-02-01"):
        await api.get(f"{path}?{query}", status=422)
    monkeypatch.setattr(subs, "MOST_VALUES", 1)
    cut = await api.get(path)
    assert ([one["value"] for one in cut["data"]], cut["has_more"]) == (["footer"], True)
