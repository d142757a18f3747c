"""Webhooks past FastAPI: its routing, reading and writing cost more than storing one does.

ASGI, behind the limits and before FastAPI, which still documents the route, and still answers
whatever is not a plain POST to a source.
"""

from http import HTTPStatus
from types import SimpleNamespace
from typing import Final
from uuid import UUID

import asyncpg
import orjson
import structlog
from sqlalchemy.exc import SQLAlchemyError
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from app import problems
from app.conversions.http import Receiver, router
from app.errors import Problem, Unavailable
from app.ids import MalformedIdError, decode, encode
from app.limits import WEBHOOKS

_ROUTE: Final = SimpleNamespace(path=router.routes[0].path)  # type: ignore[attr-defined]
"""Under its template requests are counted."""
_log: Final = structlog.get_logger()


class Quick:
    """`Quick(app, receiver=…)`. What it answers is what FastAPI's route would have answered."""

    def __init__(self, app: ASGIApp, *, receiver: Receiver) -> None:
        self._app = app
        self._receiver = receiver

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        source = _source_of(scope)
        if source is None:
            await self._app(scope, receive, send)
            return
        scope["route"] = _ROUTE
        # The limits have collected the body; it comes in one piece.
        body = (await receive())["body"]
        try:
            taken = await self._receiver.receive(source, Headers(scope=scope), body)
        except Problem as problem:
            await problems.answer(problem)(scope, receive, send)
            return
        except (SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            await problems.answer(_problem_of(error))(scope, receive, send)
            return
        answer = {"event_id": encode("evt", taken.event_id), "duplicate": taken.duplicate}
        await _send_json(send, orjson.dumps(answer))


def _source_of(scope: Scope) -> UUID | None:
    """Whom a webhook is for; None for all that FastAPI has to look at."""
    if scope["type"] != "http" or scope["method"] != "POST" or scope["query_string"]:
        return None
    path: str = scope["path"]
    if not path.startswith(WEBHOOKS):
        return None
    try:
        return decode("src", path[len(WEBHOOKS) :])
    except MalformedIdError:
        return None


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
