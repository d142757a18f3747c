"""What the directory's benchmark claims of its visitors: that they fill every cache."""

import re

from app.redirect import addresses, agents, countries, directory, texts
from bench import visitors
from bench.million import BULK, LINKS, code, host_of
from bench.requests import HOST
from bench.visitors import Visitors

OPENED = 200_000


def test_there_are_as_many_different_visitors_as_are_remembered() -> None:
    crowd = Visitors()
    opened = [crowd.open(number).decode() for number in range(BULK, BULK + OPENED)]
    assert len(different(opened, "User-Agent")) == agents._REMEMBERED == texts._REMEMBERED
    assert len(different(opened, "X-Forwarded-For")) > addresses._REMEMBERED
    assert len(different(opened, "Referer")) > texts._REMEMBERED * 0.99
    unplaced = [one for one in opened if "CF-IPCountry" not in one]
    assert len(different(unplaced, "X-Forwarded-For")) > countries._REMEMBERED
    assert visitors.ABSENT == directory._MAX_ABSENT
    assert 0.09 < sum("Sec-GPC: 1" in one for one in opened) / OPENED < 0.11


def test_each_link_is_asked_for_where_it_stands() -> None:
    crowd = Visitors()
    for number in range(LINKS - 20, LINKS):
        asked = re.match(
            r"GET /r/(\w+)\S* HTTP/1.1\r\nHost: (\S+)\r\n", crowd.open(number).decode()
        )
        assert asked is not None
        assert asked[1] == code(number)
        assert asked[2] == (HOST if number % 10 != 1 else host_of(number)) != ""
        assert crowd.open(number, plainly=True).startswith(f"GET /r/{code(number)} ".encode())


def different(requests: list[str], header: str) -> set[str]:
    return {found[1] for one in requests if (found := re.search(rf"{header}: ([^\r]*)", one))}
