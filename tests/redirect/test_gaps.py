"""However late a commit comes after its number was given, it is not missed."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from app.redirect.directory import Directory
from app.redirect.gaps import UNLISTED
from app.redirect.replica import Replica
from tests.redirect.making import connected, held_change, make_link, moved, running_road, until


@pytest.fixture
def url(fresh_database_url: str) -> str:
    return fresh_database_url


async def test_a_gap_that_stays_is_asked_for_as_long_as_it_may_be_filled(
    url: str, tmp_path: Path
) -> None:
    link = await make_link(url, "spring")
    async with running_road(tmp_path, url) as road, connected(url) as connection:
        await road.ready()
        async with connected(url) as other:
            held = other.transaction()
            await held.start()
            # Whether this one will tell of a link, nobody knows.
            await other.execute("UPDATE links SET archived_at = NULL WHERE id = $1", link)
            await rolled_back(connection)
            await make_link(url, "later")
            await road.knows("later")
            directory = road.road.directory
            # More than one poll.
            await asyncio.sleep(1.2)
            assert directory.position is not None and len(directory.position.gaps) == 2
            await held.rollback()
            await until(lambda: directory.position is not None and not directory.position.gaps)
    replica = Replica(road.folder / "links.sqlite")
    position = replica.position()
    assert position is not None and position.gaps == ()
    replica.close()


async def test_a_number_that_is_given_back_is_not_asked_for_while_others_write(
    url: str, tmp_path: Path
) -> None:
    """As where somebody writes links at any time: what ran when the gap was seen has ended."""
    link = await make_link(url, "spring")
    async with running_road(tmp_path, url) as road, connected(url) as one, connected(url) as two:
        await road.ready()
        await rolled_back(one)
        await make_link(url, "later")
        await road.knows("later")
        directory = road.road.directory
        one_held, two_held = one.transaction(), two.transaction()
        await one_held.start()
        await one.execute("INSERT INTO link_changes (link_id) VALUES ($1)", link)
        await moved(url, "later", "a")
        await until(lambda: b"/a" in road.leads("later"))
        await two_held.start()
        await two.execute("INSERT INTO link_changes (link_id) VALUES ($1)", link)
        await one_held.commit()
        await moved(url, "later", "b")
        await until(lambda: b"/b" in road.leads("later"))
        # Only the one that is held still.
        await until(lambda: directory.position is not None and len(directory.position.gaps) == 1)
        await two_held.rollback()


async def test_a_commit_is_seen_within_a_second_however_late_it_comes(
    url: str, tmp_path: Path
) -> None:
    """Its transaction may be older than any time-out: a migration's, or a person's."""
    await make_link(url, "slow")
    async with running_road(tmp_path, url) as road, connected(url) as connection:
        await road.ready()
        held = await held_change(connection, "slow", "slow")
        await make_link(url, "quick")
        await road.knows("quick")
        # Some polls later.
        await asyncio.sleep(1.5)
        await moved(url, "quick", "again")
        await until(lambda: b"/again" in road.leads("quick"))
        await held.commit()
        await until(lambda: b"/slow" in road.leads("slow"), timeout_s=1)


async def test_what_was_under_way_during_a_copy_for_longer_than_is_listed_is_copied_after(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.redirect.gaps._LISTED_S", 0)
    await make_link(url, "slow")
    async with connected(url) as connection:
        held = await held_change(connection, "slow", "slow")
        for code in ("quick", "quicker"):
            await make_link(url, code)
        async with running_road(tmp_path, url) as road:
            await road.ready()
            await road.knows("quicker")
            position = road.road.directory.position
            assert position is not None and position.gaps == (UNLISTED,)
        # Nobody forgets it over a restart.
        await held.commit()
        async with running_road(tmp_path, url) as road:
            await until(lambda: b"/slow" in road.leads("slow"))
            position = road.road.directory.position
            assert position is not None and position.gaps == ()


async def test_a_late_commit_of_more_changes_than_are_listed_is_not_missed(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.redirect.gaps._MAX_GAPS", 5)
    codes = [f"slow{number}" for number in range(12)]
    for code in codes:
        await make_link(url, code)
    async with running_road(tmp_path, url) as road, connected(url) as connection:
        await road.ready()
        await road.knows(*codes)
        held = connection.transaction()
        await held.start()
        await connection.execute("UPDATE links SET destination = 'https://shop.example/moved'")
        await make_link(url, "quick")
        await road.knows("quick")
        position = road.road.directory.position
        assert position is not None and len(position.gaps) <= 6
        await held.commit()
        await until(lambda: all(b"/moved" in road.leads(code) for code in codes))
        await until(lambda: road.road.directory.position.gaps == ())  # type: ignore[union-attr]
        # The copy dropped nobody's program.
        assert (await road.get("/r/slow3")).status_code == 302


async def test_a_late_commit_of_many_changes_is_taken_page_by_page(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redirects wait while a page is made ready."""
    await make_link(url, "first")
    copies = (
        "INSERT INTO links (id, workspace_id, program_id, partner_id, host, code, destination,"
        " click_parameter, is_default, subs)"
        " SELECT gen_random_uuid(), workspace_id, program_id, partner_id, host, 'late' || n,"
        " destination, 'unread', false, '{}' FROM links, generate_series(1, 1300) AS n"
    )
    pages: list[int] = []
    apply = Directory.apply

    async def counted(directory: Directory, links: Any, *rest: Any) -> None:
        pages.append(len(links))
        await apply(directory, links, *rest)

    monkeypatch.setattr(Directory, "apply", counted)
    async with running_road(tmp_path, url) as road, connected(url) as connection:
        await road.ready()
        held = connection.transaction()
        await held.start()
        await connection.execute(copies)
        await make_link(url, "quick")
        await road.knows("quick")
        await held.commit()
        await road.knows(*(f"late{number}" for number in range(1, 1_301)))
        await until(lambda: road.road.directory.position.gaps == ())  # type: ignore[union-attr]
    assert max(pages) <= 1_000


async def rolled_back(connection: Any) -> None:
    """A number of the feed that is given, and never comes."""
    transaction = connection.transaction()
    await transaction.start()
    await connection.execute("INSERT INTO link_changes (link_id) SELECT id FROM links LIMIT 1")
    await transaction.rollback()
