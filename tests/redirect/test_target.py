import re
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.redirect.link_row import LinkRow, ProgramRow
from app.redirect.target import Target

TOKEN = b"T" * 60
LINK = UUID("01932f2a-0000-7000-8000-00000000beef")
PARTNER = UUID("01932f2a-0000-7000-8000-00000000cafe")
PROGRAM = ProgramRow(
    id=UUID("01932f2a-0000-7000-8000-00000000f00d").bytes,
    workspace=bytes(16),
    click_parameter="click_id",
    utm="{}",
    keeps_network=False,
    archived=False,
)


def row(destination: str = "https://shop.example/a", **changes: Any) -> LinkRow:
    base = LinkRow(
        id=LINK.bytes,
        host="",
        code="spring",
        destination=destination,
        fallback=None,
        subs="{}",
        expires_at=None,
        archived=False,
        utm="{}",
        partner=PARTNER.bytes,
        asset="",
        program=PROGRAM.id,
    )
    return base._replace(**changes)


def location(
    query: bytes = b"",
    destination: str = "https://shop.example/a",
    program: ProgramRow = PROGRAM,
    **changes: Any,
) -> str:
    before, after, _ = Target(row(destination, **changes), program).way(query)
    return (before + TOKEN + after).decode()


def test_the_token_goes_before_the_fragment() -> None:
    assert location(destination="https://shop.example/#/cart?x=1") == (
        f"https://shop.example/?click_id={'T' * 60}#/cart?x=1"
    )


def test_the_destinations_own_query_and_the_subs_stay() -> None:
    found = location(
        b"b=2&plan=free&SUB1=evil&click_id=evil&CLICK_ID=evil",
        destination="https://shop.example/a?plan=pro",
        subs='{"sub1": "news letter", "plan": "other"}',
    )
    assert parse_qsl(urlsplit(found).query) == [
        ("plan", "pro"),
        ("sub1", "news letter"),
        ("b", "2"),
        ("click_id", "T" * 60),
    ]


def test_a_renamed_parameter_carries_the_token() -> None:
    program = PROGRAM._replace(click_parameter="ref")
    found = location(b"click_id=theirs&ref=evil", program=program)
    assert parse_qsl(urlsplit(found).query) == [("click_id", "theirs"), ("ref", "T" * 60)]


def test_a_destination_with_the_tokens_name_does_not_hide_it() -> None:
    found = location(destination="https://shop.example/a?click%5Fid=old&x=1")
    assert parse_qs(urlsplit(found).query) == {"x": ["1"], "click_id": ["T" * 60]}


def test_what_is_beyond_twenty_keys_or_2048_bytes_is_dropped_whole() -> None:
    many = "&".join(f"k{n}=v" for n in range(30)).encode()
    assert [name for name, _ in parse_qsl(urlsplit(location(many)).query)] == [
        *(f"k{n}" for n in range(20)),
        "click_id",
    ]
    long = b"a=1&b=" + b"x" * 3_000
    assert list(parse_qs(urlsplit(location(long)).query)) == ["a", "click_id"]
    assert list(parse_qs(urlsplit(location(b"y" * 5_000)).query)) == ["click_id"]
    exact = b"a=" + b"x" * 1_021 + b"&b=" + b"y" * 1_022
    assert len(exact) == 2_048
    assert list(parse_qs(urlsplit(location(exact)).query)) == ["a", "b", "click_id"]
    assert list(parse_qs(urlsplit(location(exact + b"&")).query)) == ["a", "b", "click_id"]
    assert list(parse_qs(urlsplit(location(exact + b"y")).query)) == ["a", "click_id"]


@pytest.mark.parametrize(
    "query",
    [
        b"x=%0d%0aSet-Cookie:a=b",
        b"x=\r\nSet-Cookie:a=b",
        b"x=%00",
        b"#https://evil.example",
        b"@evil.example/",
        b"x=1#y",
        b"\\@evil.example",
        b"%",
        b"%zz=%z",
        b"\xff\xfe=\x80",
        b"&&&=&=1&",
    ],
)
def test_a_query_stays_a_query(query: bytes) -> None:
    found = location(query, destination="https://shop.example/a#end")
    assert found.startswith("https://shop.example/a?")
    assert found.endswith(f"click_id={'T' * 60}#end")
    assert re.fullmatch(r"[!-~]+", found)
    assert found.count("#") == 1


@given(st.binary(max_size=2_500))
def test_any_query_ends_with_our_token_on_the_stored_host(query: bytes) -> None:
    found = location(query)
    assert re.fullmatch(r"https://shop\.example/a\?[!-\"$-~]*", found)
    assert parse_qs(urlsplit(found).query)["click_id"] == ["T" * 60]


@given(st.lists(st.tuples(st.binary(min_size=1, max_size=9), st.binary(max_size=9)), max_size=9))
def test_bytes_of_any_encoding_pass_unchanged(pairs: list[tuple[bytes, bytes]]) -> None:
    quoted = "&".join(f"p{a.hex()}=%{'%'.join(f'{x:02X}' for x in b + b'.')}" for a, b in pairs)
    found = parse_qsl(urlsplit(location(quoted.encode())).query, encoding="latin-1")
    assert [value.encode("latin-1") for _, value in found[:-1]] == [b + b"." for _, b in pairs]


def test_a_stored_url_can_not_break_the_header() -> None:
    found = location(destination='https://shop.example/ü\r\nX: y?q="<>')
    assert re.fullmatch(r"[!-~]+", found)
    assert found.startswith("https://shop.example/%C3%BC%0D%0AX:%20y?q=%22%3C%3E&click_id=")
