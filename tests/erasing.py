"""A shop in which customers are erased, and what tells whether they are."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import text

from app.auth import Scope, issue, new_key
from app.conversions.people.erase import erase_customer, search
from app.conversions.proof.verify import verify
from app.conversions.requests import LeadIn
from app.db.engine import Database
from app.erasures import ErasureOut
from tests.canary import where
from tests.making import Shop, make_shop, percent

NAME, EMAIL = "Zenobia Quilfeather", "zenobia@quilfeather.example"


class Erasing:
    """A shop, and a key that may erase in it."""

    def __init__(self, shop: Shop, key: UUID) -> None:
        self.shop = shop
        self.key = key

    async def erase(self, customer: UUID) -> ErasureOut:
        database, workspace = self.shop.database, self.shop.workspace
        searched = await search(database, workspace, customer)
        async with database.lane(workspace) as tx:
            return await erase_customer(tx, workspace, searched, key=self.key)

    async def customers(self) -> Sequence[Any]:
        return await self.shop.rows(
            "SELECT * FROM customers WHERE workspace_id = :workspace ORDER BY id"
        )

    async def customer(self) -> Any:
        (found,) = await self.customers()
        return found

    async def aliases(self) -> list[str]:
        rows = await self.shop.rows(
            "SELECT external_id FROM customer_names WHERE workspace_id = :workspace"
            " AND external_id IS NOT NULL ORDER BY 1"
        )
        return [row.external_id for row in rows]

    async def bodies(self) -> int:
        rows = await self.shop.rows("SELECT 1 FROM event_bodies WHERE workspace_id = :workspace")
        return len(rows)

    async def change(self, sql: str, **parameters: Any) -> None:
        async with self.shop.database.tx() as tx:
            await tx.execute(
                text(sql).bindparams(**parameters),
            )

    async def money(self) -> list[tuple[Any, ...]]:
        """Every account, commission, conversion and transfer, whole."""
        found: list[tuple[Any, ...]] = []
        for table in ("accounts", "commissions", "conversions", "transfers", "decisions", "lanes"):
            rows = await self.shop.rows(
                f"SELECT * FROM {table} t WHERE workspace_id = :workspace ORDER BY t::text"
            )
            found += [tuple(row) for row in rows]
        return found

    async def whole(self) -> None:
        assert (await verify(self.shop.database)).findings == ()


async def open_erasing(database: Database) -> Erasing:
    shop = await make_shop(database, percent(2000, hold_days=14))
    async with database.tx() as tx:
        key = await issue(tx, shop.workspace, new_key("test"), name="dpo", scopes=[Scope.ADMIN])
    return Erasing(shop, key)


def signup(customer: str = "zenobia-17", **more: Any) -> LeadIn:
    return LeadIn(customer_external_id=customer, customer_email=EMAIL, customer_name=NAME, **more)


async def nowhere(database: Database, *needles: str) -> None:
    for needle in needles:
        assert await where(database.url, needle) == [], needle
