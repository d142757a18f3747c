"""Where one link sends its visitors, worked out once: all that a redirect has to join.

A Location starts with the stored destination, always. What a request brings is decoded and
encoded anew before it is put into the query, so it can't end the URL, the line or the header.
"""

import json
import re
from collections.abc import Collection, Iterable
from functools import lru_cache
from typing import Final, TypeVar
from urllib.parse import quote, quote_plus, unquote_plus, urlencode

from app.core import utm
from app.redirect import deep
from app.redirect.labels import labels_of
from app.redirect.link_row import LinkRow, ProgramRow

DEEP: Final = "to"
"""The request's parameter that names another page of the link's site; never passed on."""
MAX_QUERY_BYTES: Final = 2_048
MAX_QUERY_KEYS: Final = 20
MAX_SUB_BYTES: Final = 100
"""Longer sub-ids are passed on but not recorded: cut ones would be taken for others."""
_URL_CHARACTERS: Final = "!#$%&'()*+,-./:;=?@[]_~"
_UNQUOTED: Final = re.compile(r"[0-9A-Za-z_.~-]*")
_CLEAN: Final = re.compile(rf"[0-9A-Za-z{re.escape(_URL_CHARACTERS)}]*")
_ENCODING: Final = "latin-1"  # any byte there and back, whatever the visitor's encoding was
_DEEP_QUERY: Final = f"{DEEP}=".encode()
_NEVER: Final = float("inf")
T = TypeVar("T")


Way = tuple[bytes, bytes, bytes]
"""Where one request is sent: what stands before its token and after it. And the sub-ids that it
brought, as a query in ASCII: `sub1=footer&sub2=42`.
"""


class Target:
    """A link ready to redirect: `target.way(query)`.

    A hundred thousand of them are kept in memory: each holds one text of its own, and shares what
    equals another's.
    """

    __slots__ = (
        *("_before", "_click", "_end", "_head_length", "_own", "_page_length", "_waiting"),
        *("expires_at", "fallback", "keeps_network", "link", "program", "workspace"),
    )

    def __init__(self, row: LinkRow, program: ProgramRow) -> None:
        self.link = row.id
        self.program = program
        """What it was made with; once the program has changed, it is made anew."""
        self.workspace = program.workspace
        self.keeps_network = program.keeps_network
        ended = row.archived or program.archived
        self.expires_at = 0.0 if ended else (row.expires_at or _NEVER)
        """Seconds since 1970; an archived link has always been expired."""
        self.fallback = _clean(row.fallback).encode() if row.fallback else None
        rest, mark, fragment = _clean(row.destination).partition("#")
        page, _, query = rest.partition("?")
        parameter = program.click_parameter
        pieces = _pieces(row, query, parameter)
        taken = {_name(piece).lower() for piece in pieces} | {parameter.lower(), DEEP}
        labels = labels_of(row, program, pieces, taken)
        pieces += [label.filled({}) for label in labels if not label.waits]
        self._waiting = _shared(tuple(label for label in labels if label.waits))
        self._own = _shared(frozenset(taken | {_name(piece).lower() for piece in pieces if piece}))
        self._click = _shared(f"{quote(parameter, safe='')}=")
        self._end = _shared((mark + fragment).encode())
        # All of it is ASCII by now, so lengths are those of the bytes.
        self._page_length = len(page)
        head = f"{page}?{''.join(f'{piece}&' for piece in pieces if piece)}"
        self._head_length = len(head)
        self._before, _, _ = self._joined(head, [], self._end)

    def way(self, query: bytes) -> Way:
        """query: the request's own, raw. What doesn't depend on it is worked out already."""
        if not query:
            return self._before, self._end, b""
        pairs = _pairs(query)
        head = self._before[: self._head_length].decode()
        if _DEEP_QUERY in query and (path := _deep_path(pairs)):
            # Another page: the destination's parameters stay, its place within the page doesn't.
            page, own = head[: self._page_length], head[self._page_length :]
            return self._joined(_origin(page) + path + own, pairs, b"")
        return self._joined(head, pairs, self._end)

    def _joined(self, head: str, pairs: list[tuple[str, str]], end: bytes) -> Way:
        """head: the page and the link's own parameters."""
        own, labels = self._own, ""
        if self._waiting:
            asked = dict(reversed(pairs))
            filled = [text for label in self._waiting if (text := label.filled(asked))]
            labels = "".join(f"{text}&" for text in filled)
            own = own | {_name(text) for text in filled}
        kept = [pair for pair in pairs if pair[0].lower() not in own]
        passed = f"{_encoded(kept)}&" if kept else ""
        before = f"{head}{passed}{labels}{self._click}"
        return before.encode(), end, _subs(kept) if kept else b""


