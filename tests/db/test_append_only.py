"""The database itself refuses to change what was decided, moved or published."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.db.engine import Database
from tests.making import ago, make_shop, sale

_RESTRICT_VIOLATION = "23001"


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE transfers SET amount = amount + 1",
        "DELETE FROM transfers",
        "TRUNCATE transfers CASCADE",
        "UPDATE decisions SET decision_no = decision_no + 1",
        "DELETE FROM decisions",
        "TRUNCATE decisions CASCADE",
        "UPDATE plan_versions SET document = '{}' WHERE published_at IS NOT NULL",
    ],
)
async def test_history_cannot_be_changed(fresh_database: Database, change: str) -> None:
    shop = await make_shop(fresh_database)
    await shop.tell(sale("u1", "i1", 100_00, clicks=[shop.click("ana", ago(days=1))]))
    table = next(word for word in change.split() if word.endswith("s"))
    assert await shop.rows(f"SELECT 1 FROM {table} WHERE workspace_id = :workspace")
    with pytest.raises(DBAPIError, match=rf"{table} is append-only|is published") as refused:
        async with fresh_database.tx() as tx:
            await tx.execute(text(change))
    assert getattr(refused.value.orig, "sqlstate", "") == _RESTRICT_VIOLATION
