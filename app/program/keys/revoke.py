"""Take a key out of force, at once and for good."""

from uuid import UUID

from sqlalchemy import func, or_, select, update

from app.auth import Scope
from app.db.tables import ApiKey, Workspace
from app.db.tx import Tx
from app.errors import Conflict, NotFound


async def revoke(tx: Tx, workspace: UUID, key_id: UUID) -> None:
    """Revoked already: nothing. Conflict for the last admin key, which nobody could replace."""
    # The workspace's row, so that two requests can't each leave the other's key as the last one.
    await tx.first(select(Workspace.id).where(Workspace.id == workspace).with_for_update())
    row = await tx.first(
        select(ApiKey.revoked_at, ApiKey.scopes).where(
            ApiKey.workspace_id == workspace, ApiKey.id == key_id
        )
    )
    if row is None:
        raise NotFound
    if row.revoked_at is not None:
        return
    if Scope.ADMIN in row.scopes and not await _other_admin(tx, workspace, key_id):
        raise Conflict("This is the last admin key; make another one first.")
    await tx.execute(
        update(ApiKey)
        .where(ApiKey.workspace_id == workspace, ApiKey.id == key_id)
        .values(revoked_at=func.clock_timestamp())
    )


async def _other_admin(tx: Tx, workspace: UUID, key_id: UUID) -> bool:
    other = await tx.first(
        select(ApiKey.id)
        .where(
            ApiKey.workspace_id == workspace,
            ApiKey.id != key_id,
            ApiKey.revoked_at.is_(None),
            or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > func.now()),
            ApiKey.scopes.contains([Scope.ADMIN.value]),
        )
        .limit(1)
    )
    return other is not None
