"""What a visit leaves in the journal: class, reason, hash, country and network, as few as serve."""

from ipaddress import ip_network
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from app.core.traffic import CLASSES, REASONS
from app.redirect.visits import Opener, Visits
from app.settings import Settings
from tests.redirect.making import KEYS
from tests.redirect.salting import TODAY

BROWSER = b"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
CAP = 3
NETWORK = bytes((203, 0, 113))


class Visit(NamedTuple):
    """`visits.Visit` by name."""

    number: int
    reason: int
    visitor: bytes
    country: bytes
    network: bytes


class Opened(NamedTuple):
    link: bytes = b"l" * 16
    workspace: bytes = b"w" * 16
    keeps_network: bool = False


@pytest.fixture
def visits(tmp_path: Path) -> Visits:
    """Of a node behind one proxy, whose salts were made while Postgres was there."""
    settings = Settings(
        trusted_proxies=(ip_network("10.0.0.0/8"),),
        country_header="cf-ipcountry",
        unhashed_clicks=CAP,
    )
    visits = Visits(settings, tmp_path, KEYS)
    visits.salts._hold(dict.fromkeys((TODAY, TODAY + 1), b"s" * 32))
    return visits


def made(
    visits: Visits, link: Opened | None = None, address: str = "203.0.113.7", **headers: str
) -> Visit:
    """By a browser's request, as the proxy passes it on."""
    named = {
        "user-agent": BROWSER.decode(),
        "x-forwarded-for": address,
        "cf-ipcountry": "DE",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    sent = [(name.encode(), value.encode()) for name, value in named.items()]
    scope: dict[str, Any] = {"method": "GET", "client": ("10.0.0.1", 1), "headers": sent}
    return Visit(*visits.made(scope, dict(sent), link or Opened()))


def judged(visit: Visit) -> tuple[str, str]:
    classes = {number: name for name, number in CLASSES.items()}
    reasons = {number: name for name, number in REASONS.items()}
    return classes[visit.number], reasons[visit.reason]


def test_a_person_is_human_once_and_then_a_duplicate(visits: Visits) -> None:
    first, again = made(visits), made(visits)
    assert judged(first) == ("human", "none")
    assert judged(again) == ("duplicate", "same_visitor")
    assert first.visitor == again.visitor
    assert len(first.visitor) == 8
    assert first.country == b"DE"


@pytest.mark.parametrize(
    "other",
    [
        {"address": "203.0.113.8"},
        {"user_agent": "Mozilla/5.0 (Macintosh) Safari/605.1.15"},
        {"link": Opened(link=b"m" * 16)},
        {"link": Opened(workspace=b"v" * 16)},
    ],
    ids=str,
)
def test_another_s_click_is_no_duplicate(visits: Visits, other: dict[str, Any]) -> None:
    first, second = made(visits), made(visits, **other)
    assert judged(second) == ("human", "none")
    # On another link of the workspace it is the same visitor, who can be counted once.
    same = other.get("link") == Opened(link=b"m" * 16)
    assert (first.visitor == second.visitor) is same


def test_people_behind_one_address_are_told_apart_by_nothing_else(visits: Visits) -> None:
    """So the second is a duplicate, and is paid as the first is."""
    assert [judged(made(visits))[0] for _ in range(3)] == ["human", "duplicate", "duplicate"]


def test_the_network_is_kept_only_where_the_program_asks(visits: Visits) -> None:
    keeping = Opened(keeps_network=True)
    assert made(visits).network == b""
    assert made(visits, keeping).network == NETWORK
    assert made(visits, keeping, "2001:db8:1:2::7").network == bytes.fromhex("20010db80001")
    assert made(visits, keeping, "unknown").network == b""
    assert made(visits, keeping, sec_gpc="1").network == b""


def test_who_asks_for_privacy_has_no_hash_and_no_hole_for_fraud(visits: Visits) -> None:
    found = [made(visits, sec_gpc="1") for _ in range(CAP + 2)]
    assert {visit.visitor for visit in found} == {b""}
    assert [judged(visit) for visit in found] == [
        *[("human", "none")] * CAP,
        *[("duplicate", "no_hash_cap")] * 2,
    ]
    assert judged(made(visits, Opened(link=b"m" * 16), sec_gpc="1")) == ("human", "none")
    assert judged(made(visits)) == ("human", "none")  # whoever does not ask is known as ever
    assert made(visits, sec_gpc="0").visitor


def test_what_nobody_visits_has_no_hash_and_makes_no_duplicate(visits: Visits) -> None:
    kinds: tuple[dict[str, Any], ...] = (
        {"user_agent": "Googlebot/2.1"},
        {"user_agent": ""},
        {"user_agent": "WhatsApp/2.24"},
        {"sec_purpose": "prefetch"},
    )
    for nobody in kinds:
        visit = made(visits, **nobody)
        assert judged(visit)[0] in {"bot", "preview", "prefetch"}
        assert visit.visitor == b""
    assert judged(made(visits)) == ("human", "none")


def test_a_stuffed_frame_is_counted_by_visitor(visits: Visits) -> None:
    stuffed = made(visits, sec_fetch_dest="iframe")
    assert judged(stuffed) == ("embedded", "embedded_frame")
    click = made(visits)
    assert judged(click) == ("human", "none")
    assert stuffed.visitor == click.visitor


def told(visits: Visits, link: Opened | None = None, **changes: Any) -> Visit:
    opener = Opener(bytes((203, 0, 113, 7)), b"DE", BROWSER, private=False)
    return Visit(*visits.told(opener._replace(**changes), link or Opened()))


def test_a_told_click_is_its_visitor_s(visits: Visits) -> None:
    assert judged(told(visits)) == ("human", "none")
    assert judged(made(visits)) == ("duplicate", "same_visitor")
    assert judged(told(visits, agent=b"curl/8.5"))[0] == "bot"
    assert told(visits, private=True).visitor == b""


def test_what_was_not_told_is_not_held_against_a_click(visits: Visits) -> None:
    found = [told(visits, address=None, agent=None) for _ in range(CAP + 5)]
    assert {judged(visit) for visit in found} == {("human", "none")}
    assert found[0] == Visit(CLASSES["human"], 0, b"", b"DE", b"")


def test_a_told_wish_for_privacy_is_capped_with_an_address_and_without(visits: Visits) -> None:
    """Or any visitor of a server that then keeps the address back could go past the cap."""
    found = [told(visits, private=True, address=None) for _ in range(CAP)]
    assert {judged(visit) for visit in found} == {("human", "none")}
    for address in (None, b"", bytes((203, 0, 113, 7))):
        over = told(visits, private=True, address=address)
        assert judged(over) == ("duplicate", "no_hash_cap")
        assert (over.visitor, over.network) == (b"", b"")
    assert judged(told(visits, private=True, address=None, agent=b"curl/8.5"))[0] == "bot"


def test_a_page_s_own_wish_for_privacy_is_capped(visits: Visits) -> None:
    """With a publishable key the browser's request itself tells, whatever its body says."""
    headers = {b"user-agent": BROWSER, b"sec-gpc": b"1"}
    scope: dict[str, Any] = {"client": None, "headers": list(headers.items())}
    found = [Visit(*visits.told(visits.opener(scope, headers), Opened())) for _ in range(CAP + 1)]
    assert [judged(visit)[0] for visit in found] == [*["human"] * CAP, "duplicate"]


def test_two_hundred_clicks_without_a_hash_are_a_link_s_cap_by_default(tmp_path: Path) -> None:
    visits = Visits(Settings(), tmp_path, KEYS)
    found = [judged(told(visits, private=True)) for _ in range(202)]
    assert found == [("human", "none")] * 200 + [("duplicate", "no_hash_cap")] * 2


def test_each_node_has_a_cap_of_its_own(tmp_path: Path) -> None:
    """Two nodes let twice as many count as humans; processes of one node share a cap."""
    settings = Settings(unhashed_clicks=CAP)
    for name in "ab":
        (tmp_path / name).mkdir()
        node = Visits(settings, tmp_path / name, KEYS)
        found = [judged(told(node, private=True))[0] for _ in range(CAP + 1)]
        assert found == [*["human"] * CAP, "duplicate"]
    beside = Visits(settings, tmp_path / "a", KEYS)
    assert judged(told(beside, private=True))[0] == "duplicate"


def test_without_a_salt_nobody_is_hashed(tmp_path: Path) -> None:
    visits = Visits(Settings(unhashed_clicks=CAP), tmp_path, KEYS)
    found = [told(visits) for _ in range(CAP + 1)]
    assert {visit.visitor for visit in found} == {b""}
    assert [judged(visit)[0] for visit in found] == [*["human"] * CAP, "duplicate"]