@lru_cache(maxsize=4_096)
def _shared(same: T) -> T:
    """One object for all links in memory that have an equal one, as most have."""
    return same


def is_web_address(url: str) -> bool:
    """Whether a stored destination may be redirected to at all; creation has validated it."""
    return url.startswith(("https://", "http://"))


def subs_in(query: bytes, own: Collection[str]) -> bytes:
    """The sub-ids that a query brings, as a Way has them. own: names that the link has."""
    return _subs([pair for pair in _pairs(query) if pair[0] not in own])


def _pieces(row: LinkRow, query: str, click_parameter: str) -> list[str]:
    """The link's parameters, encoded: first the destination's, which nothing overrides."""
    # The token has one place. A parameter of its name in the destination would hide it.
    pieces = [piece for piece in query.split("&") if piece and _name(piece) != click_parameter]
    taken = {_name(piece).lower() for piece in pieces}
    if row.subs == "{}":
        return pieces
    return pieces + [
        urlencode({name: value})
        for name, value in sorted(json.loads(row.subs).items())
        if name.lower() not in taken and name != click_parameter
    ]


def _pairs(query: bytes) -> list[tuple[str, str]]:
    """The query's parameters, decoded, as many as we pass on."""
    if len(query) > MAX_QUERY_BYTES:
        query = query[: MAX_QUERY_BYTES + 1].rpartition(b"&")[0]
    pieces = [piece.partition("=") for piece in query.decode(_ENCODING).split("&") if piece]
    pairs = [(name, value) for name, _, value in pieces[:MAX_QUERY_KEYS]]
    if b"%" in query or b"+" in query:
        return [(_decoded(name), _decoded(value)) for name, value in pairs]
    return pairs


def _decoded(text: str) -> str:
    return unquote_plus(text, encoding=_ENCODING)


def _encoded(pairs: Iterable[tuple[str, str]]) -> str:
    """As urllib's `urlencode`, in half of its time."""
    return "&".join([f"{_quoted(name)}={_quoted(value)}" for name, value in pairs])


def _quoted(text: str) -> str:
    return text if _UNQUOTED.fullmatch(text) else quote_plus(text, encoding=_ENCODING)


def _subs(kept: list[tuple[str, str]]) -> bytes:
    """What is recorded with the click: of each sub-id the first, in their order."""
    brought = {
        name: value
        for name, value in reversed(kept)
        if name in utm.SUBS and 0 < len(value) <= MAX_SUB_BYTES
    }
    return _encoded(sorted(brought.items())).encode()


def _deep_path(pairs: list[tuple[str, str]]) -> str | None:
    return next((deep.path_of(value) for name, value in pairs if name == DEEP), None)


def _origin(page: str) -> str:
    scheme, mark, rest = page.partition("://")
    return scheme + mark + rest.partition("/")[0]


def _clean(url: str) -> str:
    """Stored URLs are in normal form already; this holds if one ever is not."""
    return url if _CLEAN.fullmatch(url) else quote(url, safe=_URL_CHARACTERS)


def _name(piece: str) -> str:
    return unquote_plus(piece.partition("=")[0])
