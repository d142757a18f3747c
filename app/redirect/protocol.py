"""The shortest way of a redirect: from uvicorn's parser to its transport, with no task between.

What most visitors send takes it: a plain GET or HEAD of a link that is known here and lives, on a
connection that has nothing else under way. All else goes through uvicorn to `asgi.Redirect`, which
answers the same; a test holds them against each other.
"""

from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from app.redirect.asgi import ANSWER_HEADERS, PREFIX, Redirect, counted
from app.redirect.metrics import FAILURES
from app.redirect.pages import PREFETCH

_PREFIX: Final = PREFIX.encode()
_METHODS: Final = {b"GET": "GET", b"HEAD": "HEAD"}
_ODD: Final = frozenset((b"content-length", b"transfer-encoding", b"expect", b"upgrade"))
_BUSY: Final = float("inf")
_STATUS: Final = b"HTTP/1.1 302 Found\r\n"
_REST: Final = b"".join(b"\r\n%b: %b" % header for header in ANSWER_HEADERS) + b"\r\n"
_AHEAD_STATUS: Final = STATUS_LINE[PREFETCH.status]
_AHEAD_REST: Final = b"".join(b"%b: %b\r\n" % header for header in PREFETCH.headers)


class _Nobody:
    """Waits for the body of a request that has none."""

    def set(self) -> None: ...


class _Pending:
    """What uvicorn's protocol wants to know of the request under way."""

    __slots__ = ("body", "disconnected", "keep_alive", "more_body", "response_complete")
    message_event: Final = _Nobody()

    def __init__(self) -> None:
        self.body = b""
        self.disconnected = False
        self.keep_alive = True
        self.more_body = False
        self.response_complete = False


class _Own:
    """The server's own headers as bytes: uvicorn makes a new list of them each second."""

    def __init__(self) -> None:
        self._of: list[tuple[bytes, bytes]] = []
        self._text = b""

    def __call__(self, headers: list[tuple[bytes, bytes]]) -> bytes:
        if headers is not self._of:
            self._of = headers
            self._text = b"".join([b"%b: %b\r\n" % header for header in headers])
        return self._text


own_headers: Final = _Own()


class RedirectProtocol(HttpToolsProtocol):
    """uvicorn's own, which looks at redirects first."""

    cycle: Any

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._redirect = self.app if isinstance(self.app, Redirect) else None
        self._pending = _Pending()
        self._idle_since = _BUSY

    def on_message_begin(self) -> None:
        self.url = b""
        self.headers = []

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        if not self._opens():
            self.begin()

    def on_message_complete(self) -> None:
        # A redirect under way has no body that somebody waits for.
        if self.cycle is not self._pending:
            super().on_message_complete()

    def on_response_complete(self) -> None:
        """As uvicorn's, which makes a timer after each answer: here a connection keeps its one."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
            return
        self._idle_since = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self._close_after(self.timeout_keep_alive)

    def _unset_keepalive_if_required(self) -> None:
        self._idle_since = _BUSY

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection that was idle for so long, or look again when it may have been."""
        left_s = self._idle_since + self.timeout_keep_alive - self.loop.time()
        if left_s <= 0:
            super().timeout_keep_alive_handler()
        else:
            self._close_after(min(left_s, self.timeout_keep_alive))

    def _close_after(self, wait_s: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(wait_s, self.timeout_keep_alive_handler)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self.timeout_keep_alive_task is not None:
            self.timeout_keep_alive_task.cancel()

    def begin(self) -> None:
        """Leave the request to uvicorn: begin it and take its headers, which was left out above."""
        url, headers = self.url, self.headers
        super().on_message_begin()
        self.url = url
        for header in headers:
            super().on_header(*header)
        super().on_headers_complete()

    def _opens(self) -> bool:
        """Whether the request takes the short way; if not, nothing has happened."""
        redirect, method = self._redirect, _METHODS.get(self.parser.get_method())
        path, _, query = self.url.partition(b"?")
        if redirect is None or method is None or not path.startswith(_PREFIX):
            return False
        headers = dict(self.headers)
        if b"%" in path or b"#" in self.url or not _ODD.isdisjoint(headers) or not self._is_free():
            return False
        scope = {
            "method": method,
            "client": self.client,
            "headers": self.headers,
            "query_string": query,
        }
        try:
            target = redirect.known(headers, path[len(_PREFIX) :].decode("ascii"))
            opening = redirect.open(scope, headers, target) if target is not None else None
        except Exception:  # noqa: BLE001 (counted; uvicorn's way meets it too, and answers a 500)
            FAILURES.labels("protocol").inc()
            return False
        if opening is None:
            return False
        row, number, location = opening
        is_head = method == "HEAD"
        self.cycle = self._pending
        self._pending.response_complete = False
        redirect.journal.tell(
            row, lambda safe: self._answer(number, location, is_head=is_head, safe=safe)
        )
        return True

    def _is_free(self) -> bool:
        """Nothing is under way or waits to be written, and the connection stays open."""
        return (
            (self.cycle is None or self.cycle.response_complete)
            and not self.flow.write_paused
            and self.limit_concurrency is None
            and self.parser.get_http_version() == "1.1"
            and self.parser.should_keep_alive()
        )

    def _answer(self, number: int, location: bytes, *, is_head: bool, safe: bool) -> None:
        redirects = counted(number, safe=safe)
        if not redirects:
            PREFETCH.count.inc()
        pending = self._pending
        pending.response_complete = True
        if pending.disconnected or self.transport.is_closing():
            return
        own = own_headers(self.server_state.default_headers)
        end = b"\r\n" if pending.keep_alive else b"connection: close\r\n\r\n"
        if redirects:
            answer = b"".join((_STATUS, own, b"location: ", location, _REST, end))
        else:
            body = b"" if is_head else PREFETCH.body
            answer = b"".join((_AHEAD_STATUS, own, _AHEAD_REST, end, body))
        self.transport.write(answer)
        if not pending.keep_alive:
            self.transport.close()
        self.on_response_complete()
