"""`?to=/path` shows another page of the link's own site, and can do nothing else."""

from urllib.parse import quote

import pytest
from ada_url import URL
from hypothesis import example, given
from hypothesis import strategies as st

from app.redirect.deep import path_of
from tests.redirect.test_target import TOKEN, location

SITE = "https://shop.example:8443/landing?plan=pro#top"
TRICKS = st.lists(
    st.sampled_from(
        [
            *("/", "//", "\\", ":", "@", "?", "#", "&", ";", ".", "..", "%", "%2f", "%2F", "%5c"),
            *("%252f", "%2e", "%2e%2e", "%09", "%0d%0a", "%00", "\t", "\r\n", " ", "+", "\x00"),
            *("https:", "javascript:", "evil.example", "[::1]", "ü", "%c3%bc", "a", "%zz", "="),
        ]
    ),
    max_size=9,
).map("".join)


@pytest.mark.parametrize(
    ("to", "path"),
    [
        ("/pricing", "/pricing"),
        ("/", "/"),
        ("/a/b/", "/a/b/"),
        ("/a/../b", "/b"),
        ("/a/./b", "/a/b"),
        ("/a%20b", "/a%20b"),
        ("/a+b", "/a%20b"),
        ("/caf%C3%A9", "/caf%C3%A9"),
        ("/caf%25C3%25A9", "/caf%C3%A9"),
        ("/@ana:x;v=1,2!$'()*~", "/@ana:x;v=1,2!$'()*~"),
        ('/"<b>^`{|}', "/%22%3Cb%3E%5E%60%7B%7C%7D"),
    ],
)
def test_a_path_is_joined_to_the_stored_origin(to: str, path: str) -> None:
    url = URL(location(f"to={to}&x=1".encode(), SITE))
    assert (url.origin, url.hash) == ("https://shop.example:8443", "")
    assert url.pathname == URL(f"https://shop.example:8443{path}").pathname
    assert url.search == f"?plan=pro&x=1&click_id={TOKEN.decode()}"


@pytest.mark.parametrize(
    "to",
    [
        *("", "pricing", "//evil.example", "///evil.example", "/\\evil.example", "\\/evil.example"),
        *("/%2fevil.example", "/%2Fevil.example", "%2f%2fevil.example", "/%252fevil.example"),
        *("/%25252fevil.example", "/%2525252fevil.example", "/%5cevil.example", "/%255cevil"),
        *("/%09/evil.example", "/%0a/evil.example", "/a%0d%0aSet-Cookie:a=b", "/a%00b", "/a%7f"),
        *("/a%250d%250ab", "/..", "/../a", "/a/../../b", "/%2e%2e/a", "/%252e%252e/a", "/.%2e/a"),
        *("/..;/a", "/a/..;x/../b", "/a//b", "https://evil.example", "https:evil.example"),
        *("javascript:alert(1)", "/https://evil.example", "@evil.example", ".evil.example"),
        *(":80/", "/a?b=c", "/a%3Fb=c", "/a%23b", "/%zz", "/%25", "/%2", "/a%25zz"),
    ],
)
def test_anything_else_shows_the_links_own_page(to: str) -> None:
    query = f"to={to}&x=1"
    assert location(query.encode(), SITE) == (
        f"https://shop.example:8443/landing?plan=pro&x=1&click_id={TOKEN.decode()}#top"
    )


def test_the_first_one_counts_and_none_is_passed_on() -> None:
    found = location(b"to=/a&to=/b&TO=//evil&t%6F=/c", "https://shop.example/")
    assert found == f"https://shop.example/a?click_id={TOKEN.decode()}"
    kept = location(b"t%6F=/c", "https://shop.example/x?to=own")
    assert kept == f"https://shop.example/x?to=own&click_id={TOKEN.decode()}"


@given(TRICKS | st.text(max_size=30), st.sampled_from(["{}", "/{}", "//{}", "/a/{}"]))
@example("/evil.example", "/{}")
@example("\t/evil.example", "/{}")
def test_no_path_leads_off_the_stored_origin(text: str, form: str) -> None:
    wanted = form.format(text)
    for query in (
        b"to=" + wanted.encode("utf-8", "surrogatepass"),
        f"to={quote(wanted, safe='', errors='replace')}".encode(),
        f"to={quote(quote(wanted, safe='', errors='replace'), safe='')}".encode(),
    ):
        found = location(query, SITE)
        assert found.isascii()
        assert found.isprintable()
        assert " " not in found
        url = URL(found)
        assert url.origin == "https://shop.example:8443"
        assert not url.username
        assert not url.password
        assert "//" not in url.pathname
        assert url.search.startswith("?plan=pro&")
        assert url.search.endswith(f"click_id={TOKEN.decode()}")


@given(TRICKS)
def test_a_path_that_is_taken_means_the_same_when_decoded_again(text: str) -> None:
    """So that no proxy behind us reads out of it what we did not see in it."""
    path = path_of(f"/{text}")
    if path is not None:
        assert path_of(path) == path
