"""Codes that this machine does not know are asked of Postgres: together, bounded, remembered."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from app.redirect.directory import Directory, DirectoryUnavailableError
from app.redirect.watch import keep_running
from tests.redirect.making import Running, connected, gate_to, make_link, running_road


@pytest.fixture
def url(fresh_database_url: str) -> str:
    return fresh_database_url


async def test_codes_the_replica_lacks_are_asked_together(url: str, tmp_path: Path) -> None:
    """Before the first copy has ended nothing is here, and everything is answered."""
    for number in range(20):
        await make_link(url, f"code{number}")
    async with asking(tmp_path, url) as directory:
        found = await asyncio.gather(*(directory.ask("", f"code{n}") for n in range(25)))
        assert [target is not None for target in found] == [True] * 20 + [False] * 5


async def test_what_was_answered_before_the_first_copy_has_ended_is_not_kept(
    url: str, tmp_path: Path
) -> None:
    """Nobody tells of changes then, and the copy may take long, or never end on a full disk."""
    await make_link(url, "spring")
    async with asking(tmp_path, url) as directory:
        assert await directory.ask("", "spring") is not None
        async with connected(url) as connection:
            await connection.execute("UPDATE links SET archived_at = now()")
        target = directory.find("", "spring") or await directory.ask("", "spring")
        assert target is not None and target.expires_at == 0


async def test_a_visitor_who_hangs_up_takes_no_answer_from_others(url: str, tmp_path: Path) -> None:
    await make_link(url, "spring")
    directory = Directory(tmp_path / "links.sqlite", size=10)
    async with asyncio.TaskGroup() as group:
        left, stays = (group.create_task(directory.ask("", "spring")) for _ in range(2))
        await asyncio.sleep(0)
        left.cancel()
        answering = group.create_task(answering_on(directory, url))
        assert await stays is not None
        answering.cancel()
    directory.close()


async def test_a_no_is_remembered_until_the_link_is_made(url: str, tmp_path: Path) -> None:
    async with gate_to(url) as gate, running_road(tmp_path, gate.url) as road:
        await road.ready()
        assert (await road.get("/r/soon")).status_code == 404
        await gate.shut()
        assert (await road.get("/r/soon")).status_code == 404
        assert (await road.get("/r/other")).status_code == 503
        await make_link(url, "soon")
        await gate.open()
        await road.knows("soon")
        assert not road.road.directory._absent
        assert (await road.get("/r/soon")).status_code == 302


async def test_a_restart_of_postgres_is_not_noticed_by_who_asks_after_it(
    url: str, tmp_path: Path
) -> None:
    async with gate_to(url) as gate, running_road(tmp_path, gate.url) as road:
        await road.ready()
        assert (await road.get("/r/one")).status_code == 404
        await gate.shut()
        await gate.open()
        await asyncio.sleep(0.1)
        assert (await road.get("/r/two")).status_code == 404


async def test_nobody_answering_is_unavailable_within_bounds(tmp_path: Path) -> None:
    async with asking(tmp_path, "postgresql://x@127.0.0.1:1/x") as directory:
        async with asyncio.timeout(5):
            assert all(await asyncio.gather(*(refused(directory, f"c{n}") for n in range(2_000))))


async def test_a_code_of_another_host_is_asked_for_once(url: str, tmp_path: Path) -> None:
    await make_link(url, "theirs", host="go.theirs.example")
    await make_link(url, "mine", host="go.mine.example")
    await make_link(url, "anywhere")
    async with gate_to(url) as gate, running_road(tmp_path, gate.url) as road:
        await road.ready()
        strangers = [{"host": host} for host in ("go.example", "go.mine.example")]
        unknown = [("/r/theirs", headers) for headers in strangers]
        unknown.append(("/r/anywhere", strangers[1]))
        for path, headers in unknown:
            assert (await road.get(path, headers=headers)).status_code == 404
        await gate.shut()
        for path, headers in unknown:
            assert (await road.get(path, headers=headers)).status_code == 404
        # On hosts that are nobody's a code is the same code.
        other = await road.get("/r/theirs", headers={"host": "other.example"})
        assert other.status_code == 404
        await gate.open()
        await make_link(url, "theirs")
        await make_link(url, "theirs", host="go.mine.example")
        await road.knows("theirs")
        for headers in strangers:
            await follows(road, "/r/theirs", headers)
        assert list(road.road.directory._absent) == ["go.mine.example/anywhere"]


async def test_what_was_unknown_on_a_host_before_its_first_link_is_found_after(
    url: str, tmp_path: Path
) -> None:
    headers = {"host": "go.new.example"}
    async with running_road(tmp_path, url) as road:
        await road.ready()
        assert (await road.get("/r/first", headers=headers)).status_code == 404
        await make_link(url, "first", host="go.new.example")
        await follows(road, "/r/first", headers)
        assert (await road.get("/r/first")).status_code == 404


async def test_guessed_codes_are_remembered_in_bounded_number(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.redirect.directory._MAX_ABSENT", 50)
    async with running_road(tmp_path, url) as road:
        await road.ready()
        for start in range(0, 120, 40):
            answers = await asyncio.gather(
                *(
                    road.get(f"/r/guess{n}", headers={"host": f"h{n}.example"})
                    for n in range(start, start + 40)
                )
            )
            assert {answer.status_code for answer in answers} == {404}
        assert len(road.road.directory._absent) == 50
        assert not road.road.directory._asking._asked


@pytest.mark.parametrize("host", ["x" * 60_000, "a\x00b", "ü.example", "[::1]", ""])
async def test_a_host_that_can_not_be_is_one_without_links(
    host: str, url: str, tmp_path: Path
) -> None:
    await make_link(url, "spring")
    async with asking(tmp_path, url) as directory:
        assert await directory.ask(host, "spring") is not None
        assert await directory.ask(host, "unknown") is None


async def follows(road: Running, path: str, headers: dict[str, str]) -> None:
    async with asyncio.timeout(5):
        while (await road.get(path, headers=headers)).status_code != 302:
            await asyncio.sleep(0.01)


@asynccontextmanager
async def asking(folder: Path, url: str) -> AsyncIterator[Directory]:
    """A directory that is told of nothing: all that it knows it has asked for."""
    directory = Directory(folder / "links.sqlite", size=10)
    async with asyncio.TaskGroup() as group:
        answering = group.create_task(answering_on(directory, url))
        yield directory
        answering.cancel()
    directory.close()


async def answering_on(directory: Directory, url: str) -> None:
    await keep_running("directory", partial(directory.answer, url))


async def refused(directory: Directory, code: str) -> bool:
    with pytest.raises(DirectoryUnavailableError):
        await directory.ask("", code)
    return True
