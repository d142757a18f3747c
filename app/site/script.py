"""`GET /ff.js`: the script that marketing sites embed, in front of the API, from memory.

Its version is a digest of its text. `/ff.js?v=<version>` never changes and may be kept for good;
plain `/ff.js` is asked for again after an hour, and mostly answered 304.
"""

import gzip
import hashlib
from pathlib import Path
from typing import Final

from starlette.datastructures import Headers, QueryParams
from starlette.types import ASGIApp, Receive, Scope, Send

PATH: Final = "/ff.js"
MAX_GZIPPED_BYTES: Final = 2_000
_FOR_GOOD: Final = "public, max-age=31536000, immutable"
_FOR_AN_HOUR: Final = "public, max-age=3600"


def _compact(source: str) -> bytes:
    """Without comments and indentation; the source has both on lines of their own only."""
    lines = (line.strip() for line in source.splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("//")).encode()


TEXT: Final = _compact(Path(__file__).with_name("ff.js").read_text())
GZIPPED: Final = gzip.compress(TEXT, 9, mtime=0)
VERSION: Final = hashlib.sha256(TEXT).hexdigest()[:16]


class Script:
    """ASGI in front of `inner`; answers /ff.js in every role, with or without Postgres."""

    def __init__(self, inner: ASGIApp) -> None:
        self._inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != PATH:
            await self._inner(scope, receive, send)
            return
        status, headers, body = _answer(scope)
        sent = [(name.encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": status, "headers": sent})
        shown = b"" if scope["method"] == "HEAD" else body
        await send({"type": "http.response.body", "body": shown})


def _answer(scope: Scope) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body."""
    if scope["method"] not in {"GET", "HEAD"}:
        return 405, {"allow": "GET, HEAD", "content-length": "0"}, b""
    asked = Headers(scope=scope)
    zipped = _takes_gzip(asked.get("accept-encoding", ""))
    # A strong tag names bytes, and the two encodings have different ones.
    tag = f'"{VERSION}{"-gzip" if zipped else ""}"'
    pinned = QueryParams(scope["query_string"]).get("v") == VERSION
    headers = {
        "etag": tag,
        "cache-control": _FOR_GOOD if pinned else _FOR_AN_HOUR,
        "vary": "Accept-Encoding",
        # Sites load it from their own origins, some with `crossorigin` and an integrity digest.
        "access-control-allow-origin": "*",
        "cross-origin-resource-policy": "cross-origin",
        "x-content-type-options": "nosniff",
    }
    if tag in (one.strip().removeprefix("W/") for one in asked.get("if-none-match", "").split(",")):
        return 304, headers, b""
    body = GZIPPED if zipped else TEXT
    headers |= {"content-type": "text/javascript; charset=utf-8", "content-length": str(len(body))}
    if zipped:
        headers["content-encoding"] = "gzip"
    return 200, headers, body


def _takes_gzip(accepted: str) -> bool:
    for one in accepted.lower().split(","):
        name, _, quality = one.partition(";")
        if name.strip() in {"gzip", "*"}:
            return quality.replace(" ", "") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return False
