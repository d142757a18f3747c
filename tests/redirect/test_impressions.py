import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from app.redirect.impression_store import LEFT, finish, store
from app.redirect.impressions import BATCH_KEYS, GIF, Batch, Pixel, Tally
from app.redirect.postgres import connect
from tests.redirect.making import (
    Running,
    connected,
    gate_to,
    inner,
    make_link,
    running_road,
    until,
)

LINK = UUID("01932f2a-0000-7000-8000-00000000beef")
BROWSER = {"user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}
HUMAN, BOT, PREFETCH, HEAD = 1, 3, 4, 6


@pytest.fixture
def url(fresh_database_url: str) -> str:
    return fresh_database_url


async def test_a_pixel_is_counted_by_link_day_and_class(url: str, tmp_path: Path) -> None:
    spring, autumn = await make_link(url, "spring"), await make_link(url, "autumn")
    async with running_road(tmp_path, url) as road:
        await road.ready()
        image = {**BROWSER, "sec-fetch-dest": "image", "sec-fetch-site": "cross-site"}
        for _ in range(3):
            answer = await road.get("/i/spring.gif?cache=buster", headers=image)
        await road.get("/i/spring.gif", headers={"user-agent": "Googlebot-Image/1.0"})
        await road.get("/i/spring.gif", headers={**image, "sec-purpose": "prefetch;prerender"})
        headed = await road.client.head("/i/spring.gif", headers=BROWSER)
        await road.get("/i/autumn.gif", headers=BROWSER)
        assert answer.status_code == 200
        assert answer.content == GIF
        assert len(GIF) == 43
        assert answer.headers["content-type"] == "image/gif"
        assert answer.headers["cache-control"] == "no-store"
        assert "set-cookie" not in answer.headers
        assert (headed.status_code, headed.content) == (200, b"")
        assert headed.headers["content-length"] == "43"
        assert await stored(url, 7) == {
            (spring, HUMAN): 3, (spring, BOT): 1, (spring, PREFETCH): 1, (spring, HEAD): 1,
            (autumn, HUMAN): 1,
        }  # fmt: skip
    async with connected(url) as connection:
        days = await connection.fetch("SELECT DISTINCT on_day FROM link_impressions")
        assert await connection.fetchval("SELECT count(*) FROM clicks") == 0
    assert [row["on_day"] for row in days] == [datetime.now(UTC).date()]


async def test_what_is_not_counted_is_an_image_all_the_same(url: str, tmp_path: Path) -> None:
    past = datetime.now(UTC) - timedelta(seconds=1)
    await make_link(url, "expired", expires_at=past)
    await make_link(url, "archived", archived_at=past)
    async with running_road(tmp_path, url) as road:
        await road.ready()
        for path, status in (
            ("/i/expired.gif", 200), ("/i/archived.gif", 200),
            ("/i/.gif", 404), ("/i/a/b.gif", 404), (f"/i/{'x' * 200}.gif", 404),
        ):  # fmt: skip
            answer = await road.get(path, headers=BROWSER)
            assert (answer.status_code, answer.content) == (status, GIF), path
            assert answer.headers["cache-control"] == "no-store"
        asked = await road.get("/i/nobody.gif", headers=BROWSER)
        assert (asked.status_code, asked.content) == (202, GIF)
        await until(lambda: road.road.directory.is_absent("", "nobody"))
        known = await road.get("/i/nobody.gif", headers=BROWSER)
        assert (known.status_code, known.content) == (404, GIF)
        posted = await road.client.post("/i/expired.gif")
        assert (posted.status_code, posted.headers["allow"]) == (405, "GET, HEAD")
        for path in ("/i/expired", "/i/expired.png", "/x/expired.gif"):
            assert (await road.get(path)).content == b"inner"
        assert road.road.tally.seal() is None


async def test_hosts_with_links_of_their_own_count_only_those(url: str, tmp_path: Path) -> None:
    own = await make_link(url, "spring", host="go.ana.example")
    everywhere = await make_link(url, "spring")
    async with running_road(tmp_path, url) as road:
        await road.ready()
        await road.knows("spring")
        for host in ("go.ana.example:8443", "go.example"):
            await road.get("/i/spring.gif", headers={**BROWSER, "host": host})
        assert await stored(url, 2) == {(own, HUMAN): 1, (everywhere, HUMAN): 1}


async def test_a_request_waits_for_nothing(url: str, tmp_path: Path) -> None:
    """Stepped by hand: whatever it waited for would suspend it. An unknown code waits for none."""
    link = await make_link(url, "spring")
    async with running_road(tmp_path, url) as road:
        await road.ready()
        await road.knows("spring")
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        pixel = Pixel(
            inner,
            directory=road.road.directory,
            tally=road.road.tally,
            agents=road.road.visits.agents,
        )
        for code, status in (("spring", 200), ("unknown", 202), ("x" * 200, 404)):
            scope = {"type": "http", "method": "GET", "path": f"/i/{code}.gif", "headers": []}
            sent.clear()
            with pytest.raises(StopIteration):
                pixel(scope, unused, send).send(None)
            assert [message["type"] for message in sent] == [
                "http.response.start", "http.response.body",
            ]  # fmt: skip
            assert sent[0]["status"] == status
        assert await stored(url, 1) == {(link, BOT): 1}


async def test_without_postgres_it_goes_on_and_nothing_is_lost(url: str, tmp_path: Path) -> None:
    link = await make_link(url, "spring")
    async with gate_to(url) as gate, running_road(tmp_path, gate.url) as road:
        await road.ready()
        await road.knows("spring")
        await show(road, 2)
        assert await stored(url, 2) == {(link, HUMAN): 2}
        await gate.shut()
        await show(road, 3)
        await asyncio.sleep(1.5)
        await show(road, 4)
        assert (await road.get("/i/other.gif")).status_code == 202
        await gate.open()
        assert await stored(url, 9) == {(link, HUMAN): 9}


async def test_a_batch_that_is_sent_again_is_added_once(url: str) -> None:
    tally = Tally()
    tally.add(LINK.bytes, HUMAN)
    batch = tally.seal()
    tally.add(LINK.bytes, HUMAN)
    assert batch is not None
    async with connect(url, timeout_s=5) as first, connect(url, timeout_s=5) as second:
        await store(first, batch)
        assert tally.seal() == batch
        await store(second, batch)
        tally.settle()
        later = tally.seal()
        assert later is not None
        await store(second, later)
        await store(second, batch)
    assert await stored(url, 2) == {(LINK, HUMAN): 2}


@pytest.mark.parametrize("commits", [True, False])
async def test_an_attempt_still_under_way_is_waited_for(url: str, *, commits: bool) -> None:
    """As when the connection broke, and the server goes on with what it was told."""
    batch = Batch(uuid4(), 1, {(LINK.bytes, 20_000, HUMAN): 5})
    async with connect(url, timeout_s=5) as lost, connect(url, timeout_s=5) as again:
        transaction = lost.transaction()
        await transaction.start()
        await store(lost, batch)
        retried = asyncio.create_task(store(again, batch))
        await asyncio.sleep(0.2)
        assert not retried.done()
        await (transaction.commit() if commits else transaction.rollback())
        await retried
    assert await stored(url, 5) == {(LINK, HUMAN): 5}


async def test_processes_with_the_same_links_don_t_wait_in_a_circle(url: str) -> None:
    links = [uuid4().bytes for _ in range(300)]
    orders = [links, links[::-1]] * 2

    async def process(order: list[bytes]) -> None:
        async with connect(url, timeout_s=10) as connection:
            writer = uuid4()
            for number in range(1, 11):
                counts = {(link, 20_000, HUMAN): 1 for link in order}
                await store(connection, Batch(writer, number, counts))

    await asyncio.gather(*map(process, orders))
    assert set((await stored(url, 300 * 40)).values()) == {40}


def test_keys_are_bounded_and_known_ones_still_count() -> None:
    tally = Tally(max_keys=2)
    assert tally.add(b"a", HUMAN)
    assert tally.add(b"b", HUMAN)
    assert not tally.add(b"c", HUMAN)
    assert tally.add(b"a", HUMAN)
    batch = tally.seal()
    assert batch is not None
    assert sorted((link, count) for (link, _, _), count in batch.counts.items()) == [
        (b"a", 2), (b"b", 1),
    ]  # fmt: skip
    assert tally.add(b"c", HUMAN)


def test_a_large_tally_goes_in_pieces() -> None:
    tally = Tally()
    for number in range(BATCH_KEYS + 1):
        tally.add(number.to_bytes(16, "big"), HUMAN)
    sizes = []
    while (batch := tally.seal()) is not None:
        sizes.append((batch.number, len(batch.counts)))
        tally.settle()
    assert sizes == [(1, BATCH_KEYS), (2, 1)]


async def test_a_graceful_end_stores_what_waits(url: str, tmp_path: Path) -> None:
    link = await make_link(url, "spring")
    async with running_road(tmp_path, url) as road:
        await road.ready()
        await road.knows("spring")
        await show(road, 3)
    assert list(tmp_path.glob(f"*/{LEFT}")) == []
    assert await stored(url, 3) == {(link, HUMAN): 3}


async def test_what_an_end_without_postgres_leaves_the_next_start_stores(
    url: str, tmp_path: Path
) -> None:
    link = await make_link(url, "spring")
    async with gate_to(url) as gate:
        async with running_road(tmp_path, gate.url) as road:
            await road.ready()
            await road.knows("spring")
            await gate.shut()
            await show(road, 3)
        (left,) = tmp_path.glob(f"web-1/{LEFT}")
        await gate.open()
        async with running_road(tmp_path, gate.url):
            assert await stored(url, 3) == {(link, HUMAN): 3}
            await gone(left)


async def test_what_a_dead_process_left_others_store_once(url: str, tmp_path: Path) -> None:
    orphan = tmp_path / "web-7"
    orphan.mkdir()
    tally = Tally()
    tally.add(LINK.bytes, HUMAN)
    # It could be stored, but nobody heard of it, as after a lost answer.
    sent = tally.seal()
    assert sent is not None
    async with connect(url, timeout_s=5) as connection:
        await store(connection, sent)
    tally.add(LINK.bytes, HUMAN)
    async with gate_to(url) as gate:
        await gate.shut()
        await finish(tally, orphan, gate.url)
    (left,) = orphan.glob(LEFT)
    (orphan / "impressions-0.json").write_bytes(b"[]]")
    async with running_road(tmp_path, url):
        await gone(left)
    assert await stored(url, 2) == {(LINK, HUMAN): 2}
    assert [path.name for path in orphan.glob(LEFT)] == ["impressions-0.json"]


async def show(road: Running, times: int) -> None:
    for _ in range(times):
        assert (await road.get("/i/spring.gif", headers=BROWSER)).status_code == 200


async def stored(url: str, count: int) -> dict[tuple[UUID, int], int]:
    """Impressions by link and class, once there are this many; a moment longer, if more come."""
    deadline = asyncio.get_running_loop().time() + 15
    while sum((found := await _stored(url)).values()) < count:
        assert asyncio.get_running_loop().time() < deadline, f"{found}, not {count}"
        await asyncio.sleep(0.05)
    return found


async def _stored(url: str) -> dict[tuple[UUID, int], int]:
    async with connected(url) as connection:
        rows = await connection.fetch(
            "SELECT link_id, traffic_class, sum(impressions)::bigint AS count"
            " FROM link_impressions GROUP BY 1, 2"
        )
    return {(row["link_id"], row["traffic_class"]): row["count"] for row in rows}


async def gone(path: Path) -> None:
    deadline = asyncio.get_running_loop().time() + 15
    while path.exists():
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.02)


async def unused() -> Any:
    raise AssertionError("a pixel's request has no body")
