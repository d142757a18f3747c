"""A link's QR images and share kit, read back as their readers would."""

import struct
import zlib
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


@pytest.mark.parametrize(("query", "scale"), [("&scale=1", 1), ("&scale=3", 3), ("", 10)])
async def test_the_png_shows_the_short_url(api: Api, link: Any, query: str, scale: int) -> None:
    answer = await api.send("GET", f"/links/{link['id']}/qr?format=png{query}")
    assert answer.headers["content-type"] == "image/png"
    url = link["short_url"]
    assert pixels(answer.content) == drawn(url, scale)
    # Another link's image is as large, and is told from this one.
    assert pixels(answer.content) != drawn(f"{url[:-1]}{'a' if url[-1] != 'a' else 'b'}", scale)


def drawn(url: str, scale: int) -> list[str]:
    """Rows of dark (0) and light (1) pixels: the code of a URL amid four light modules."""
    rows = segno.make_qr(url, error="m").matrix_iter(scale=scale, border=4)
    return ["".join("0" if dark else "1" for dark in row) for row in rows]


def pixels(png: bytes) -> list[str]:
    """Rows of black (0) and white (1) pixels of a PNG that has one bit a pixel.

    Of the filters of PNG's lines, as they are (0) and added to the line above (2).
    """
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    chunks, at = dict[bytes, bytes](), 8
    while at < len(png):
        length, kind = struct.unpack_from(">I4s", png, at)
        body = png[at + 8 : at + 8 + length]
        assert zlib.crc32(kind + body) == struct.unpack_from(">I", png, at + 8 + length)[0]
        chunks[kind] = chunks.get(kind, b"") + body
        at += length + 12
    width, height, *form = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    assert form == [1, 0, 0, 0, 0]
    lines, row = zlib.decompress(chunks[b"IDAT"]), 1 + (width + 7) // 8
    assert len(lines) == height * row
    above, found = bytes(row - 1), []
    for start in range(0, len(lines), row):
        method, line = lines[start], lines[start + 1 : start + row]
        assert method in (0, 2)
        if method == 2:
            line = bytes((one + up) % 256 for one, up in zip(line, above, strict=True))
        found.append("".join(f"{byte:08b}" for byte in line)[:width])
        above = line
    return found


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
