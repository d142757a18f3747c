"""UTM parameters: the link's over the program's, the destination's own over both."""

from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import orjson
import pytest

from app.ids import encode
from tests.redirect.test_target import LINK, PARTNER, location


def utm_of(
    utm: dict[str, str],
    query: bytes = b"",
    destination: str = "https://shop.example/",
    **changes: Any,
) -> dict[str, str]:
    found = location(query, destination, utm=orjson.dumps(utm).decode(), **changes)
    pairs = parse_qsl(urlsplit(found).query, keep_blank_values=True)
    utms = [name for name, _ in pairs if name.lower().startswith("utm_")]
    assert len(set(utms)) == len(utms)
    return {name: value for name, value in pairs if name != "click_id"}


def test_placeholders_are_filled_from_the_link() -> None:
    templates = {"source": "{partner}", "medium": "a & b", "campaign": "{link_code}/{asset}"}
    assert utm_of({**templates, "term": "{link}"}, asset="banner:1") == {
        "utm_source": encode("part", PARTNER),
        "utm_medium": "a & b",
        "utm_campaign": "spring/banner:1",
        "utm_term": encode("link", LINK),
    }


def test_sub_ids_come_from_the_link_else_from_the_visitor() -> None:
    templates = {"content": "{sub1}-{sub2}-{sub3}"}
    found = utm_of(templates, b"sub1=evil&sub2=b%26c&sub2=d&SUB3=e", subs='{"sub1": "a"}')
    assert found["utm_content"] == "a-b&c-"
    assert utm_of(templates)["utm_content"] == "--"
    own = utm_of({"content": "{sub1}"}, b"sub1=b", "https://shop.example/?sub1=own")
    assert own == {"sub1": "own", "utm_content": "own"}


def test_the_destination_s_own_parameters_stay_and_a_visitor_s_come_last() -> None:
    destination = "https://shop.example/?UTM_Source=own"
    templates = {"source": "ours", "medium": "email", "content": "{sub1}"}
    query = b"utm_source=x&utm_medium=y&utm_content=z&utm_term=t&sub1=s"
    assert utm_of(templates, query, destination) == {
        "UTM_Source": "own",
        "utm_medium": "email",
        "utm_content": "s",
        "utm_term": "t",
        "sub1": "s",
    }
    assert utm_of({"source": "t"}, subs='{"utm_source": "s"}') == {"utm_source": "s"}


@pytest.mark.parametrize(
    ("template", "query"), [("", b""), ("{asset}", b""), ("{sub4}", b""), ("{sub4}", b"=x")]
)
def test_an_empty_one_is_left_out_and_lets_the_visitor_s_pass(template: str, query: bytes) -> None:
    assert "utm_content" not in utm_of({"content": template}, query)
    found = utm_of({"content": template}, b"utm_content=theirs")
    assert found == {"utm_content": "theirs"}


def test_values_can_not_become_parameters_or_headers() -> None:
    found = location(
        b"sub1=a%26click_id=evil%0d%0aX:%20y%23z%FF",
        utm=orjson.dumps({"source": "{sub1}&x=\r\n#ü{sub2}"}).decode(),
    )
    assert found.isascii()
    assert found.isprintable()
    assert "#" not in found
    query = parse_qs(urlsplit(found).query, encoding="latin-1")
    assert query["click_id"] == ["T" * 60]
    sub1 = "a&click_id=evil\r\nX: y#z\xff"
    assert query["sub1"] == [sub1]
    assert query["utm_source"] == [sub1 + "&x=\r\n#" + "ü".encode().decode("latin-1")]


def test_filled_in_text_is_not_read_again() -> None:
    found = utm_of({"content": "{sub1}"}, b"sub2=x", subs='{"sub1": "{sub2}{link_code}"}')
    assert found["utm_content"] == "{sub2}{link_code}"


def test_labels_stay_on_a_deep_link() -> None:
    found = location(b"to=/pricing", utm='{"source": "partners"}')
    assert found.startswith("https://shop.example/pricing?utm_source=partners&click_id=")
