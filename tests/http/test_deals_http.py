"""Registered leads: first come keeps the prospect, is told of it, and earns by it when it buys."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from app.db.engine import Database
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


@pytest.fixture
async def dealing(api: Api, database: Database) -> Dealing:
    program = await make_program(api)
    ana = await make_partner(api, program, name="Ana Partner", external_id="customer-of-us-1")
    bo = await make_partner(api, program, name="Bo Partner", email="bo@partners.example")
    return Dealing(api, database, program, ana, bo)


async def test_a_deal_goes_its_way_and_keeps_its_history(dealing: Dealing) -> None:
    deal = await dealing.register(dealing.ana)
    assert deal["stage"] == "registered"
    assert {name: deal[name] for name in ACME} == ACME
    assert deal["partner_id"] == dealing.ana["id"]
    registered_at = datetime.fromisoformat(deal["registered_at"])
    assert datetime.fromisoformat(deal["lock_until"]) == registered_at + timedelta(days=90)
    await dealing.step(deal, "accept", reason="A good one.")
    await dealing.step(deal, "extend")
    await dealing.step(deal, "qualify")
    await dealing.api.patch(f"/deals/{deal['id']}", {"note": "They want 40 seats."})
    won = await dealing.step(deal, "win", customer_external_id="acme-1")
    assert (won["stage"], won["customer_external_id"]) == ("won", "acme-1")
    assert won["note"] == "They want 40 seats."
    (key,) = (await dealing.api.get("/keys"))["data"]
    assert [(one["stage"], one["reason"], one["key_id"]) for one in won["history"]] == [
        ("registered", "", key["id"]),
        ("accepted", "A good one.", key["id"]),
        ("accepted", "", key["id"]),
        ("qualified", "", key["id"]),
        ("won", "", key["id"]),
    ]
    locks = [datetime.fromisoformat(one["lock_until"]) for one in won["history"]]
    assert locks[2] - locks[1] == timedelta(days=90)
    times = [one["at"] for one in won["history"]]
    assert times == sorted(times)
    assert await dealing.api.get(f"/deals/{deal['id']}") == won
