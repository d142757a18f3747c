"""`GET /i/{code}.gif` as raw ASGI in front of the app: a pixel that counts what was shown.

Impressions are not clicks: no id, no visitor, no journal. They are counted in memory by link, day
and class, and codes that this machine does not know are asked for behind the answer, so no request
waits for anything.
"""

import asyncio
import time
from itertools import islice
from typing import Final, NamedTuple
from uuid import UUID, uuid4

from app.core.traffic import classify
from app.redirect.agents import Agents
from app.redirect.asgi import ASGIApp, Receive, Scope, Send, host_for
from app.redirect.directory import Directory, DirectoryUnavailableError
from app.redirect.metrics import IMPRESSIONS
from app.redirect.target import Target

PREFIX: Final = "/i/"
SUFFIX: Final = ".gif"
MAX_KEYS: Final = 100_000
BATCH_KEYS: Final = 1_000
"""Encoding a batch holds up the event loop, so redirects too: 4 ms with 1,000, 40 with 10,000."""
MAX_BEHIND: Final = 1_000
"""Answered pixels whose code is still being asked for."""
DAY_S: Final = 86_400
GIF: Final = (
    b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff!\xf9\x04\x01\x00\x00\x00\x00"
    b",\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"
)
"""One transparent pixel."""
_HEADERS: Final = (
    (b"content-type", b"image/gif"),
    (b"content-length", str(len(GIF)).encode()),
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    # Pages that isolate themselves load only images that say this.
    (b"cross-origin-resource-policy", b"cross-origin"),
)
_COUNTED: Final = IMPRESSIONS.labels("counted")
_DROPPED: Final = IMPRESSIONS.labels("dropped")
_ENDED: Final = IMPRESSIONS.labels("ended")
_UNKNOWN: Final = IMPRESSIONS.labels("unknown")
_UNAVAILABLE: Final = IMPRESSIONS.labels("unavailable")
_METHOD: Final = IMPRESSIONS.labels("method")

Key = tuple[bytes, int, int]
"""Link, day (since 1970, UTC), number of the traffic class."""


class Batch(NamedTuple):
    """Counts that Postgres adds all at once and only once. number: rises by one a writer."""

    writer: UUID
    number: int
    counts: dict[Key, int]


class Tally:
    """One process' impressions that Postgres has not confirmed; bounded, what is beyond is lost."""

    def __init__(self, *, max_keys: int = MAX_KEYS) -> None:
        self._max_keys = max_keys
        self._writer = uuid4()
        self._number = 0
        self._counts: dict[Key, int] = {}
        self._sealed: Batch | None = None

    def add(self, link: bytes, traffic_class: int) -> bool:
        """Count one impression now; False if there is no room for another key."""
        counts = self._counts
        key = (link, int(time.time()) // DAY_S, traffic_class)
        count = counts.get(key, 0)
        if not count and len(counts) >= self._max_keys:
            return False
        counts[key] = count + 1
        return True

    def seal(self) -> Batch | None:
        """What to store next: the same batch until `settle`, since it may be stored already."""
        if self._sealed is None and self._counts:
            self._number += 1
            keys = list(islice(self._counts, BATCH_KEYS))
            counts = {key: self._counts.pop(key) for key in keys}
            self._sealed = Batch(self._writer, self._number, counts)
        return self._sealed

    def settle(self) -> None:
        """The sealed batch is in safe hands."""
        self._sealed = None


class Pixel:
    """Answers /i/{code}.gif itself and leaves every other path to the inner app."""

    def __init__(
        self,
        inner: ASGIApp,
        *,
        directory: Directory,
        tally: Tally,
        agents: Agents,
    ) -> None:
        self._inner = inner
        self._directory = directory
        self._tally = tally
        self._kind = agents.kind
        self._behind: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if scope["type"] != "http" or not (path.startswith(PREFIX) and path.endswith(SUFFIX)):
            await self._inner(scope, receive, send)
        elif scope["method"] not in ("GET", "HEAD"):
            _METHOD.inc()
            await _answer(scope, send, 405, (b"allow", b"GET, HEAD"))
        else:
            await self._show(scope, send)

    async def _show(self, scope: Scope, send: Send) -> None:
        """Also where nothing is counted the answer is an image: a broken one helps no page."""
        headers: dict[bytes, bytes] = dict(scope["headers"])
        code: str = scope["path"][len(PREFIX) : -len(SUFFIX)]
        host = host_for(self._directory, headers, code)
        target = None if host is None else self._directory.find(host, code)
        if target is not None:
            self._count(target, self._class(scope, headers))
            await _answer(scope, send, 200)
        elif host is None or self._directory.is_absent(host, code):
            _UNKNOWN.inc()
            await _answer(scope, send, 404)
        elif len(self._behind) >= MAX_BEHIND:
            _UNAVAILABLE.inc()
            await _answer(scope, send, 503, (b"retry-after", b"5"))
        else:
            task = asyncio.create_task(self._ask(host, code, self._class(scope, headers)))
            self._behind.add(task)
            task.add_done_callback(self._behind.discard)
            await _answer(scope, send, 202)

    async def _ask(self, host: str, code: str, traffic_class: int) -> None:
        """Count what was answered before it was known; ends within the directory's time-out."""
        try:
            target = await self._directory.ask(host, code)
        except DirectoryUnavailableError:
            _UNAVAILABLE.inc()
            return
        if target is None:
            _UNKNOWN.inc()
        else:
            self._count(target, traffic_class)

    def _class(self, scope: Scope, headers: dict[bytes, bytes]) -> int:
        # A pixel is part of a page by its nature, so that can't tell against it.
        headers.pop(b"sec-fetch-dest", None)
        kind = self._kind(headers.get(b"user-agent", b""))
        return classify(scope["method"], headers, kind).number

    def _count(self, target: Target, traffic_class: int) -> None:
        if target.expires_at <= time.time():
            _ENDED.inc()
        else:
            (_COUNTED if self._tally.add(target.link, traffic_class) else _DROPPED).inc()


async def _answer(scope: Scope, send: Send, status: int, *extra: tuple[bytes, bytes]) -> None:
    await send({"type": "http.response.start", "status": status, "headers": [*_HEADERS, *extra]})
    body = b"" if scope["method"] == "HEAD" else GIF
    await send({"type": "http.response.body", "body": body})
