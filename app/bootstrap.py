"""The first workspace and its admin key, on an empty database and never again."""

from typing import Final

from sqlalchemy import select, text

from app.auth import Mode, given_key
from app.db.tables import Workspace
from app.db.tx import Tx
from app.program.workspaces.create import NewWorkspace, create

_LOCK: Final = 0x666972737420  # "first "


async def make_first_workspace(
    tx: Tx, *, name: str, mode: Mode, key: str | None
) -> NewWorkspace | None:
    """None if there is a workspace already. Starts at once on one database make one in all.

    key: given from outside; ValueError if it is shorter than 32 characters.
    """
    await tx.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    if await tx.scalar(select(Workspace.id).limit(1)):
        return None
    given = given_key(key) if key else None
    return await create(tx, name=name, mode=mode, first=True, key=given)
