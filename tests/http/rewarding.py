"""A program whose rules pay recruiters, companies and customers, in cash and otherwise."""

from dataclasses import dataclass
from typing import Any, Final

from app.db.engine import Database
from tests.http.client import Api, click_on, make_partner
from tests.http.selling import Selling, open_selling

MUG_COST: Final = {"amount": 450, "currency": "usd"}
PLAN: Final[dict[str, Any]] = {
    "hold_days": 30,
    "attribution": {"model": "last_click", "window_days": 60},
    "combine": "first_match",
    "rules": [
        {"id": "own", "pay": {"percent_bps": 2_000}},
        {"id": "up", "pay": {"to": "recruiter", "of": "commission", "percent_bps": 1_000}},
        {"id": "up2", "pay": {"to": "recruiter", "level": 2, "percent_bps": 100}},
        {"id": "firm", "pay": {"to": "company", "as": "credit", "percent_bps": 500}},
        {
            "id": "thanks",
            "match": {"new": True},
            "pay": {"to": "customer", "as": "discount", "flat": {"amount": 700, "currency": "usd"}},
        },
        {
            "id": "mug",
            "adds": True,
            "match": {"new": True},
            "pay": {"to": "customer", "as": "gift", "item": "mug", "quantity": 1, "cost": MUG_COST},
        },
    ],
}


@dataclass
class Rewarding:
    """Bo recruited Ana, Cy recruited Bo, and Ana belongs to Ada's company."""

    selling: Selling
    bo: Any
    cy: Any
    firm: Any
    ana: Any

    @property
    def api(self) -> Api:
        return self.selling.api

    async def sell(self, number: int = 1, **changes: Any) -> Any:
        body = self.selling.sale(invoice_id=f"INV-{number}", **changes)
        return await self.api.post("/track/sale", body, status=200)

    def click(self) -> str:
        return click_on(self.ana["default_link"], self.api.app)

    async def refund(self, amount: int, number: int = 1, refund_id: str = "r1") -> None:
        body = {
            "invoice_id": f"INV-{number}",
            "amount_refunded": amount,
            "currency": "usd",
            "refund_id": refund_id,
        }
        await self.api.post("/track/refund", body, status=200)

    async def pending(self, whose: str) -> dict[str, int]:
        """By what it is: `usd`, `credit usd`, `gift mug`. whose: partners/… or customers/…"""
        balance = await self.api.get(f"/{whose}/balance")
        cash = {row["currency"]: row["pending"] for row in balance["data"]}
        rewards = {
            f"{row['as']} {row['currency'] or row['item']}": row["pending"]
            for row in balance["rewards"]
        }
        return {**cash, **rewards}


async def open_rewarding(api: Api, database: Database, **plan: Any) -> Rewarding:
    selling = await open_selling(api, database, plan={**PLAN, **plan})
    program = selling.program
    cy = await make_partner(api, program, name="Cy", email="cy@example.com")
    bo = await make_partner(api, program, name="Bo", email="bo@example.com", recruited_by=cy["id"])
    firm = await make_partner(api, program, name="Ada Ltd", email="ada@example.com")
    ana = await make_partner(
        api,
        program,
        name="Ana",
        email="ana2@example.com",
        recruited_by=bo["id"],
        company=firm["id"],
    )
    return Rewarding(selling, bo, cy, firm, ana)


def reasons(told: Any) -> set[str]:
    return {reason["code"] for reason in told["outcome"]["reasons"]}
