"""`/ff.js` as caches and browsers get it. What it does there is tested in tests/browser."""

import gzip
from pathlib import Path

import httpx
import pytest

from app.site import script
from app.site.script import MAX_GZIPPED_BYTES, TEXT, VERSION, Script
from tests.redirect.making import inner


async def ask(path: str = "/ff.js", method: str = "GET", **headers: str) -> httpx.Response:
    transport = httpx.ASGITransport(Script(inner))
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    async with httpx.AsyncClient(transport=transport, base_url="http://go.example") as client:
        return await client.request(method, path, headers={"accept-encoding": "", **sent})


async def test_it_is_small_and_javascript() -> None:
    answer = await ask(accept_encoding="gzip, br")
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert answer.headers["content-encoding"] == "gzip"
    assert int(answer.headers["content-length"]) <= MAX_GZIPPED_BYTES == 2_000
    assert answer.content == TEXT
    assert b"//" not in TEXT.replace(b"https://", b"")


def test_the_source_has_comments_on_lines_of_their_own_only() -> None:
    source = Path(script.__file__).with_name("ff.js").read_text()
    for line in source.splitlines():
        code, comment, _ = line.replace("https://", "").partition("//")
        assert not (comment and code.strip()), line
    assert not any(line.count("`") % 2 for line in source.splitlines())


@pytest.mark.parametrize("accepted", ["", "br", "gzip;q=0", "identity", "gzip; q=0.0, br"])
async def test_it_comes_plain_to_who_takes_no_gzip(accepted: str) -> None:
    answer = await ask(accept_encoding=accepted)
    assert "content-encoding" not in answer.headers
    assert answer.headers["vary"] == "Accept-Encoding"
    assert answer.content == TEXT


async def test_each_encoding_has_a_tag_of_its_own_and_is_sent_once() -> None:
    tags = set()
    for accepted in ("gzip", "br"):
        tag = (await ask(accept_encoding=accepted)).headers["etag"]
        tags.add(tag)
        for known in (tag, f'"other", W/{tag}'):
            again = await ask(accept_encoding=accepted, if_none_match=known)
            assert (again.status_code, again.content) == (304, b"")
            assert again.headers["etag"] == tag
        assert (await ask(accept_encoding=accepted, if_none_match='"other"')).status_code == 200
    assert len(tags) == 2


async def test_only_the_pinned_version_is_kept_for_good() -> None:
    assert (await ask()).headers["cache-control"] == "public, max-age=3600"
    assert (await ask("/ff.js?v=older")).headers["cache-control"] == "public, max-age=3600"
    pinned = (await ask(f"/ff.js?v={VERSION}")).headers["cache-control"]
    assert pinned == "public, max-age=31536000, immutable"


async def test_head_has_no_body_and_others_are_refused() -> None:
    head = await ask(method="HEAD")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(TEXT))
    refused = await ask(method="POST")
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD")
    assert (await ask("/ff.jsx")).text == "inner"


def test_the_same_text_makes_the_same_bytes() -> None:
    assert gzip.compress(TEXT, 9, mtime=0) == script.GZIPPED
