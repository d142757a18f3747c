"""Idempotency keys at the edge: a route class that replays answers and keeps new ones.

`APIRouter(…, route_class=Writes)`; nothing else is needed in a route whose transaction comes from
`app.auth` (`TxDep`, `in_lane`, `LaterDep`). Routes that share one transaction pass `claim_of` on.
"""

from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any, Final, cast
from uuid import UUID

from fastapi import Request
from fastapi.routing import APIRoute
from starlette.responses import Response

from app.db.engine import Database
from app.db.tx import Tx
from app.errors import FieldError, InvalidRequest
from app.idempotency import Answer, Claim, Found, claim, find, keep, take
from app.secret_keys import SecretKeys

HEADER: Final = "Idempotency-Key"
REPLAYED: Final = "Idempotent-Replayed"
MAX_KEY_LENGTH: Final = 255
METHODS: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})


class ReplayedError(Exception):
    """The answer is there already; it goes out in place of the route's own."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.answer = answer


class Writes(APIRoute):
    """A route that takes `Idempotency-Key` if it writes."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def once(request: Request) -> Response:
            try:
                response = await handle(request)
            except ReplayedError as replayed:
                return _again(replayed.answer)
            # FastAPI ends the transactions of a request after this, and before the answer leaves.
            tx: Tx | None = getattr(request.state, "claiming_tx", None)
            if tx is not None and response.status_code < 400:
                kept = Answer(
                    response.status_code, response.headers["content-type"], bytes(response.body)
                )
                claimed = claim_of(request)
                assert claimed is not None
                await keep(tx, [(claimed, kept)], _secret_keys(request))
            return response

        return once


async def look(request: Request, database: Database, workspace: UUID) -> None:
    """Once the caller is known: note the request's claim; an answer that is there goes out at once.

    Before anything is validated or looked up, since what was right when the write was done may be
    refused now.
    """
    route = request.scope.get("route")
    if request.method not in METHODS or not isinstance(route, Writes):
        return
    given = request.headers.getlist(HEADER)
    if not given:
        return
    said = f"{request.method} {request.url.path}"
    if request.url.query:
        said += f"?{request.url.query}"
    claimed = claim(workspace, _checked(given), said, await request.body())
    request.state.claim = claimed
    async with database.read() as read:
        (found,) = await find(read, [claimed], _secret_keys(request))
    stop_at(found)


async def take_key(request: Request, tx: Tx) -> None:
    """Take the request's key, if it has one, in the transaction that it writes in."""
    claimed = claim_of(request)
    if claimed is not None:
        (found,) = await take(tx, [claimed], _secret_keys(request))
        stop_at(found)
        request.state.claiming_tx = tx


class Later:
    """Transactions for a route that has to do something else first; they end with the request."""

    def __init__(self, request: Request, database: Database, ending: AsyncExitStack) -> None:
        self._request = request
        self._database = database
        self._ending = ending

    async def tx(self) -> Tx:
        return await self._begun(self._database.tx())

    async def lane(self, workspace: UUID) -> Tx:
        return await self._begun(self._database.lane(workspace))

    async def _begun(self, transaction: AbstractAsyncContextManager[Tx]) -> Tx:
        tx = await self._ending.enter_async_context(transaction)
        await take_key(self._request, tx)
        return tx


def claim_of(request: Request) -> Claim | None:
    """The claim that `look` noted."""
    return cast("Claim | None", getattr(request.state, "claim", None))


def stop_at(found: Found) -> None:
    """ReplayedError or the problem, unless the key is free."""
    if isinstance(found, Answer):
        raise ReplayedError(found)
    if found is not None:
        raise found


def _again(answer: Answer) -> Response:
    return Response(
        answer.body,
        answer.status,
        {REPLAYED: "true", "Content-Type": answer.content_type},
    )


def _checked(given: list[str]) -> str:
    key = given[0]
    is_visible = all("!" <= character <= "~" for character in key)
    if len(given) == 1 and 1 <= len(key) <= MAX_KEY_LENGTH and is_visible:
        return key
    remedy = f"Send one key of 1 to {MAX_KEY_LENGTH} visible ASCII characters, such as a UUID."
    raise InvalidRequest(
        errors=[FieldError(f"header/{HEADER.lower()}", "Not an idempotency key", remedy)]
    )


def _secret_keys(request: Request) -> SecretKeys:
    return cast("SecretKeys", request.app.state.secret_keys)
