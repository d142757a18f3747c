"""API keys: a Bearer token becomes a Caller with its workspace, mode and scopes, or a 401.

Also the transactions of a request, as dependencies that end before the answer leaves.
"""

import hashlib
import secrets
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import Annotated, Any, Final, Literal, cast
from uuid import UUID

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy import func, insert, or_, select

from app import publishable, writing
from app.db.engine import Database
from app.db.tables import ApiKey, Workspace
from app.db.tx import Read, Tx
from app.errors import MissingScope, Unauthorized
from app.ids import uuid7

Mode = Literal["live", "test"]
KeyKind = Literal["secret", "publishable"]

MIN_KEY_LENGTH: Final = 32
MAX_KEY_LENGTH: Final = 200
_BASE62: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_RANDOM_LENGTH: Final = 32
_CHECKSUM_LENGTH: Final = 6
_HINT_LENGTH: Final = 12


class Scope(StrEnum):
    """What a key may do. `:write` includes `:read` of the same noun, `admin` everything."""

    PROGRAMS_READ = "programs:read"
    PROGRAMS_WRITE = "programs:write"
    PARTNERS_READ = "partners:read"
    PARTNERS_WRITE = "partners:write"
    LINKS_READ = "links:read"
    LINKS_WRITE = "links:write"
    CONVERSIONS_READ = "conversions:read"
    CONVERSIONS_WRITE = "conversions:write"
    COMMISSIONS_READ = "commissions:read"
    PAYOUTS_WRITE = "payouts:write"
    DEALS_READ = "deals:read"
    DEALS_WRITE = "deals:write"
    CLAIMS_READ = "claims:read"
    CLAIMS_WRITE = "claims:write"
    IMPORTS_READ = "imports:read"
    IMPORTS_WRITE = "imports:write"
    CLICKS_WRITE = "clicks:write"
    # Its own noun: who may tell clicks, as pages' keys may, must not read them.
    TRAFFIC_READ = "traffic:read"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. first: of the workspace that the first start made; it may make workspaces.

    origins: where a publishable key works; a secret key has none.
    """

    workspace_id: UUID
    key_id: UUID
    mode: Mode
    scopes: frozenset[str]
    first: bool
    publishable: bool = False
    origins: tuple[str, ...] = ()

    def may(self, scope: Scope) -> bool:
        noun, _, verb = scope.partition(":")
        return (
            scope in self.scopes
            or Scope.ADMIN in self.scopes
            or (verb == "read" and f"{noun}:write" in self.scopes)
        )


@dataclass(frozen=True, slots=True)
class NewKey:
    """key: shown once. hint, digest: what is stored of it."""

    key: str
    hint: str
    digest: bytes


def new_key(mode: Mode | Literal["pub"]) -> NewKey:
    """`ff_live_`, `ff_test_` or `ff_pub_`, 32 random characters (190 bits) and a checksum of 6.

    The checksum serves scanners for leaked secrets and clients that look for typing errors. The
    server does not refuse by it, since the first key may have any form (`given_key`).
    """
    body = f"ff_{mode}_" + "".join(secrets.choice(_BASE62) for _ in range(_RANDOM_LENGTH))
    return given_key(body + checksum(body))


def given_key(key: str) -> NewKey:
    """A key from outside (`FINDERFEE_BOOTSTRAP_API_KEY`); ValueError if it could never be sent."""
    if not (MIN_KEY_LENGTH <= len(key) <= MAX_KEY_LENGTH and key.isascii() and key.isprintable()):
        raise ValueError("an API key has 32 to 200 printable ASCII characters")
    if " " in key:
        raise ValueError("an API key has no spaces")
    return NewKey(key=key, hint=key[:_HINT_LENGTH], digest=_digest(key))


def checksum(body: str) -> str:
    """CRC-32 in base 62, six characters."""
    rest, text = zlib.crc32(body.encode()), ""
    for _ in range(_CHECKSUM_LENGTH):
        rest, digit = divmod(rest, len(_BASE62))
        text = _BASE62[digit] + text
    return text


async def issue(
    tx: Tx,
    workspace: UUID,
    key: NewKey,
    *,
    name: str,
    scopes: Collection[Scope],
    expires_at: datetime | None = None,
) -> UUID:
    """Store the key's digest; from the commit on it is in force."""
    return await _store(tx, workspace, key, name=name, scopes=sorted(scopes), expires_at=expires_at)


