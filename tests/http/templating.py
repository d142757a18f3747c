"""A program made from a template, with partners, and what happens to them told in any order.

What everybody has is asked over HTTP, in minor units, by recipient and unit: `usd`, `credit usd`.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final

from app.conversions.intake import inbox
from app.db.engine import Database
from app.ids import decode
from tests.http.client import Api, click_on, make_partner, new_workspace
from tests.http.selling import Selling, verified

USE: Final[dict[str, Any]] = {
    "name": "Acme",
    "currency": "usd",
    "destination_hosts": ["shop.example.com"],
    "default_destination": "https://shop.example.com/",
}
Moment = datetime | float | None
"""An instant, or seconds after the partners were there, or now."""
Stand = dict[str, dict[str, int]]
_ROLES: Final = ("pending", "held", "payable", "in_flight", "paid")


@dataclass(frozen=True)
class Fact:
    """A message to /v1/track. by: whose links were clicked, each so many days before it."""

    what: str
    body: dict[str, Any]
    at: Moment
    by: tuple[tuple[str, float], ...] = ()


@dataclass
class Story:
    api: Api
    database: Database
    template: str
    cast: Callable[["Story"], Awaitable[None]]
    programs: list[Any] = field(default_factory=list)
    partners: dict[str, Any] = field(default_factory=dict)
    customers: dict[str, str] = field(default_factory=dict)
    facts: list[Fact] = field(default_factory=list)
    start: datetime | None = None

    async def begin(self) -> "Story":
        made = await self.api.post(f"/templates/{self.template}/programs", USE)
        self.programs = made["programs"]
        await self.cast(self)
        self.start = self.start or datetime.now(UTC)
        return self

    def starts_now(self) -> datetime:
        """Before the cast is whole: from here on seconds count."""
        self.start = datetime.now(UTC)
        return self.start

    async def partner(self, name: str, program: int = 0, **more: Any) -> Any:
        email = f"{name.lower()}@partners.example"
        made = await make_partner(self.api, self.programs[program], name=name, email=email, **more)
        self.partners[name] = made
        return made

    async def qualify(
        self, name: str, program: int = 0, since: float | None = None, **has: Any
    ) -> None:
        """since: seconds after the start; none: now."""
        path = f"/programs/{self.programs[program]['id']}/partners/{self.partners[name]['id']}"
        if since is not None:
            has["since"] = self.at(since).isoformat()
        response = await self.api.send("PUT", f"{path}/qualification", json=has)
        assert response.status_code == 200, response.text

    async def lead(self, who: str, at: Moment, by: str = "", **more: Any) -> Any:
        brought = ((by, 0.1),) if by else ()
        return await self.tell(Fact("lead", {"customer_external_id": who, **more}, at, brought))

    async def sale(
        self,
        invoice: str,
        who: str,
        amount: int,
        at: Moment,
        by: str | dict[str, float] = "",
        **more: Any,
    ) -> Any:
        """by: whose link was clicked three hours before, or whose how many days before."""
        brought = {by: 0.1} if isinstance(by, str) and by else by or {}
        assert isinstance(brought, dict)
        body = {"invoice_id": invoice, "customer_external_id": who, "amount": amount}
        told = {**body, "currency": "usd", **more}
        return await self.tell(Fact("sale", told, at, tuple(brought.items())))

    async def refund(self, invoice: str, amount: int, at: Moment) -> Any:
        body = {"invoice_id": invoice, "amount_refunded": amount, "currency": "usd"}
        return await self.tell(Fact("refund", body, at))

    async def tell(self, fact: Fact) -> Any:
        """What became of it: its outcome."""
        self.facts.append(fact)
        at = self.at(fact.at)
        # What lies ahead would be decided by what holds now.
        await asyncio.sleep(max(0.0, (at - datetime.now(UTC)).total_seconds()))
        clicks = [
            click_on(self.partners[name]["default_link"], self.api.app, at - timedelta(days=days))
            for name, days in fact.by
        ]
        body = {
            **fact.body,
            "occurred_at": at.isoformat(),
            **({"click_ids": clicks} if clicks else {}),
        }
        told = await self.api.post(f"/track/{fact.what}", body, status=200)
        outcome = told["outcome"] or {"commissions": [], "reasons": []}
        if "customer_external_id" in body:
            for commission in outcome["commissions"]:
                self.customers[body["customer_external_id"]] = commission["customer_id"]
        return outcome

    def at(self, moment: Moment) -> datetime:
        if isinstance(moment, datetime):
            return moment
        if moment is None:
            return datetime.now(UTC)
        assert self.start is not None
        return self.start + timedelta(seconds=moment)

    async def has(self, *roles: str) -> Stand:
        """What each partner and customer has, of these roles or altogether; no zeros."""
        whose = {name: f"partners/{one['id']}" for name, one in self.partners.items()}
        whose |= {name: f"customers/{one}" for name, one in self.customers.items()}
        found: Stand = {}
        for name, path in whose.items():
            balance = await self.api.get(f"/{path}/balance")
            rows = [(row["currency"], row) for row in balance["data"]]
            rows += [(f"{r['as']} {r['currency'] or r['item']}", r) for r in balance["rewards"]]
            units = {unit: sum(row[role] for role in roles or _ROLES) for unit, row in rows}
            if units := {unit: total for unit, total in units.items() if total}:
                found[name] = units
        return found

    async def words(self, program: int = 0) -> list[str]:
        """Every sentence of the published table."""
        told = (await self.api.get(f"/programs/{self.programs[program]['id']}/terms"))["in_force"]
        rules = [rule["text"] for rule in told["rules"]]
        parts = ("gates", "attribution", "binding", "maturing")
        return [*rules, told["choice"], *(words for part in parts for words in told[part])]

    async def settle(self) -> None:
        (workspace,) = (await self.api.get("/workspaces"))["data"]
        while await inbox.settle(self.database, decode("ws", workspace["id"])):
            continue

    async def proved(self) -> None:
        (workspace,) = (await self.api.get("/workspaces"))["data"]
        none: Any = None
        own = decode("ws", workspace["id"])
        await verified(Selling(self.api, self.database, own, none, none, none))

    async def ends_so_in_any_order(self, orders: int = 2) -> None:
        """The same facts elsewhere, in orders drawn by a fixed seed: the same cents."""
        expected = await self.has()
        for seed in range(orders):
            api = await new_workspace(self.api.app, self.database)
            again = await Story(api, self.database, self.template, self.cast).begin()
            facts = list(self.facts)
            Random(seed).shuffle(facts)
            for fact in facts:
                await again.tell(fact)
            await again.settle()
            assert await again.has() == expected, (seed, facts)
            await again.proved()


def reasons(outcome: Any) -> set[str]:
    return {reason["code"] for reason in outcome["reasons"]}
