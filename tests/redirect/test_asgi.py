from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.redirect.making import drained, make_link, running_road, token_of


@pytest.fixture
def url(fresh_database_url: str) -> str:
    return fresh_database_url


async def test_a_click_is_answered_then_found_in_postgres(url: str, tmp_path: Path) -> None:
    link = await make_link(url, "spring")
    async with running_road(tmp_path, url) as road:
        await road.ready()
        agent, page = "Mozilla/5.0 (Test)", "https://blog.example/post?user=anna#top"
        answer = await road.get(
            "/r/spring?utm_source=x", headers={"user-agent": agent, "referer": page}
        )
        token = token_of(answer.headers["location"])
        assert answer.status_code == 302
        assert answer.headers["location"].startswith(
            "https://shop.example/landing?utm_source=x&click_id="
        )
        assert answer.headers["cache-control"] == "no-store"
        assert "set-cookie" not in answer.headers
        assert token.link_id == link
        assert abs(token.at - datetime.now(UTC)) < timedelta(seconds=5)
        (click,) = await drained(url, 1)
        assert (click["id"], click["link_id"]) == (token.click_id, link)
        assert click["traffic_class"] == 1
        assert click["agent"] == agent
        assert click["referrer"] == "https://blog.example/post"


async def test_head_and_prefetch_have_classes_of_their_own(url: str, tmp_path: Path) -> None:
    await make_link(url, "spring")
    async with running_road(tmp_path, url) as road:
        await road.ready()
        head = await road.client.head("/r/spring")
        assert head.status_code == 302
        assert head.content == b""
        assert token_of(head.headers["location"]).traffic_class == "head"
        ahead = await road.get("/r/spring", headers={"Sec-Purpose": "prefetch"})
        assert ahead.status_code == 503
        assert ahead.headers["cache-control"] == "no-store"
        assert "location" not in ahead.headers
        assert {click["traffic_class"] for click in await drained(url, 2)} == {6, 4}


async def test_ended_links_fall_back_or_are_gone(url: str, tmp_path: Path) -> None:
    past = datetime.now(UTC) - timedelta(seconds=1)
    await make_link(url, "expired", expires_at=past)
    await make_link(url, "archived", archived_at=past, fallback="https://shop.example/")
    await make_link(url, "later", expires_at=past + timedelta(hours=1))
    async with running_road(tmp_path, url) as road:
        await road.ready()
        gone = await road.get("/r/expired")
        assert gone.status_code == 410
        assert "<h1>" in gone.text
        back = await road.get("/r/archived?x=1")
        assert (back.status_code, back.headers["location"]) == (302, "https://shop.example/")
        assert (await road.get("/r/later")).status_code == 302


@pytest.mark.parametrize(
    "path",
    [
        "/r/nope",
        "/r/",
        "/r//evil.example",
        "/r/https:%2f%2fevil.example",
        "/r/a/b",
        "/r/%00",
        "/r/%ff",
        "/r/" + "x" * 200,
        "/r/%2e%2e",
        "/r/%20",
    ],
)
async def test_unknown_codes_are_404_pages(path: str, url: str, tmp_path: Path) -> None:
    async with running_road(tmp_path, url) as road:
        await road.ready()
        answer = await road.get(path)
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert (await road.client.head(path)).content == b""


async def test_a_deep_link_shows_another_page_of_the_same_site(url: str, tmp_path: Path) -> None:
    await make_link(url, "spring")
    async with running_road(tmp_path, url) as road:
        await road.ready()

        async def opened(to: str) -> str:
            answer = await road.get(f"/r/spring?to={to}")
            assert answer.status_code == 302
            assert token_of(answer.headers["location"])
            return str(answer.headers["location"]).partition("?")[0]

        assert await opened("/pricing") == "https://shop.example/pricing"
        assert await opened("//evil.example") == "https://shop.example/landing"


async def test_a_visitor_s_sub_ids_are_recorded_with_the_click(url: str, tmp_path: Path) -> None:
    await make_link(url, "spring", subs={"sub2": "own"})
    async with running_road(tmp_path, url) as road:
        await road.ready()
        long = f"sub4={'x' * 101}"
        for query in (f"sub3=c%20d&sub1=a&sub2=evil&sub6=f&sub1=b&{long}", "x=1", ""):
            await road.get(f"/r/spring?{query}")
        found = Counter(click["subs"] for click in await drained(url, 3))
        assert found == {"sub1=a&sub3=c+d": 1, None: 2}


async def test_the_link_s_utm_templates_come_before_the_program_s(url: str, tmp_path: Path) -> None:
    templates = {"source": "partners", "content": "{sub1}"}
    await make_link(url, "spring", utm={"source": "own"}, program_utm=templates)
    async with running_road(tmp_path, url) as road:
        await road.ready()
        location = (await road.get("/r/spring?sub1=footer")).headers["location"]
        assert "?utm_source=own&sub1=footer&utm_content=footer&click_id=" in location


async def test_other_methods_and_other_paths(url: str, tmp_path: Path) -> None:
    await make_link(url, "spring")
    async with running_road(tmp_path, url) as road:
        await road.ready()
        refused = await road.client.post("/r/spring")
        assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD")
        for path in ("/", "/r", "/v1/links", "/rr/spring"):
            assert (await road.get(path)).text == "inner"


async def test_a_host_with_links_of_its_own_serves_no_others(url: str, tmp_path: Path) -> None:
    everywhere = await make_link(url, "spring")
    await make_link(url, "elsewhere")
    own = await make_link(url, "spring", host="brand.example")
    only = await make_link(url, "only", host="brand.example")
    async with running_road(tmp_path, url) as road:
        await road.ready()

        async def opened(code: str, host: str) -> object:
            answer = await road.get(f"/r/{code}", headers={"host": host})
            location = answer.headers.get("location")
            return token_of(location).link_id if location else answer.status_code

        assert await opened("spring", "BRAND.example:8000") == own
        assert await opened("spring", "go.example") == everywhere
        assert await opened("only", "brand.example") == only
        assert await opened("only", "go.example") == 404
        assert await opened("elsewhere", "brand.example") == 404


async def test_a_stored_destination_that_is_no_web_address_is_never_followed(
    url: str, tmp_path: Path
) -> None:
    await make_link(url, "bad", destination="javascript:alert(1)")
    async with running_road(tmp_path, url) as road:
        await road.ready()
        assert (await road.get("/r/bad")).status_code == 404


async def test_odd_header_bytes_reach_postgres_as_text(url: str, tmp_path: Path) -> None:
    await make_link(url, "spring")
    async with running_road(tmp_path, url) as road:
        await road.ready()
        odd = [(b"user-agent", b"\x00\xff\xed\xa0\x80" + b"x" * 2_000), (b"referer", b"\x00?q")]
        assert (await road.get("/r/spring", headers=odd)).status_code == 302
        (click,) = await drained(url, 1)
        assert click["agent"].startswith("\ufffd\ufffd")
        assert len(click["agent"]) <= 512
        assert click["referrer"] == "\ufffd"