async def issue_publishable(
    tx: Tx,
    workspace: UUID,
    key: NewKey,
    *,
    name: str,
    origins: Collection[str],
    expires_at: datetime | None = None,
) -> UUID:
    """Store a key that may stand in the source of these origins' pages; it can only tell clicks."""
    limits = {"kind": "publishable", "origins": list(dict.fromkeys(origins))}
    scopes = [Scope.CLICKS_WRITE]
    return await _store(
        tx, workspace, key, name=name, scopes=scopes, expires_at=expires_at, **limits
    )


async def _store(tx: Tx, workspace: UUID, key: NewKey, **columns: Any) -> UUID:
    key_id = uuid7()
    await tx.execute(
        insert(ApiKey).values(
            id=key_id, workspace_id=workspace, hint=key.hint, digest=key.digest, **columns
        )
    )
    return key_id


def get_database(request: Request) -> Database:
    return cast("Database", request.app.state.database)


@cache
def needs(scope: Scope) -> Callable[..., Awaitable[Caller]]:
    """The dependency of a route: `caller: Annotated[Caller, Depends(needs(Scope.LINKS_WRITE))]`.

    Unauthorized for a key that is missing, unknown, revoked or expired, all alike; MissingScope
    for one that may not do this. An answer that the request's idempotency key has already goes
    out instead of a second run.
    """

    async def caller(
        request: Request,
        database: Annotated[Database, Depends(get_database)],
        found: Annotated[Caller, Depends(_authenticate)],
    ) -> Caller:
        if not found.may(scope):
            raise MissingScope(f"This needs a key with the scope `{scope}`.")
        await writing.look(request, database, found.workspace_id)
        return found

    return caller


_BEARER: Final = HTTPBearer(
    auto_error=False, scheme_name="api_key", description="`Authorization: Bearer ff_live_…`"
)


async def _authenticate(
    request: Request,
    database: Annotated[Database, Depends(get_database)],
    token: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)],
) -> Caller:
    key = token.credentials if token else ""
    if not (MIN_KEY_LENGTH <= len(key) <= MAX_KEY_LENGTH and key.isascii()):
        raise Unauthorized
    async with database.read() as read:
        found = await find_caller(read, key)
    if found is None:
        raise Unauthorized
    if found.publishable:
        origin, buckets = request.headers.get("origin"), request.app.state.buckets
        publishable.admit(found.key_id, origin, found.origins, buckets)
    return found


async def find_caller(read: Read, key: str) -> Caller | None:
    """Whose key it is, if it is in force now."""
    row = await read.first(
        select(
            ApiKey.id,
            ApiKey.workspace_id,
            ApiKey.scopes,
            ApiKey.kind,
            ApiKey.origins,
            Workspace.mode,
            Workspace.first,
        )
        .join(Workspace, Workspace.id == ApiKey.workspace_id)
        .where(
            ApiKey.digest == _digest(key),
            ApiKey.revoked_at.is_(None),
            or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > func.now()),
        )
    )
    if row is None:
        return None
    return Caller(
        workspace_id=row.workspace_id,
        key_id=row.id,
        mode=row.mode,
        scopes=frozenset(row.scopes),
        first=row.first,
        publishable=row.kind == "publishable",
        origins=tuple(row.origins),
    )


async def _read(database: Annotated[Database, Depends(get_database)]) -> AsyncIterator[Read]:
    async with database.read() as read:
        yield read


async def _tx(
    request: Request, database: Annotated[Database, Depends(get_database)]
) -> AsyncIterator[Tx]:
    async with database.tx() as tx:
        await writing.take_key(request, tx)
        yield tx


async def _later(
    request: Request, database: Annotated[Database, Depends(get_database)]
) -> AsyncIterator[writing.Later]:
    async with AsyncExitStack() as ending:
        yield writing.Later(request, database, ending)


@cache
def in_lane(scope: Scope) -> Any:
    """A transaction in the caller's money lane, for `Annotated[Tx, …]`.

    Name the scope that the route needs too: the key is checked before the lane is waited for.
    """

    async def lane(
        request: Request,
        database: Annotated[Database, Depends(get_database)],
        caller: Annotated[Caller, Depends(needs(scope))],
    ) -> AsyncIterator[Tx]:
        async with database.lane(caller.workspace_id) as tx:
            await writing.take_key(request, tx)
            yield tx

    return Depends(lane, scope="function")


# scope="function": the transaction ends before the answer leaves. By FastAPI's default it would
# end after it, and a failing commit would have answered 200.
ReadDep = Annotated[Read, Depends(_read, scope="function")]
TxDep = Annotated[Tx, Depends(_tx, scope="function")]
LaterDep = Annotated[writing.Later, Depends(_later, scope="function")]


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()
