import os
from pathlib import Path

import pytest

from app.redirect.metrics import UNSALTED
from app.redirect.recent import Recent
from app.redirect.salt_file import SaltFile
from app.redirect.visitor import Visitors
from tests.redirect.making import KEYS
from tests.redirect.salting import TODAY, WINDOW, node

MIDNIGHT = TODAY * 86_400.0
NOON = MIDNIGHT + 43_200
CAP = 3
WORKSPACE, LINK = os.urandom(16), os.urandom(16)
ADDRESS = bytes((203, 0, 113, 7))
AGENT = b"Mozilla/5.0 (X11; Linux x86_64)"


@pytest.fixture
def visitors(tmp_path: Path) -> Visitors:
    """With the salts of yesterday, today and tomorrow."""
    SaltFile(tmp_path, KEYS).keep({day: os.urandom(32) for day in range(TODAY - 1, TODAY + 2)})
    salts = node(tmp_path, clock=lambda: MIDNIGHT)
    return Visitors(salts, Recent.open(tmp_path, window_s=WINDOW, unhashed_clicks=CAP))


def marked(
    visitors: Visitors,
    now_s: float = NOON,
    *,
    workspace: bytes = WORKSPACE,
    link: bytes = LINK,
    address: bytes = ADDRESS,
    agent: bytes = AGENT,
    private: bool = False,
) -> tuple[bytes, bool, bool]:
    return visitors.mark(workspace, link, address, agent, private=private, now_s=now_s)


def test_a_second_click_on_a_link_is_a_duplicate_with_the_same_hash(visitors: Visitors) -> None:
    first, second = marked(visitors), marked(visitors, NOON + 60)
    assert (first[1:], second[1:]) == ((False, False), (True, False))
    assert first[0] == second[0]
    assert len(first[0]) == 8
    assert marked(visitors, NOON + WINDOW)[1:] == (False, False)


def test_another_link_agent_address_or_workspace_is_no_duplicate(visitors: Visitors) -> None:
    here = marked(visitors)[0]
    elsewhere = marked(visitors, link=os.urandom(16))
    assert elsewhere == (here, False, False)
    for other in (
        marked(visitors, agent=b"Another"),
        marked(visitors, address=bytes((203, 0, 113, 8))),
        marked(visitors, workspace=os.urandom(16)),
    ):
        assert other[1:] == (False, False)
        assert other[0] not in {here, b""}


def test_a_device_keeps_its_hash_in_its_own_ipv6_network(visitors: Visitors) -> None:
    network = bytes.fromhex("20010db800010002")
    assert not marked(visitors, address=network + os.urandom(8))[1]
    assert marked(visitors, address=network + os.urandom(8))[1]
    assert not marked(visitors, address=bytes.fromhex("20010db800010003") + os.urandom(8))[1]


def test_people_behind_one_nat_are_told_apart_by_their_agents_only(visitors: Visitors) -> None:
    """Duplicates keep their own click id and may earn, so that this costs nobody anything."""
    found = [marked(visitors, agent=b"Mozilla/5.0 %d" % number)[1] for number in range(50)]
    assert found == [False] * 50


def test_a_window_goes_on_over_midnight(visitors: Visitors) -> None:
    before = marked(visitors, MIDNIGHT - 600)
    after = marked(visitors, MIDNIGHT + 600)
    assert (before[1], after[1]) == (False, True)
    assert before[0] != after[0]
    assert marked(visitors, MIDNIGHT + WINDOW - 601)[1]
    # The window of the first click is over: the next begins with the day's own hash.
    assert not marked(visitors, MIDNIGHT + WINDOW - 600)[1]
    assert marked(visitors, MIDNIGHT + WINDOW + 1)[1]
    assert marked(visitors, MIDNIGHT + 2 * WINDOW - 601)[1]
    assert not marked(visitors, MIDNIGHT + 2 * WINDOW - 600)[1]


def test_who_asks_for_privacy_gets_no_hash_and_links_are_capped(visitors: Visitors) -> None:
    found = [marked(visitors, private=True) for _ in range(CAP + 2)]
    assert found == [(b"", False, False)] * CAP + [(b"", False, True)] * 2
    assert marked(visitors, private=True, link=os.urandom(16)) == (b"", False, False)
    # Nothing of them is known to the others.
    assert marked(visitors)[1:] == (False, False)
    assert marked(visitors, NOON + WINDOW, private=True) == (b"", False, False)


def test_without_an_address_nobody_is_known(visitors: Visitors) -> None:
    assert [marked(visitors, address=b"") for _ in range(CAP + 1)] == [
        *[(b"", False, False)] * CAP,
        (b"", False, True),
    ]


def test_without_a_salt_clicks_are_counted_and_capped(visitors: Visitors) -> None:
    later = MIDNIGHT + 3 * 86_400
    before = UNSALTED._value.get()
    found = [marked(visitors, later) for _ in range(CAP + 1)]
    assert found == [*[(b"", False, False)] * CAP, (b"", False, True)]
    assert UNSALTED._value.get() == before + CAP + 1
    marked(visitors, later, private=True)
    assert UNSALTED._value.get() == before + CAP + 1


def test_a_hash_alone_marks_nobody(visitors: Visitors) -> None:
    seen = visitors.hashed(WORKSPACE, ADDRESS, AGENT, private=False, now_s=NOON)
    assert marked(visitors) == (seen, False, False)
    assert visitors.hashed(WORKSPACE, ADDRESS, AGENT, private=True, now_s=NOON) == b""
