"""A program whose two partners look for the same prospects, and what they do about it."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text

from app.conversions.deal_links import tell_deals
from app.conversions.intake import inbox
from app.db.engine import Database
from app.deal_customers import Finder
from app.ids import decode
from tests.http.client import Api, make_partner, make_program

ACME: dict[str, Any] = {
    "company": "Acme GmbH",
    "domain": "www.acme.example",
    "contact_name": "Ana Contact",
    "contact_email": "ana@acme.example",
    "product": "Team plan",
    "note": "Met at the fair.",
}


@dataclass
class Dealing:
    """A program with two partners who look for the same prospects."""

    api: Api
    database: Database
    program: Any
    ana: Any
    bo: Any
    finder: Finder = field(default_factory=Finder)

    def body(self, partner: Any, **changes: Any) -> dict[str, Any]:
        ids = {"program_id": self.program["id"], "partner_id": partner["id"]}
        return {**ids, **ACME, **changes}

    async def register(self, partner: Any, status: int = 201, **changes: Any) -> Any:
        return await self.api.post("/deals", self.body(partner, **changes), status=status)

    async def step(self, deal: Any, *actions: str, status: int = 200, **body: Any) -> Any:
        answer = None
        for action in actions:
            answer = await self.api.post(f"/deals/{deal['id']}/{action}", body, status=status)
        return answer

    async def end_lock(self, deal: Any) -> None:
        """As if its days had passed; no job has seen it yet."""
        async with self.database.tx() as tx:
            await tx.execute(
                text(
                    "UPDATE deals SET lock_until = now() - interval '1 minute'"
                    " WHERE registered_at = :at"
                ).bindparams(at=datetime.fromisoformat(deal["registered_at"]))
            )

    async def work(self) -> None:
        """What the worker does within seconds."""
        await self.finder.find(self.database)
        await tell_deals(self.database)
        workspace = await self.workspace()
        while await inbox.settle(self.database, workspace):
            continue
        await tell_deals(self.database)

    async def workspace(self) -> UUID:
        (workspace,) = (await self.api.get("/workspaces"))["data"]
        return decode("ws", workspace["id"])


async def open_dealing(api: Api, database: Database) -> Dealing:
    program = await make_program(api)
    ana = await make_partner(api, program, name="Ana Partner")
    bo = await make_partner(api, program, name="Bo Partner", email="bo@partners.example")
    return Dealing(api, database, program, ana, bo)
