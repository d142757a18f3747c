"""`GET /r/{code}` as raw ASGI in front of the app: look up, journal, redirect."""

import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from typing import Any, Final

from app.core.click_token import Signer
from app.core.traffic import CLASSES, HEAD
from app.core.traffic import PREFETCH as PREFETCHED
from app.ids import click_id
from app.redirect.directory import Directory, DirectoryUnavailableError
from app.redirect.journal import Journal
from app.redirect.journal_rows import pack
from app.redirect.metrics import HEADED, REDIRECTED, REDIRECTS, UNRECORDED
from app.redirect.pages import GONE, METHOD, PREFETCH, UNAVAILABLE, UNKNOWN, Page
from app.redirect.target import Target
from app.redirect.visits import Visits

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]
Opening = tuple[bytes, int, bytes]
"""A click for the journal, the number of its class, and where its visitor goes once it is there.

A bare tuple, as all that each redirect makes: a named one takes a quarter of a microsecond more.
"""

PREFIX: Final = "/r/"
_MAX_CODE: Final = 128
_PREFETCH: Final = CLASSES[PREFETCHED]
_HEAD: Final = CLASSES[HEAD]
_FELL_BACK: Final = REDIRECTS.labels("fallback")
_UNKNOWN_FELL_BACK: Final = REDIRECTS.labels("unknown_fallback")
_EMPTY: Final = {"type": "http.response.body", "body": b""}
ANSWER_HEADERS: Final = (
    (b"cache-control", b"no-store"),
    # Browsers' default, also for pages whose own policy would give their whole address away.
    (b"referrer-policy", b"strict-origin-when-cross-origin"),
    (b"content-length", b"0"),
)


class Redirect:
    """Answers /r/{code} itself and leaves every other path to the inner app."""

    def __init__(
        self,
        inner: ASGIApp,
        *,
        directory: Directory,
        journal: Journal,
        click_keys: Sequence[bytes],
        visits: Visits,
    ) -> None:
        self._inner = inner
        self._directory = directory
        self.journal = journal
        self._sign = Signer(click_keys[0]).text
        self._visits = visits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(PREFIX):
            await self._inner(scope, receive, send)
        elif scope["method"] not in ("GET", "HEAD"):
            await _show(send, scope, METHOD)
        else:
            await self._open(scope, send)

    def known(self, headers: Mapping[bytes, bytes], code: str) -> Target | None:
        """The link, if it lives and is known without asking anybody."""
        directory = self._directory
        if len(code) > _MAX_CODE or "/" in code:
            return None
        target = directory.find(_host(headers) if directory.hosts else "", code)
        return target if target is not None and target.expires_at > time.time() else None

    def open(self, scope: Scope, headers: Mapping[bytes, bytes], target: Target) -> Opening:
        """Judge a click; its answer is for later, when it is safe on disk or can't be.

        scope: `method`, `client`, `headers` and `query_string`. headers: the scope's, by name.
        """
        visit = self._visits.made(scope, headers, target)
        number, click, link = visit[0], click_id(), target.link
        before, after, subs = target.way(scope["query_string"])
        agent, referrer = headers.get(b"user-agent", b""), headers.get(b"referer", b"")
        row = pack((number, click, link, agent, referrer, subs, *visit[1:]))
        return row, number, before + self._sign(number, click, link) + after

    async def _open(self, scope: Scope, send: Send) -> None:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        code: str = scope["path"][len(PREFIX) :]
        try:
            target = await look_up(self._directory, headers, code)
        except DirectoryUnavailableError:
            await _show(send, scope, UNAVAILABLE)
            return
        if target is None:
            await self._miss(scope, send, headers)
        elif target.expires_at <= time.time():
            await self._end(scope, send, target)
        else:
            row, number, location = self.open(scope, headers, target)
            if counted(number, safe=await self.journal.record(row)):
                await _redirect(send, location)
            else:
                await _show(send, scope, PREFETCH)

    async def _miss(self, scope: Scope, send: Send, headers: dict[bytes, bytes]) -> None:
        """An unknown code: nobody's, so no click and no token."""
        fallback = self._directory.fallback(_host(headers))
        if fallback is None:
            await _show(send, scope, UNKNOWN)
            return
        _UNKNOWN_FELL_BACK.inc()
        await _redirect(send, fallback)

    async def _end(self, scope: Scope, send: Send, target: Target) -> None:
        """An expired or archived link: nothing to attribute, so no click and no token."""
        if target.fallback is None:
            await _show(send, scope, GONE)
            return
        _FELL_BACK.inc()
        await _redirect(send, target.fallback)


def counted(number: int, *, safe: bool) -> bool:
    """Count the answer of a click of this class, which may leave now; False: `PREFETCH`."""
    if not safe:
        UNRECORDED.inc()
    if number == _PREFETCH:
        return False
    (HEADED if number == _HEAD else REDIRECTED).inc()
    return True


async def look_up(directory: Directory, headers: Mapping[bytes, bytes], code: str) -> Target | None:
    """The link that a code names on the host asked for; DirectoryUnavailableError."""
    host = host_for(directory, headers, code)
    if host is None:
        return None
    return directory.find(host, code) or await directory.ask(host, code)


def host_for(directory: Directory, headers: Mapping[bytes, bytes], code: str) -> str | None:
    """On which host to look for a code, the empty one being any; None: no link has such a code."""
    if not code or len(code) > _MAX_CODE or "/" in code or "\x00" in code:
        return None
    return _host(headers) if directory.hosts else ""


async def _redirect(send: Send, location: bytes) -> None:
    headers = [(b"location", location), *ANSWER_HEADERS]
    await send({"type": "http.response.start", "status": 302, "headers": headers})
    await send(_EMPTY)


async def _show(send: Send, scope: Scope, page: Page) -> None:
    page.count.inc()
    await send(
        {"type": "http.response.start", "status": page.status, "headers": list(page.headers)}
    )
    body = b"" if scope["method"] == "HEAD" else page.body
    await send({"type": "http.response.body", "body": body})


def _host(headers: Mapping[bytes, bytes]) -> str:
    """The host asked for, lowercase, without its port and the root's dot."""
    host = headers.get(b"host", b"").decode("latin-1").lower()
    return (host if host.endswith("]") else host.rpartition(":")[0] or host).removesuffix(".")
