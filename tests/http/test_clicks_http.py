"""Clicks and traffic as the API tells them: opened through the road, drained, read."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.dialects import postgresql

from app.core.traffic import CLASSES, REASONS
from app.db.engine import Database
from app.ids import decode, encode, first_at
from app.redirect.partitions import make_partitions
from app.reports.clicks import ClickFilter, TrafficClass, _within
from app.reports.reasons import TEXTS, UNRECORDED
from tests.http.client import Api, click_on, make_link, make_partner, make_program
from tests.http.visiting import BROWSER, Site, all_pages, iso, open_site, write

NOBODY = UUID("01932f2a-0000-7000-8000-00000000beef")
TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


@pytest.fixture
async def partner(api: Api) -> Any:
    return await make_partner(api, await make_program(api))


@pytest.fixture
async def site(api: Api, database_url: str, tmp_path: Path) -> AsyncIterator[Site]:
    async with open_site(api, database_url, tmp_path) as site:
        yield site


async def test_a_click_is_told_with_all_that_is_known_of_it(
    api: Api, site: Site, partner: Any
) -> None:
    link = await make_link(api, partner, asset_id="banner-300x250")
    token = await site.open(
        link,
        "?sub1=footer&sub2=a%26b&utm_source=x",
        referer="https://blog.example/review?who=ana",
        x_forwarded_for="203.0.113.7",
        cf_ipcountry="DE",
    )
    click = await site.read(token)
    at = datetime.fromisoformat(click.pop("at"))
    assert abs(at - datetime.now(UTC)) < timedelta(seconds=20)
    assert click.pop("id").startswith("clk_")
    assert click == {
        "link_id": link["id"],
        "partner_id": partner["id"],
        "program_id": link["program_id"],
        "traffic_class": "human",
        "reason": {"code": "none", "text": TEXTS["none"]},
        "can_attribute": True,
        "country": "DE",
        "network": None,
        "agent": BROWSER,
        "referrer": "https://blog.example/review",
        "subs": {"sub1": "footer", "sub2": "a&b"},
        "asset_id": "banner-300x250",
        "recovered": False,
    }


async def test_each_class_comes_with_its_reason(api: Api, site: Site, partner: Any) -> None:
    link = partner["default_link"]
    here = {"x_forwarded_for": "203.0.113.9"}
    tokens = [
        await site.open(link, **here),
        await site.open(link, **here),
        await site.open(link, user_agent="Googlebot/2.1 (+http://www.google.com/bot.html)"),
        await site.open(link, sec_fetch_dest="image"),
    ]
    told = [await site.read(token) for token in tokens]
    assert [(c["traffic_class"], c["reason"]["code"], c["can_attribute"]) for c in told] == [
        ("human", "none", True),
        ("duplicate", "same_visitor", True),
        ("bot", "agent_search", False),
        ("embedded", "embedded_image", False),
    ]
    listed = await api.get(f"/clicks?link_id={link['id']}")
    # Within a millisecond their ids are in no order.
    newest_first = sorted(told, key=lambda click: str(click["id"]), reverse=True)
    assert listed == {"data": newest_first, "has_more": False}
    bots = await api.get(f"/clicks?link_id={link['id']}&class=bot")
    assert bots["data"] == [told[2]]
    assert await api.get(f"/clicks/{told[0]['id']}") == told[0]
    traffic = await api.get(f"/links/{link['id']}/traffic")
    assert traffic["clicks"] == {"human": 1, "duplicate": 1, "bot": 1, "embedded": 1}


async def test_the_visitor_s_hash_is_never_told(
    api: Api, site: Site, partner: Any, database: Database
) -> None:
    token = await site.open(partner["default_link"], x_forwarded_for="203.0.113.9")
    click = await site.read(token)
    async with database.read() as read:
        driver = await read.driver()
        found = await driver.fetchrow(
            "SELECT visitor FROM clicks WHERE id = $1", decode("clk", click["id"])
        )
    assert found is not None
    assert found["visitor"] is not None
    body = (await api.send("GET", f"/clicks/{click['id']}")).text
    assert str(found["visitor"]) not in body
    assert "visitor" not in body


async def test_pages_go_through_days_and_the_class_filter(
    api: Api, partner: Any, database_url: str
) -> None:
    link = partner["default_link"]
    times = [TODAY - timedelta(days=d, seconds=s) for d in (0, 1, 9, 31) for s in (1, 2, 3)]
    await write(database_url, link, times)
    await write(database_url, link, [TODAY - timedelta(days=5)], "bot")
    for query in (f"link_id={link['id']}", f"partner_id={partner['id']}", ""):
        seen = [c["at"] for c in await all_pages(api, f"/clicks?{query}&limit=5")]
        assert seen == sorted(seen, reverse=True)
        # Without a link, of the latest 31 days.
        assert len(seen) == (13 if "link_id" in query else 10), query
    humans = await all_pages(api, f"/clicks?link_id={link['id']}&class=human&limit=3")
    assert len(humans) == 12
    (bot,) = (await api.get("/clicks?class=bot"))["data"]
    assert datetime.fromisoformat(bot["at"]) == TODAY - timedelta(days=5)
    assert bot["reason"] == {"code": "none", "text": UNRECORDED}


async def test_from_is_included_and_to_is_not(api: Api, partner: Any, database_url: str) -> None:
    link = partner["default_link"]
    noon = TODAY - timedelta(days=3, hours=-12)
    times = [noon + timedelta(milliseconds=ms) for ms in (-1, 0, 1, 2)]
    await write(database_url, link, times)
    for start, end, wanted in ((0, 2, 2), (-1, 0, 1), (1, 1000, 2), (-1000, 2, 3)):
        first, last = (noon + timedelta(milliseconds=ms) for ms in (start, end))
        query = f"from={iso(first)}&to={iso(last)}"
        for which in (f"link_id={link['id']}&", ""):
            found = (await api.get(f"/clicks?{which}{query}"))["data"]
            assert len(found) == wanted, (start, end)
            assert {c["at"] for c in found} == {iso(t) for t in times if first <= t < last}


async def test_old_clicks_of_a_link_are_found_without_a_span(
    api: Api, partner: Any, database_url: str
) -> None:
    link = partner["default_link"]
    await write(database_url, link, [TODAY - timedelta(days=d) for d in (200, 390)])
    assert len((await api.get(f"/clicks?link_id={link['id']}"))["data"]) == 2
    assert (await api.get(f"/clicks?partner_id={partner['id']}"))["data"] == []
    start, end = iso(TODAY - timedelta(days=201)), iso(TODAY - timedelta(days=199))
    spanned = await api.get(f"/clicks?partner_id={partner['id']}&from={start}&to={end}")
    assert len(spanned["data"]) == 1


@pytest.mark.parametrize(
    ("query", "place"),
    [
        ("from=2026-03-01T00:00:00Z&to=2026-02-01T00:00:00Z", "query/from"),
        ("from=2026-01-01T00:00:00Z&to=2026-02-01T00:00:01Z", "query/from"),
        ("from=2020-01-01T00:00:00Z", "query/from"),
        ("class=person", "query/class"),
        ("class=1", "query/class"),
        ("from=2026-01-01", "query/from"),
        ("link_id=link_0", "query/link_id"),
        ("starting_after=clk_0", "query/starting_after"),
        (f"starting_after={encode('clk', NOBODY)}", "query/starting_after"),
        ("limit=101", "query/limit"),
        ("visitor=1", "query/visitor"),
    ],
)
async def test_a_senseless_question_says_what_is_wrong(api: Api, query: str, place: str) -> None:
    refused = await api.get(f"/clicks?{query}", status=422)
    assert [error["place"] for error in refused["errors"]] == [place]
    assert refused["errors"][0]["remedy"]


@pytest.mark.parametrize(
    "query",
    ["to=0001-01-01T00:00:01Z", "to=9999-12-31T23:59:59Z", "from=9999-01-01T00:00:00Z",
     "from=1969-12-31T00:00:00Z&to=1970-01-02T00:00:00Z"],
)  # fmt: skip
async def test_times_out_of_this_world_find_nothing(api: Api, partner: Any, query: str) -> None:
    link = partner["default_link"]["id"]
    for path in (f"/clicks?link_id={link}&{query}", f"/clicks?{query}"):
        answer = await api.send("GET", path)
        assert answer.status_code in (200, 422), answer.text
        if answer.status_code == 200:
            assert answer.json() == {"data": [], "has_more": False}


async def test_a_token_finds_its_click_in_its_own_workspace_only(
    api: Api, stranger: Api, site: Site, partner: Any
) -> None:
    token = await site.open(partner["default_link"])
    click = await site.read(token)
    assert (await api.get(f"/clicks/{token}"))["id"] == click["id"]
    await stranger.get(f"/clicks/{token}", status=404)
    await stranger.get(f"/clicks/{click['id']}", status=404)
    forged = token[:-1] + ("A" if token[-1] != "A" else "B")
    await api.get(f"/clicks/{forged}", status=404)
    waiting = click_on(partner["default_link"], api.app)
    await api.get(f"/clicks/{waiting}", status=404)
    refused = await stranger.get(f"/clicks?starting_after={click['id']}", status=422)
    assert refused["errors"][0]["place"] == "query/starting_after"
    assert (await stranger.get(f"/clicks?link_id={click['link_id']}"))["data"] == []


async def test_past_clicks_keep_their_asset(api: Api, partner: Any, database_url: str) -> None:
    link = await make_link(api, partner, asset_id="banner")
    path = f"/links/{link['id']}"
    await api.patch(path, {"asset_id": "poster"})
    (click,) = await write(database_url, link, [TODAY])
    for other in ("banner", None):
        refused = await api.patch(path, {"asset_id": other}, status=409)
        assert "another link" in refused["detail"]
    await api.patch(path, {"asset_id": "poster", "subs": {"a": "b"}})
    assert (await api.get(f"/clicks/{click}"))["asset_id"] == "poster"
    unnamed = partner["default_link"]
    await write(database_url, unnamed, [TODAY])
    named = await api.patch(f"/links/{unnamed['id']}", {"asset_id": "home"})
    assert named["asset_id"] == "home"


async def test_who_may_tell_clicks_may_not_read_them(api: Api, partner: Any) -> None:
    link, paths = partner["default_link"]["id"], ("/clicks", f"/partners/{partner['id']}/traffic")
    site = await api.post(
        "/keys", {"name": "s", "kind": "publishable", "origins": ["https://shop.example"]}
    )
    teller = await api.with_scopes("clicks:write", "links:write", "partners:write")
    reader = await api.with_scopes("traffic:read")
    for path in (*paths, f"/links/{link}/traffic"):
        await teller.get(path, status=403)
        await reader.get(path)
        answer = await Api(api.app, site["key"]).send("GET", path)
        assert answer.status_code == 403
    await reader.get(f"/links/{link}", status=403)


def test_each_reason_has_a_text_and_each_class_a_name() -> None:
    assert TEXTS.keys() == REASONS.keys()
    assert set(TrafficClass.__args__) == CLASSES.keys()  # type: ignore[attr-defined]


async def test_a_day_is_read_from_its_partition_alone(
    api: Api, partner: Any, database: Database, database_url: str
) -> None:
    link = partner["default_link"]
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    await write(database_url, link, [datetime.now(UTC)])
    workspace = decode("ws", (await api.get("/workspaces"))["data"][0]["id"])
    only = ClickFilter(link_id=decode("link", link["id"]))
    span = first_at(today), first_at(today + timedelta(days=1))
    statement = _within(span, workspace, only, [decode("link", link["id"])]).limit(26)
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    compiled = statement.compile(dialect=dialect, compile_kwargs={"literal_binds": True})
    async with database.tx() as tx:
        await make_partitions(tx)
    async with database.read() as read:
        driver = await read.driver()
        # An array that is written out has no type.
        plan = await driver.fetch(f"EXPLAIN {compiled}".replace("])", "]::uuid[])"))
    lines = "\n".join(row[0] for row in plan)
    scanned = {word for word in lines.split() if word.startswith("clicks_") and "pkey" not in word}
    assert scanned == {f"clicks_{today:%Y%m%d}"}, lines
    assert "Seq Scan on links" not in lines
