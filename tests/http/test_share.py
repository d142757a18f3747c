"""A link's QR images and share kit, read back as their readers would."""

import struct
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.etree import ElementTree as ET

import pytest
import segno

from tests.http.client import Api, make_partner, make_program


@pytest.fixture
async def link(api: Api) -> Any:
    return (await make_partner(api, await make_program(api)))["default_link"]


def modules(url: str) -> int:
    """The side of the code with its margin."""
    return int(segno.make_qr(url, error="m").symbol_size(border=4)[0])


async def test_the_svg_draws_the_short_url(api: Api, link: Any) -> None:
    answer = await api.send("GET", f"/links/{link['id']}/qr")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/svg+xml"
    root = ET.fromstring(answer.text)
    side = modules(link["short_url"])
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert root.attrib["width"] == root.attrib["height"] == str(side * 10)
    ground, dark = root.iter("{http://www.w3.org/2000/svg}path")
    assert ground.attrib["fill"] == "#fff"
    expected = segno.make_qr(link["short_url"], error="m").svg_inline(scale=10)
    assert dark.attrib["d"] in expected


async def test_the_png_has_the_size_that_was_asked_for(api: Api, link: Any) -> None:
    answer = await api.send("GET", f"/links/{link['id']}/qr?format=png&scale=3")
    assert answer.headers["content-type"] == "image/png"
    assert answer.content.startswith(b"\x89PNG\r\n\x1a\n")
    side = modules(link["short_url"]) * 3
    assert struct.unpack(">II", answer.content[16:24]) == (side, side)


@pytest.mark.parametrize(
    "query", ["format=gif", "scale=0", "scale=41", "scale=x", "size=3", "format=svg%00"]
)
async def test_other_images_are_refused(api: Api, link: Any, query: str) -> None:
    await api.get(f"/links/{link['id']}/qr?{query}", status=422)


async def test_the_share_kit_carries_the_link_and_the_words(api: Api, link: Any) -> None:
    words = 'Tea & "cake" <50 %> für alle?'
    kit = await api.get(
        f"/links/{link['id']}/share?text={words.replace('%', '%25').replace('&', '%26')}"
    )
    url = link["short_url"]
    assert kit["short_url"] == url
    assert kit["html"] == (
        f'<a href="{url}" rel="sponsored noopener">'
        "Tea &amp; &quot;cake&quot; &lt;50 %&gt; für alle?</a>"
    )
    assert kit["impression_url"] == url.replace("/r/", "/i/") + ".gif"
    assert kit["counted_html"] == kit["html"].replace(
        "</a>",
        f'<img src="{kit["impression_url"]}" width="1" height="1" alt="" loading="lazy"'
        ' referrerpolicy="no-referrer"></a>',
    )
    found = {name: parse_qs(urlsplit(post).query) for name, post in kit["social"].items()}
    assert found == {
        "x": {"text": [words], "url": [url]},
        "facebook": {"u": [url]},
        "linkedin": {"url": [url]},
        "whatsapp": {"text": [f"{words} {url}"]},
        "telegram": {"url": [url], "text": [words]},
    }
    mail = urlsplit(kit["mailto"])
    assert (mail.scheme, mail.path) == ("mailto", "")
    assert [unquote(one.partition("=")[2]) for one in mail.query.split("&")] == [
        words,
        f"{words} {url}",
    ]
    assert "+" not in mail.query
    image = await api.send("GET", kit["qr"]["png"].partition("/v1")[2])
    assert image.headers["content-type"] == "image/png"


async def test_without_words_the_link_stands_alone(api: Api, link: Any) -> None:
    kit = await api.get(f"/links/{link['id']}/share")
    assert parse_qs(urlsplit(kit["social"]["telegram"]).query) == {"url": [link["short_url"]]}
    assert kit["html"].endswith(f">{link['short_url']}</a>")
    assert "subject" not in kit["mailto"]
    await api.get(f"/links/{link['id']}/share?text={'x' * 501}", status=422)
