"""What a body may cost before anything reads it: bytes, seconds, depth, characters.

ASGI, outside of FastAPI. The body is collected here, so what lies behind it gets it at once.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote_to_bytes

import orjson
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import (
    BodyTooLarge,
    FieldError,
    InvalidRequest,
    MalformedJson,
    NotFound,
    Problem,
    RequestTimeout,
)
from app.problems import answer

MAX_BODY_BYTES: Final = 64_000
MAX_WEBHOOK_BYTES: Final = 2_000_000
BODY_TIMEOUT_S: Final = 20.0
MAX_DEPTH: Final = 32
MAX_BULK_BYTES: Final = 1_000_000
MAX_IMPORT_BYTES: Final = 100_000_000
WEBHOOKS: Final = "/v1/webhooks/"
IMPORTS: Final = "/v1/imports"
"""Its body is CSV of any length up to its limit, so it is handed on as it comes."""
_LIMITS: Final[Mapping[str, int]] = {
    "/v1/links/bulk": MAX_BULK_BYTES,
    "/v1/codes/bulk": MAX_BULK_BYTES,
}
_BODYLESS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_MAX_PLACE: Final = 200
_JSON_TYPES: Final = ("", "application/json")


class _SenderGoneError(Exception):
    """The connection ended within the body; half a body must not count as an empty one."""


class Limits:
    """`Limits(app)`. A webhook's body stays as it came: its signature covers the bytes."""

    def __init__(self, app: ASGIApp, *, body_timeout_s: float = BODY_TIMEOUT_S) -> None:
        self._app = app
        self._body_timeout_s = body_timeout_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            _check_address(scope)
            if scope["path"] == IMPORTS and scope["method"] == "POST":
                receive = self._counted(scope, receive)
            elif scope["method"] not in _BODYLESS:
                receive = await self._checked(scope, receive)
        except Problem as problem:
            headers = {"Connection": "close"} if problem.status in {408, 413} else {}
            await answer(problem, headers)(scope, receive, send)
            return
        except _SenderGoneError:
            return
        await self._app(scope, receive, send)

    async def _checked(self, scope: Scope, receive: Receive) -> Receive:
        is_webhook = scope["path"].startswith(WEBHOOKS)
        limit = MAX_WEBHOOK_BYTES if is_webhook else _LIMITS.get(scope["path"], MAX_BODY_BYTES)
        try:
            async with asyncio.timeout(self._body_timeout_s):
                body = await _collect(scope, receive, limit)
        except TimeoutError as error:
            raise RequestTimeout from error
        if body and not is_webhook:
            check_json(body, _header(scope, b"content-type"))
        return _replay(body, receive)

    def _counted(self, scope: Scope, receive: Receive) -> Receive:
        """The body piece by piece: each within the time-out, all within the limit."""
        _check_announced(scope, MAX_IMPORT_BYTES)
        size, is_over = 0, False

        async def counted() -> Message:
            nonlocal size, is_over
            try:
                async with asyncio.timeout(None if is_over else self._body_timeout_s):
                    message = await receive()
            except TimeoutError as error:
                raise RequestTimeout from error
            size += len(message.get("body", b""))
            is_over = not message.get("more_body", False)
            if size > MAX_IMPORT_BYTES:
                raise _too_large(MAX_IMPORT_BYTES)
            return message

        return counted


def check_json(body: bytes, content_type: str) -> None:
    """MalformedJson or InvalidRequest, with the place, for JSON that we don't take."""
    if content_type.partition(";")[0].strip().lower() not in _JSON_TYPES:
        remedy = "Send `Content-Type: application/json`."
        raise MalformedJson(errors=[FieldError("header/content-type", "Not JSON", remedy)])
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        place = f"body (line {error.lineno}, column {error.colno})"
        found = FieldError(place, error.msg, "Send one JSON document in UTF-8.")
        raise MalformedJson(f"The body is not valid JSON: {error.msg}.", errors=[found]) from error
    _check_nesting(document)


def _check_nesting(document: Any) -> None:
    """Goes level by level, so that a deep document costs no deep stack."""
    level: list[tuple[str, Any]] = [("body", document)]
    depth = 0
    while level:
        deeper: list[tuple[str, Any]] = []
        for place, value in level:
            if isinstance(value, str):
                _check_text(place, value)
            elif isinstance(value, dict | list):
                if depth == MAX_DEPTH:
                    raise _too_deep(place)
                deeper += _children(place, value)
        level, depth = deeper, depth + 1


def _children(place: str, value: dict[str, Any] | list[Any]) -> list[tuple[str, Any]]:
    if isinstance(value, list):
        return [(f"{place}/{i}", child) for i, child in enumerate(value)]
    for key in value:
        _check_text(place, key)
    return [(f"{place}/{key}"[:_MAX_PLACE], child) for key, child in value.items()]


def _check_text(place: str, text: str) -> None:
    if "\0" in text:
        raise InvalidRequest(errors=[FieldError(place, "Holds a NUL character", "Leave it out.")])


def _check_address(scope: Scope) -> None:
    if "\0" in scope["path"]:
        raise NotFound("There is nothing at this address.")
    if b"\0" in unquote_to_bytes(scope["query_string"]):
        raise InvalidRequest(errors=[FieldError("query", "Holds a NUL character", "Leave it out.")])


async def _collect(scope: Scope, receive: Receive, limit: int) -> bytes:
    _check_announced(scope, limit)
    chunks, size = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _SenderGoneError
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            raise _too_large(limit)
        chunks.append(chunk)
        if not message.get("more_body", False):
            return b"".join(chunks)


def _check_announced(scope: Scope, limit: int) -> None:
    announced = _header(scope, b"content-length")
    if announced.isdecimal() and (len(announced) > 9 or int(announced) > limit):
        raise _too_large(limit)


def _replay(body: bytes, receive: Receive) -> Receive:
    sent = False

    async def replay() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def _header(scope: Scope, name: bytes) -> str:
    for key, value in scope["headers"]:
        if key == name:
            return str(value, "latin-1")
    return ""


def _too_large(limit: int) -> BodyTooLarge:
    remedy = f"Send at most {limit} bytes."
    return BodyTooLarge(errors=[FieldError("body", "Over the limit", remedy)])


def _too_deep(place: str) -> MalformedJson:
    remedy = f"Nest at most {MAX_DEPTH} levels."
    return MalformedJson(errors=[FieldError(place, "Nested too deeply", remedy)])
