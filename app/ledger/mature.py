"""Pending becomes payable once the hold is over and nothing received before it still waits.

What a dispute holds stays held: it matures too, but for what is stopped.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import asyncpg
from sqlalchemy import text

from app.core.status import status_of
from app.core.transfers import mature
from app.db import bulk
from app.db import tables as t
from app.db.engine import Database
from app.errors import LaneBusy
from app.ledger.post import Posting, post
from app.ledger.standings import standing_of

GRACE_S: Final = 3
"""An event's receipt is stamped before its commit; by then a commit under way is through."""
BATCH: Final = 500

# The clock in a sub-select is read once, so that the index is searched and not read whole.
_DUE: Final = """
  status IN ('pending', 'held') AND matured_at IS NULL
  AND hold_until < (SELECT clock_timestamp()) - make_interval(secs => :grace)
"""


async def mature_due(database: Database) -> int:
    """One batch of every workspace that has commissions due; gives how many matured."""
    async with database.read() as read:
        due = await read.all(
            text(
                f"SELECT workspace_id FROM commissions WHERE {_DUE}"
                " GROUP BY workspace_id ORDER BY random() LIMIT 100"
            ).bindparams(grace=GRACE_S)
        )
    matured = 0
    for row in due:
        try:
            matured += await mature_workspace(database, row.workspace_id)
        except LaneBusy:
            continue
    return matured


async def mature_workspace(database: Database, workspace: UUID) -> int:
    """Mature what is due in one workspace, in its lane."""
    async with database.lane(workspace) as tx:
        driver = await tx.driver()
        lane = await driver.fetchrow(
            "SELECT clock_timestamp() AS now, transfer_no FROM lanes WHERE workspace_id = $1",
            workspace,
        )
        assert lane is not None
        rows = await _due(driver, workspace)
        moved = [(row, mature(standing_of(row))) for row in rows]
        postings = [
            Posting(number, transfer, row["occurred_at"])
            for number, (row, transfer) in enumerate(
                ((row, transfer) for row, transfers in moved for transfer in transfers),
                lane["transfer_no"] + 1,
            )
        ]
        await post(driver, workspace, postings, recorded_at=lane["now"])
        await bulk.update(
            driver,
            t.Commission,
            [_matured_row(workspace, row, len(transfers), lane["now"]) for row, transfers in moved],
            keys=("workspace_id", "id"),
        )
        await driver.execute(
            "UPDATE lanes SET transfer_no = $2 WHERE workspace_id = $1",
            workspace,
            lane["transfer_no"] + len(postings),
        )
    return len(rows)


async def _due(driver: "asyncpg.Connection[Any]", workspace: UUID) -> Sequence[Mapping[str, Any]]:
    """Commissions whose hold is over and before whose close no event waits to be decided."""
    return await driver.fetch(
        """
        SELECT * FROM commissions
        WHERE workspace_id = $1 AND status IN ('pending', 'held') AND matured_at IS NULL
          AND hold_until < (SELECT clock_timestamp()) - make_interval(secs => $2)
          AND hold_until < coalesce(
            (SELECT min(received_at) FROM events WHERE workspace_id = $1 AND state = 'received'),
            'infinity')
        ORDER BY hold_until, id LIMIT $3
        """,
        workspace,
        GRACE_S,
        BATCH,
    )


def _matured_row(
    workspace: UUID, row: Mapping[str, Any], transfers: int, now: Any
) -> dict[str, Any]:
    status = status_of(
        amount=row["amount"],
        reversed_=row["reversed"],
        paid=row["paid"],
        matured=True,
        held=row["held"],
    )
    return {
        "workspace_id": workspace,
        "id": row["id"],
        "status": status,
        "matured_at": now,
        "transfers": row["transfers"] + transfers,
    }
