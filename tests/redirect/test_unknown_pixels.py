"""Pixels of codes that this machine does not know are answered before anybody is asked."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from app.redirect.impressions import GIF
from tests.redirect.making import Running, connected, make_link, running_road, until
from tests.redirect.test_impressions import BROWSER, HUMAN, stored


@pytest.fixture
def url(fresh_database_url: str) -> str:
    return fresh_database_url


async def test_a_link_that_is_not_here_yet_is_counted_behind_the_answer(
    url: str, tmp_path: Path
) -> None:
    link = await make_link(url, "spring")
    async with running_road(tmp_path, url) as road:
        await road.ready()
        # As one that was made a moment ago, and the feed has not told of.
        road.road.directory._replica._writer.execute("DELETE FROM links")
        assert (await road.get("/i/spring.gif", headers=BROWSER)).status_code == 202
        assert await stored(url, 1) == {(link, HUMAN): 1}
        assert (await road.get("/i/spring.gif", headers=BROWSER)).status_code == 200
        assert await stored(url, 2) == {(link, HUMAN): 2}


async def test_unknown_codes_are_asked_for_in_bounded_number(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.redirect.impressions.MAX_BEHIND", 3)
    monkeypatch.setattr("app.redirect.asking._ANSWER_S", 30)
    async with running_road(tmp_path, url) as road, connected(url) as connection:
        await road.ready()
        async with connection.transaction():
            # So that none of them is answered before the last has come.
            await connection.execute("LOCK TABLE links")
            answers = await asyncio.gather(
                *(road.get(f"/i/unknown{n}.gif", headers=BROWSER) for n in range(20))
            )
        assert {answer.content for answer in answers} == {GIF}
        assert Counter(answer.status_code for answer in answers) == {202: 3, 503: 17}
        assert all("retry-after" in one.headers for one in answers if one.status_code == 503)
        await until(lambda: sum(is_absent(road, n) for n in range(20)) == 3)
        again = await road.get("/i/unknown20.gif", headers=BROWSER)
        assert again.status_code == 202, "those before are answered"


def is_absent(road: Running, number: int) -> bool:
    return road.road.directory.is_absent("", f"unknown{number}")
