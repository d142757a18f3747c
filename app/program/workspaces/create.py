"""Make a workspace with its first admin key."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import insert

from app.auth import Mode, NewKey, Scope, issue, new_key
from app.db.tables import Lane, Workspace
from app.db.tx import Tx
from app.ids import uuid7


@dataclass(frozen=True, slots=True)
class NewWorkspace:
    """key: the admin key in clear, known only now."""

    id: UUID
    key_id: UUID
    key: NewKey


async def create(
    tx: Tx, *, name: str, mode: Mode, first: bool = False, key: NewKey | None = None
) -> NewWorkspace:
    """first: made by the first start. key: a given one (`auth.given_key`) instead of a new one."""
    key = key or new_key(mode)
    workspace = uuid7()
    await tx.execute(insert(Workspace).values(id=workspace, name=name, mode=mode, first=first))
    await tx.execute(insert(Lane).values(workspace_id=workspace))
    key_id = await issue(tx, workspace, key, name="Admin", scopes=[Scope.ADMIN])
    return NewWorkspace(id=workspace, key_id=key_id, key=key)
