"""Where unknown codes lead: known to every redirector, with or without Postgres."""

import asyncio
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from tests.redirect.making import (
    Running,
    clicks_in,
    connected,
    gate_to,
    make_link,
    running_road,
    until,
)
from tests.redirect.test_asking import asking


@pytest.fixture
def url(fresh_database_url: str) -> str:
    return fresh_database_url


async def test_unknown_codes_go_where_the_host_s_workspace_says(url: str, tmp_path: Path) -> None:
    """On a domain its workspace's fallback or none, on a host that is nobody's the operator's."""
    links = {
        host: await make_link(url, "known", host=host)
        for host in ("go.one.example", "go.two.example", "go.gone.example")
    }
    async with connected(url) as connection:
        for host, link in links.items():
            await make_domain(connection, link, host, verified=host != "go.gone.example")
        await make_domain(connection, await make_link(url, "bare"), "go.bare.example")
        await set_fallback(connection, links["go.one.example"], "https://one.example/?a=b")
        first = await make_link(url, "known")
        await connection.execute(f"UPDATE workspaces SET first = true WHERE {_OF}", first)
        await set_fallback(connection, first, "https://operator.example/")
        async with running_road(tmp_path, url) as road:
            await road.ready()
            assert await leads(road, "go.one.example") == "https://one.example/?a=b"
            assert await leads(road, "GO.one.example:8443") == "https://one.example/?a=b"
            assert await leads(road, "go.two.example") is None
            assert await leads(road, "go.bare.example") is None
            assert await leads(road, "go.gone.example") is None
            assert await leads(road, "anything.example") == "https://operator.example/"
            answer = await road.get("/r/unknown")
            assert (answer.status_code, answer.headers["cache-control"]) == (302, "no-store")
    nowhere = "postgresql://nobody@127.0.0.1:1/nothing"
    async with running_road(tmp_path, nowhere) as road:
        directory = road.road.directory
        assert directory.fallback("go.one.example") == b"https://one.example/?a=b"
        assert directory.fallback("go.two.example") is None
        assert directory.fallback("") == b"https://operator.example/"
        # Whether the code is unknown, nobody can tell now.
        assert (await road.get("/r/unknown")).status_code == 503
    assert await clicks_in(url) == []


async def test_a_changed_fallback_is_in_force_within_a_second(url: str, tmp_path: Path) -> None:
    link = await make_link(url, "known", host="go.one.example")
    async with connected(url) as connection, running_road(tmp_path, url) as road:
        await road.ready()
        directory = road.road.directory

        async def becomes(expected: bytes | None) -> None:
            wanted = asyncio.get_running_loop().time() + 1
            while directory.fallback("go.one.example") != expected:
                assert asyncio.get_running_loop().time() < wanted, expected
                await asyncio.sleep(0.01)

        await set_fallback(connection, link, "https://one.example/")
        await make_domain(connection, link, "go.one.example", verified=False)
        await asyncio.sleep(0.1)
        await becomes(None)
        await connection.execute("UPDATE domains SET verified_at = now()")
        await becomes(b"https://one.example/")
        await set_fallback(connection, link, "https://one.example/new")
        await becomes(b"https://one.example/new")
        # What no API of ours has stored is sent to nobody.
        await set_fallback(connection, link, "https://one.example/\r\nx: y")
        await becomes(None)
        await set_fallback(connection, link, "https://one.example/new")
        await becomes(b"https://one.example/new")
        await connection.execute("UPDATE domains SET archived_at = now()")
        await becomes(None)


async def test_a_domain_in_a_new_workspace_with_a_fallback_is_fed(url: str, tmp_path: Path) -> None:
    async with connected(url) as connection, running_road(tmp_path, url) as road:
        await road.ready()
        await connection.execute(
            "INSERT INTO workspaces (id, name, mode, first, fallback)"
            " VALUES (gen_random_uuid(), 'w', 'live', true, 'https://operator.example/')"
        )
        await until(lambda: road.road.directory.fallback("x") == b"https://operator.example/")


async def test_a_verified_domain_serves_nobody_else_s_links(url: str, tmp_path: Path) -> None:
    """Also one that has no links yet, and whatever is in memory when it is verified."""
    await make_link(url, "theirs")
    of = await make_link(url, "made-for-all")
    async with connected(url) as connection, gate_to(url) as gate:
        async with running_road(tmp_path, gate.url) as road:
            await road.ready()
            host = "go.a.example"
            assert await status(road, "theirs", host) == 302
            assert await status(road, "unknown", host) == 404
            await make_domain(connection, of, host)
            await until(lambda: host in road.road.directory.hosts, timeout_s=1)
            assert await status(road, "theirs", host) == 404
            assert await status(road, "made-for-all", host) == 404
            assert await status(road, "theirs", "b.example") == 302
            shown = await road.get("/i/theirs.gif", headers={"host": host})
            assert shown.status_code == 404, "known as none by the redirect before"
            await gate.shut()
            assert await status(road, "theirs", host) == 404
            assert await status(road, "theirs", "b.example") == 302
            await gate.open()
            await make_link(url, "first", host=host)
            await until(lambda: road.road.directory.find(host, "first") is not None)
            assert await status(road, "first", host) == 302
        async with running_road(tmp_path, "postgresql://nobody@127.0.0.1:1/nothing") as road:
            assert await status(road, "theirs", host) == 503
            assert await status(road, "first", host) == 302


async def test_a_domain_that_is_given_back_is_a_host_like_others(url: str, tmp_path: Path) -> None:
    of = await make_link(url, "theirs")
    async with connected(url) as connection, running_road(tmp_path, url) as road:
        await make_domain(connection, of, "go.a.example")
        await road.ready()
        assert await status(road, "theirs", "go.a.example") == 404
        for archived_at, then in (("now()", 302), ("NULL", 404)):
            await connection.execute(f"UPDATE domains SET archived_at = {archived_at}")
            is_own = then == 404
            await until(lambda own=is_own: ("go.a.example" in road.road.directory.hosts) == own)  # type: ignore[misc]
            assert await status(road, "theirs", "go.a.example") == then


async def test_domains_are_known_before_the_first_copy_has_ended(url: str, tmp_path: Path) -> None:
    await make_link(url, "theirs")
    async with asking(tmp_path, url) as directory:
        directory.know_fallbacks({"": None, "go.a.example": None})
        assert await directory.ask("b.example", "theirs") is not None
        assert await directory.ask("go.a.example", "theirs") is None


_OF = "id = (SELECT workspace_id FROM links WHERE id = $1)"


async def set_fallback(connection: Any, link: UUID, fallback: str) -> None:
    await connection.execute(f"UPDATE workspaces SET fallback = $2 WHERE {_OF}", link, fallback)


async def make_domain(connection: Any, link: UUID, host: str, *, verified: bool = True) -> None:
    """The link's program's claim to a host."""
    await connection.execute(
        "INSERT INTO domains (id, workspace_id, program_id, host, token, verified_at)"
        " SELECT gen_random_uuid(), workspace_id, program_id, $2, 't',"
        " CASE WHEN $3 THEN now() END FROM links WHERE id = $1",
        link,
        host,
        verified,
    )


async def status(road: Running, code: str, host: str) -> int:
    return (await road.get(f"/r/{code}", headers={"host": host})).status_code


async def leads(road: Running, host: str) -> str | None:
    """Where an unknown code leads on this host; None: to the 404 page."""
    answer = await road.get("/r/unknown", headers={"host": host})
    assert answer.status_code in (302, 404)
    location: str | None = answer.headers.get("location")
    return location
