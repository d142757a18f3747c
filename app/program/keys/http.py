"""`/v1/keys`: keys of the caller's workspace."""

from typing import Annotated, Any, Final, Self

from fastapi import APIRouter, Depends
from pydantic import Field, model_validator
from sqlalchemy import Row, Select, select

from app.auth import (
    Caller,
    KeyKind,
    ReadDep,
    Scope,
    TxDep,
    issue,
    issue_publishable,
    needs,
    new_key,
)
from app.db.tables import ApiKey
from app.db.tx import Read
from app.errors import Conflict, NotFound
from app.openapi import documented
from app.pages import Order, PageDep, page
from app.program.keys.revoke import revoke
from app.publishable import Origin
from app.wire import In, Instant, KeyId, Listed, Name, Out
from app.writing import Writes

router: Final = APIRouter(prefix="/keys", tags=["Workspaces and keys"], route_class=Writes)
_ORDER: Final = Order("key", ApiKey.created_at, ApiKey.id, ApiKey.workspace_id)
Admin = Annotated[Caller, Depends(needs(Scope.ADMIN))]


class KeyCreate(In):
    """A secret key needs scopes: `:write` includes `:read` of the same noun, `admin` everything.

    A publishable key may stand in a page's source: it can do `POST /v1/track/click` and nothing
    else, from the origins that are named, so it needs these and takes no scopes.
    """

    name: Name
    kind: KeyKind = "secret"
    scopes: list[Scope] = Field(default=[], max_length=20, examples=[["links:write"]])
    origins: list[Origin] = Field(default=[], max_length=20)
    expires_at: Instant | None = None

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        if self.kind == "secret" and not self.scopes:
            raise ValueError("a secret key needs scopes")
        if self.kind == "secret" and self.origins:
            raise ValueError("only a publishable key has origins")
        if self.kind == "publishable" and not self.origins:
            raise ValueError("a publishable key needs origins")
        if self.kind == "publishable" and self.scopes:
            raise ValueError("a publishable key has its one scope already; leave scopes out")
        return self


class KeyOut(Out):
    """hint: the key's first characters. revoked_at: since when it opens nothing."""

    id: KeyId
    name: str
    hint: str = Field(examples=["ff_live_7yZ4"])
    kind: str
    scopes: list[str]
    origins: list[str]
    created_at: Instant
    expires_at: Instant | None
    revoked_at: Instant | None

    @classmethod
    def of(cls, row: Row[Any]) -> Self:
        return cls(
            id=row.id,
            name=row.name,
            hint=row.hint,
            kind=row.kind,
            scopes=row.scopes,
            origins=row.origins,
            created_at=row.created_at,
            expires_at=row.expires_at,
            revoked_at=row.revoked_at,
        )


class KeyCreated(KeyOut):
    """key: shown only here; only its hash is kept."""

    key: str = Field(examples=["ff_live_…"])


@router.post("", status_code=201)
async def create_key(body: KeyCreate, caller: Admin, tx: TxDep) -> KeyCreated:
    """Make a key; the answer is the only one that shows it."""
    if body.kind == "publishable":
        key = new_key("pub")
        key_id = await issue_publishable(
            tx,
            caller.workspace_id,
            key,
            name=body.name,
            origins=body.origins,
            expires_at=body.expires_at,
        )
    else:
        key = new_key(caller.mode)
        key_id = await issue(
            tx,
            caller.workspace_id,
            key,
            name=body.name,
            scopes=set(body.scopes),
            expires_at=body.expires_at,
        )
    shown = await _shown(tx, caller, key_id)
    return KeyCreated(**dict(shown), key=key.key)


@router.get("")
async def list_keys(caller: Admin, read: ReadDep, wanted: PageDep) -> Listed[KeyOut]:
    """All keys, revoked ones too."""
    rows, has_more = await page(read, _keys(caller), _ORDER, wanted, workspace=caller.workspace_id)
    return Listed(data=[KeyOut.of(row) for row in rows], has_more=has_more)


@router.get("/{key_id}")
async def get_key(key_id: KeyId, caller: Admin, read: ReadDep) -> KeyOut:
    """One key, without itself."""
    return await _shown(read, caller, key_id)


@router.delete("/{key_id}", responses=documented(Conflict))
async def revoke_key(key_id: KeyId, caller: Admin, tx: TxDep) -> KeyOut:
    """Revoke a key for good. The last admin key stays: nobody could replace it."""
    await revoke(tx, caller.workspace_id, key_id)
    return await _shown(tx, caller, key_id)


async def _shown(read: Read, caller: Caller, key_id: KeyId) -> KeyOut:
    row = await read.first(_keys(caller).where(ApiKey.id == key_id))
    if row is None:
        raise NotFound
    return KeyOut.of(row)


def _keys(caller: Caller) -> Select[Any]:
    return select(ApiKey).where(ApiKey.workspace_id == caller.workspace_id)
