"""Publishable keys: what a key that stands in every page's source may do, and from where.

A browser can't forge its Origin header, other programs can: the list keeps a copied key from
working on another site, the rate bounds what any copy can do.
"""

import math
import re
from collections.abc import Collection
from typing import Annotated, Final
from uuid import UUID

from ada_url import URL
from pydantic import AfterValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from app.errors import OriginNotAllowed, RateLimited
from app.rates import Buckets

PATHS: Final = frozenset({"/v1/track/click"})
"""All that such a key opens, and so all that pages of other origins may ask for."""
RATE_PER_S: Final = 50
BURST: Final = 200
"""For each key, in each web process."""
_ORIGIN: Final = re.compile(r"https?://[^/?#@*\\\s\x00-\x20]+", re.IGNORECASE)
_PREFLIGHT_MAX_AGE_S: Final = 86_400


def new_buckets() -> Buckets:
    return Buckets(rate_per_s=RATE_PER_S, burst=BURST)


def admit(key: UUID, origin: str | None, origins: Collection[str], buckets: Buckets) -> None:
    """Let one request with a publishable key pass, or raise OriginNotAllowed or RateLimited."""
    if origin not in origins:
        raise OriginNotAllowed(
            f"This key does not work on {origin[:200]}."
            if origin
            else "This key is for browsers, which send an Origin header; servers take a secret key."
        )
    if wait_s := buckets.take(key):
        raise RateLimited(retry_after_s=math.ceil(wait_s))


def _normal(text: str) -> str:
    """An origin as browsers send it: `https://shop.example`, in lower case and punycode."""
    try:
        url = URL(text) if _ORIGIN.fullmatch(text) else None
    except ValueError:
        url = None
    if url is None:
        raise PydanticCustomError(
            "origin_malformed",
            "Not an origin: send scheme and host, and the port if it is unusual, without a path",
        )
    return url.origin


Origin = Annotated[
    str,
    StringConstraints(max_length=300),
    AfterValidator(_normal),
    Field(examples=["https://shop.example"]),
]


class CrossOrigin:
    """ASGI: lets pages of any origin ask for PATHS, preflights included, and for nothing else.

    A preflight carries no key, so it can't tell which origins are meant; the key's list decides
    when the request itself comes. Nothing here depends on cookies, so `*` opens nothing.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._open = CORSMiddleware(
            app,
            allow_origins=["*"],
            allow_methods=["POST"],
            allow_headers=["Authorization", "Content-Type"],
            expose_headers=["Retry-After"],
            max_age=_PREFLIGHT_MAX_AGE_S,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_open = scope["type"] == "http" and scope["path"] in PATHS
        await (self._open if is_open else self._app)(scope, receive, send)
