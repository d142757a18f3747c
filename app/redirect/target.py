"""Where one link sends its visitors, worked out once: all that a redirect has to join.

A Location starts with the stored destination, always. What a request brings is decoded and
encoded anew before it is put into the query, so it can't end the URL, the line or the header.
"""

import json
import re
from typing import Final, NamedTuple
from urllib.parse import parse_qsl, quote, unquote_plus, urlencode

from app.redirect import deep

DEEP: Final = "to"
"""The request's parameter that names another page of the link's site; never passed on."""
MAX_QUERY_BYTES: Final = 2_048
MAX_QUERY_KEYS: Final = 20
_URL_CHARACTERS: Final = "!#$%&'()*+,-./:;=?@[]_~"
_ENCODING: Final = "latin-1"  # any byte there and back, whatever the visitor's encoding was
_ORIGIN: Final = re.compile(r"https?://[^/?#]*")
_DEEP_QUERY: Final = f"{DEEP}=".encode()


class LinkRow(NamedTuple):
    """A link as the replica keeps it."""

    id: bytes
    host: str
    code: str
    destination: str
    click_parameter: str
    fallback: str | None
    subs: str
    """JSON: {name: value}."""
    expires_at: float | None
    """Seconds since 1970."""
    archived: bool


class Target:
    """A link ready to redirect: `target.location(token)`, or with the request's query."""

    __slots__ = (
        *("_base", "_click", "_end", "_origin", "_own", "_query"),
        *("expires_at", "fallback", "link"),
    )

    def __init__(self, row: LinkRow) -> None:
        self.link = row.id
        self.expires_at = 0.0 if row.archived else (row.expires_at or float("inf"))
        """Seconds since 1970; an archived link has always been expired."""
        self.fallback = _clean(row.fallback).encode() if row.fallback else None
        rest, mark, fragment = _clean(row.destination).partition("#")
        path, _, query = rest.partition("?")
        # The token has one place. A parameter of its name in the destination would hide it.
        pieces = [
            piece for piece in query.split("&") if piece and _name(piece) != row.click_parameter
        ]
        own = {_name(piece).lower() for piece in pieces}
        for name, value in sorted(json.loads(row.subs).items()):
            if name.lower() not in own and name != row.click_parameter:
                pieces.append(urlencode({name: value}))
        self._own = own | {_name(piece).lower() for piece in pieces}
        self._own |= {row.click_parameter.lower(), DEEP}
        origin = _ORIGIN.match(path)
        self._origin = origin[0].encode() if origin else b""
        self._query = f"?{''.join(f'{piece}&' for piece in pieces)}".encode()
        self._base = path.encode() + self._query
        self._click = f"{quote(row.click_parameter, safe='')}=".encode()
        self._end = (mark + fragment).encode()

    def location(self, token: bytes, query: bytes = b"") -> bytes:
        """The address to send the visitor to. query: the request's own, raw."""
        if not query:
            return b"".join((self._base, self._click, token, self._end))
        pairs = _pairs(query)
        passed = self._passed(pairs)
        if _DEEP_QUERY in query and (path := _deep_path(pairs)) and self._origin:
            # Another page: the destination's parameters stay, its place within the page doesn't.
            return b"".join((self._origin, path, self._query, passed, self._click, token))
        return b"".join((self._base, passed, self._click, token, self._end))

    def _passed(self, pairs: list[tuple[str, str]]) -> bytes:
        """The request's parameters that neither the destination nor the link has, with a `&`."""
        kept = [pair for pair in pairs if pair[0].lower() not in self._own]
        return f"{urlencode(kept, encoding=_ENCODING)}&".encode() if kept else b""


def is_web_address(url: str) -> bool:
    """Whether a stored destination may be redirected to at all; creation has validated it."""
    return url.startswith(("https://", "http://"))


def _pairs(query: bytes) -> list[tuple[str, str]]:
    """The query's parameters, decoded, as many as we pass on."""
    if len(query) > MAX_QUERY_BYTES:
        query = query[: MAX_QUERY_BYTES + 1].rpartition(b"&")[0]
    pairs = parse_qsl(
        query.decode(_ENCODING), keep_blank_values=True, encoding=_ENCODING, separator="&"
    )
    return pairs[:MAX_QUERY_KEYS]


def _deep_path(pairs: list[tuple[str, str]]) -> bytes | None:
    for name, value in pairs:
        if name == DEEP:
            path = deep.path_of(value)
            return path.encode() if path else None
    return None


def _clean(url: str) -> str:
    """Stored URLs are in normal form already; this holds if one ever is not."""
    return quote(url, safe=_URL_CHARACTERS)


def _name(piece: str) -> str:
    return unquote_plus(piece.partition("=")[0])
