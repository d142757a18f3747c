"""A workspace in which something can be sold: what requests and webhooks need, and what is stored.

The API runs in process, so nothing decides webhooks but `settle`.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
from sqlalchemy import text

from app.conversions.intake import inbox
from app.conversions.proof import verify
from app.db.engine import Database
from app.ids import decode
from tests.contract import stripe_objects as objects
from tests.http.client import Api, click_on, make_partner, make_program

SECRET = "whsec_0123456789abcdef"
_TABLES = ("events", "event_bodies", "customers", "conversions", "commissions", "transfers")


@dataclass
class Selling:
    api: Api
    database: Database
    workspace: UUID
    program: Any
    partner: Any
    source: Any

    def click(self, at: datetime | None = None) -> str:
        return click_on(self.partner["default_link"], self.api.app, at)

    def sale(self, **changes: Any) -> dict[str, Any]:
        body = {
            "customer_external_id": "user-17",
            "amount": 10_000,
            "currency": "usd",
            "invoice_id": "INV-1",
        }
        return {**body, **changes}

    async def post(self, body: bytes, headers: Any, *, source: str = "") -> httpx.Response:
        """A webhook as it stands."""
        transport = httpx.ASGITransport(self.api.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
            path = f"/v1/webhooks/{source or self.source['id']}"
            return await client.post(path, content=body, headers=headers)

    async def webhook(self, body: bytes | dict[str, Any]) -> Any:
        """A webhook signed as it should be: the event, decided if it can be."""
        raw = body if isinstance(body, bytes) else objects.encoded(body)
        header = signature(raw)
        response = await self.post(raw, {"Stripe-Signature": header})
        assert response.status_code == 200, response.text
        await self.settle()
        return await self.api.get(f"/events/{response.json()['event_id']}")

    async def settle(self) -> None:
        """Decide what can be decided."""
        while await inbox.settle(self.database, self.workspace):
            continue

    async def balance(self) -> dict[str, int]:
        """What the partner has by role, in its only currency, and is not zero."""
        rows = (await self.api.get(f"/partners/{self.partner['id']}/balance"))["data"]
        assert len(rows) <= 1
        return {role: n for row in rows for role, n in row.items() if role != "currency" and n}

    async def stored(self) -> dict[str, int]:
        """How many rows of what."""
        async with self.database.read() as read:
            return {
                table: await read.scalar(
                    text(
                        f"SELECT count(*) FROM {table} WHERE workspace_id = :workspace"
                    ).bindparams(workspace=self.workspace)
                )
                for table in _TABLES
            }


async def verified(selling: Selling) -> None:
    """Every decision of the workspace gives the same again, and so does every balance."""
    async with selling.database.snapshot() as snapshot:
        driver = await snapshot.driver()
        found = [one async for one in verify._workspace(driver, selling.workspace)]
    assert found == []


async def open_selling(api: Api, database: Database, **program_changes: Any) -> Selling:
    program = await make_program(api, **program_changes)
    (workspace,) = (await api.get("/workspaces"))["data"]
    return Selling(
        api=api,
        database=database,
        workspace=decode("ws", workspace["id"]),
        program=program,
        partner=await make_partner(api, program),
        source=await api.post("/sources", {"provider": "stripe", "signing_secrets": [SECRET]}),
    )


def signature(body: bytes, secret: str = SECRET, *, off_s: int = 0) -> str:
    """Stripe's header for bytes that need not be text."""
    at = int(datetime.now(UTC).timestamp()) + off_s
    return objects.signed(body, secret, at)["Stripe-Signature"]
