"""The first workspace and its admin key, on an empty database and never again."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import insert, select, text

from app.auth import Mode, NewKey, Scope, given_key, new_key
from app.db.engine import Database
from app.db.tables import ApiKey, Lane, Workspace
from app.db.tx import Tx
from app.ids import uuid7

_LOCK: Final = 0x6666_6669_7273_74  # "fffirst"


@dataclass(frozen=True, slots=True)
class FirstKey:
    """The workspace just made; key: to be shown once, only its hash is stored."""

    workspace_id: UUID
    key: str


async def make_first_workspace(
    database: Database, mode: Mode, bootstrap_key: str | None
) -> FirstKey | None:
    """None if there is a workspace already. Starts at once on one database make one in all."""
    async with database.tx() as tx:
        await tx.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        if await tx.scalar(select(Workspace.id).limit(1)):
            return None
        key = given_key(bootstrap_key) if bootstrap_key else new_key(mode)
        return FirstKey(await _insert(tx, mode, key), key.key)


async def _insert(tx: Tx, mode: Mode, key: NewKey) -> UUID:
    workspace = uuid7()
    name = "Demo" if mode == "test" else "Main"
    await tx.execute(
        insert(Workspace).values(id=workspace, name=name, mode=mode, first=True),
    )
    await tx.execute(insert(Lane).values(workspace_id=workspace))
    await tx.execute(
        insert(ApiKey).values(
            id=uuid7(),
            workspace_id=workspace,
            name="First admin key",
            hint=key.hint,
            digest=key.digest,
            scopes=[Scope.ADMIN],
        )
    )
    return workspace
