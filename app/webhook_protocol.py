"""The shortest way of a webhook: taken in from uvicorn's parser, with no task and no ASGI between.

One that comes whole in one piece of the stream takes it, if a source that is kept open has signed
it. All else is started as uvicorn starts it, and so is what can't be stored after all: uvicorn has
made its request and collected its body in either case, so the app answers as if first asked.
"""

from functools import partial
from typing import Any, Final

from app.late import Late
from app.redirect.metrics import FAILURES
from app.redirect.protocol import RedirectProtocol, own_headers

_PREFIX: Final = b"/v1/webhooks/"
_STATUS: Final = b"HTTP/1.1 200 OK\r\n"
_HEAD: Final = b"content-length: %d\r\ncontent-type: application/json\r\n"


class WebhookProtocol(RedirectProtocol):
    """`WebhookProtocol(late, …)`: as RedirectProtocol, and webhooks are offered to late's taker."""

    def __init__(self, late: Late, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._late = late
        self._begins_webhook = False
        self._held: Any = None
        """A webhook's request, not started, while what has been read of it is parsed."""

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._held is not None:
            # The rest comes in another piece, or never: that is for the app's limits to judge.
            held, self._held = self._held, None
            super()._start_asgi_task(held, self.app)

    def begin(self) -> None:
        self._begins_webhook = self.url.startswith(_PREFIX) and self._late.taker is not None
        super().begin()
        self._begins_webhook = False

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        # Another app is uvicorn's own, which refuses what is too much at once.
        is_ours = app is self.app and not cycle.waiting_for_100_continue
        if self._begins_webhook and is_ours:
            self._held = cycle
        else:
            super()._start_asgi_task(cycle, app)

    def on_message_complete(self) -> None:
        super().on_message_complete()
        if self._held is not None:
            held, self._held = self._held, None
            if not self._is_taken(held):
                super()._start_asgi_task(held, self.app)

    def _is_taken(self, cycle: Any) -> bool:
        taker = self._late.taker
        if taker is None or self.flow.write_paused:
            return False
        try:
            return taker.take(cycle.scope, bytes(cycle.body), partial(self._told, cycle))
        except Exception:  # noqa: BLE001 (counted; the app meets it too, and answers a 500)
            FAILURES.labels("protocol").inc()
            return False

    def _told(self, cycle: Any, answer: bytes | None) -> None:
        if answer is None:
            super()._start_asgi_task(cycle, self.app)
            return
        cycle.response_complete = True
        if cycle.disconnected or self.transport.is_closing():
            return
        own = own_headers(cycle.default_headers)
        end = b"\r\n" if cycle.keep_alive else b"connection: close\r\n\r\n"
        self.transport.write(b"".join((_STATUS, own, _HEAD % len(answer), end, answer)))
        if not cycle.keep_alive:
            self.transport.close()
        cycle.on_response()
