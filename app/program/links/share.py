"""What a partner needs to pass a link on: QR images, and addresses that open a ready post."""

import html
import io
from typing import Annotated, Final, Literal
from urllib.parse import quote, urlencode

import segno
from fastapi import Query

from app.wire import Out

ImageFormat = Literal["svg", "png"]
MEDIA_TYPES: Final[dict[ImageFormat, str]] = {"svg": "image/svg+xml", "png": "image/png"}
Scale = Annotated[int, Query(ge=1, le=40, description="How many pixels wide a module is.")]
Text = Annotated[
    str, Query(max_length=500, description="What the post says beside the link; none if absent.")
]


class SocialOut(Out):
    """Addresses that open each network with a post to confirm."""

    x: str
    facebook: str
    linkedin: str
    whatsapp: str
    telegram: str


class QrOut(Out):
    """Addresses of the images; they need an API key."""

    svg: str
    png: str


class ShareOut(Out):
    """html: a snippet for a page. mailto: opens the reader's mail program.

    impression_url: a transparent pixel that counts where the link is shown. counted_html: the
    snippet with it; put a banner in the place of the words.
    """

    short_url: str
    mailto: str
    social: SocialOut
    html: str
    impression_url: str
    counted_html: str
    qr: QrOut


def qr_image(url: str, image: ImageFormat, scale: int) -> bytes:
    """The QR code of a URL, readable with 15 % of it covered, with the margin that scanners need.

    Source: ISO/IEC 18004, level M, four modules of quiet zone.
    """
    out = io.BytesIO()
    code = segno.make_qr(url, error="m")
    if image == "svg":
        # A fixed white ground: dark pages would swallow a transparent code.
        code.save(out, kind="svg", scale=scale, light="#fff", xmldecl=False, nl=False)
    else:
        code.save(out, kind="png", scale=scale)
    return out.getvalue()


def kit(short_url: str, qr_url: str, text: str) -> ShareOut:
    """qr_url: the route of the images. text: the poster's words, may be empty."""
    words = f"{text} {short_url}" if text else short_url
    subject = {"subject": text} if text else {}
    pixel = _pixel(short_url)
    # Search engines ask for `sponsored` where a link is paid for.
    opening = f'<a href="{html.escape(short_url)}" rel="sponsored noopener">'
    shown = html.escape(text or short_url)
    return ShareOut(
        short_url=short_url,
        mailto=_with("mailto:", {**subject, "body": words}),
        social=SocialOut(
            x=_with("https://x.com/intent/post", {"text": text, "url": short_url}),
            facebook=_with("https://www.facebook.com/sharer/sharer.php", {"u": short_url}),
            linkedin=_with("https://www.linkedin.com/sharing/share-offsite/", {"url": short_url}),
            whatsapp=_with("https://wa.me/", {"text": words}),
            telegram=_with("https://t.me/share/url", {"url": short_url, "text": text}),
        ),
        html=f"{opening}{shown}</a>",
        impression_url=pixel,
        # Lazily: what nobody scrolls to was not shown. Whose page it is, we need not know.
        counted_html=f'{opening}{shown}<img src="{html.escape(pixel)}" width="1" height="1" alt=""'
        ' loading="lazy" referrerpolicy="no-referrer"></a>',
        qr=QrOut(svg=f"{qr_url}?format=svg", png=f"{qr_url}?format=png"),
    )


def _pixel(short_url: str) -> str:
    base, _, code = short_url.rpartition("/r/")
    return f"{base}/i/{code}.gif"


def _with(address: str, query: dict[str, str]) -> str:
    """Spaces as `%20`: a mail program shows a plus as one."""
    given = {name: value for name, value in query.items() if value}
    return f"{address}?{urlencode(given, quote_via=quote, safe='')}"
