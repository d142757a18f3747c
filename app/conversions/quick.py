"""Webhooks past FastAPI: its routing, reading and writing cost more than storing one does.

`Quick` is ASGI, behind the limits and before FastAPI, which still documents the route, and still
answers whatever is not a plain POST to a source. `Quickest` is past ASGI as well; it takes only
what a source signed that is kept open, and leaves every problem to `Quick`.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from http import HTTPStatus
from types import SimpleNamespace
from typing import Final
from uuid import UUID

import asyncpg
import orjson
import structlog
from prometheus_client import Histogram
from sqlalchemy.exc import SQLAlchemyError
from starlette.types import ASGIApp, Receive, Scope, Send

from app import problems
from app.conversions.http import Receiver, router
from app.conversions.intake.incoming import Stored
from app.errors import Problem, Unavailable
from app.ids import MalformedIdError, decode, encode
from app.limits import MAX_WEBHOOK_BYTES, WEBHOOKS

_ROUTE: Final = SimpleNamespace(path=router.routes[0].path)  # type: ignore[attr-defined]
"""Under its template requests are counted."""
_log: Final = structlog.get_logger()


class Quick:
    """`Quick(app, receiver=…)`. What it answers is what FastAPI's route would have answered."""

    def __init__(self, app: ASGIApp, *, receiver: Receiver) -> None:
        self._app = app
        self._receiver = receiver

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        source = _source_of(scope) if scope["type"] == "http" else None
        if source is None:
            await self._app(scope, receive, send)
            return
        scope["route"] = _ROUTE
        # The limits have collected the body; it comes in one piece.
        body = (await receive())["body"]
        try:
            taken = await self._receiver.receive(source, _headers(scope), body)
        except Problem as problem:
            await problems.answer(problem)(scope, receive, send)
            return
        except (SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            await problems.answer(_problem_of(error))(scope, receive, send)
            return
        await _send_json(send, _acknowledged(taken.event_id, duplicate=taken.duplicate))


class Quickest:
    """`Quickest(receiver, ready=…, seconds=…)`. seconds: by method, route and status."""

    def __init__(
        self, receiver: Receiver, *, ready: Callable[[], bool], seconds: Histogram
    ) -> None:
        self._receiver = receiver
        self._ready = ready
        self._seconds = seconds.labels("POST", f"/v1{_ROUTE.path}", str(HTTPStatus.OK.value))

    def take(self, scope: Scope, body: bytes, tell: Callable[[bytes | None], None]) -> bool:
        """Whether it is taken; `tell` then gets the acknowledgment, or None to leave it."""
        began = time.perf_counter()
        source = _source_of(scope)
        if source is None or len(body) > MAX_WEBHOOK_BYTES or not self._ready():
            return False
        stored = self._receiver.receive_signed(source, _headers(scope), body)
        if stored is not None:
            stored.add_done_callback(partial(self._tell, tell, began))
        return stored is not None

    def _tell(
        self,
        tell: Callable[[bytes | None], None],
        began: float,
        stored: "asyncio.Future[Stored | None]",
    ) -> None:
        # Whatever went wrong, `Quick` meets it as well, and knows what to say.
        taken = None if stored.cancelled() or stored.exception() else stored.result()
        if taken is None:
            tell(None)
        else:
            self._seconds.observe(time.perf_counter() - began)
            tell(_acknowledged(taken.event_id, duplicate=taken.duplicate))


def _source_of(scope: Scope) -> UUID | None:
    """Whom a webhook is for; None for all that FastAPI has to look at."""
    if scope["method"] != "POST" or scope["query_string"]:
        return None
    path: str = scope["path"]
    return _source_in(path[len(WEBHOOKS) :]) if path.startswith(WEBHOOKS) else None


@lru_cache(maxsize=1_000)
def _source_in(text: str) -> UUID | None:
    try:
        return decode("src", text)
    except MalformedIdError:
        return None


def _headers(scope: Scope) -> Mapping[str, str]:
    """By name; of several the first counts."""
    headers = reversed(scope["headers"])
    return {str(name, "latin-1"): str(text, "latin-1") for name, text in headers}


def _acknowledged(event_id: UUID, *, duplicate: bool) -> bytes:
    return orjson.dumps({"event_id": encode("evt", event_id), "duplicate": duplicate})


def _problem_of(error: Exception) -> Problem:
    problem = problems.of_database(error)
    if problem is None:
        raise error
    if problem.status == Unavailable.status:
        _log.warning("api.database_unavailable", route=_ROUTE.path, error=repr(error))
    return problem


async def _send_json(send: Send, body: bytes) -> None:
    headers = [
        (b"content-length", b"%d" % len(body)),
        (b"content-type", b"application/json"),
    ]
    await send({"type": "http.response.start", "status": HTTPStatus.OK, "headers": headers})
    await send({"type": "http.response.body", "body": body})
