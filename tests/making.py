"""Workspaces, programs, partners, links and events for tests, built in a line."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import insert, text

from app.conversions.intake import inbox, incoming
from app.conversions.intake.incoming import Incoming
from app.conversions.providers.mapping import Alias
from app.conversions.requests import AliasIn, LeadIn, RefundIn, SaleIn, TrackIn
from app.core import click_token
from app.core.click_token import ClickToken
from app.core.plans import canonical, parse
from app.db import tables as t
from app.db.engine import Database
from app.db.tx import Tx
from app.ids import uuid7

CLICK_KEYS = (b"k" * 32,)
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def percent(
    rate_bps: int, *, hold_days: int = 14, late_days: int = 1, **more: Any
) -> dict[str, Any]:
    return plan([{"id": "base", "pay": {"percent_bps": rate_bps}}], hold_days, late_days, **more)


def plan(
    rules: list[dict[str, Any]],
    hold_days: int = 14,
    late_days: int = 1,
    model: str = "last_click",
    window_days: int = 30,
) -> dict[str, Any]:
    return {
        "hold_days": hold_days,
        "late_days": late_days,
        "attribution": {"model": model, "window_days": window_days},
        "combine": "first_match",
        "rules": rules,
    }


@dataclass
class Shop:
    """A workspace with programs and partners, and ways to say what happens there."""

    database: Database
    workspace: UUID
    links: dict[str, UUID] = field(default_factory=dict)
    partners: dict[str, UUID] = field(default_factory=dict)
    programs: dict[str, UUID] = field(default_factory=dict)

    def click(self, partner: str, at: datetime) -> str:
        """A token as the redirect would have made it."""
        millis = int(at.timestamp() * 1000)
        random = uuid7().int & ((1 << 74) - 1)
        click = UUID(int=(millis << 80) | (7 << 76) | (2 << 62) | (random & ((1 << 62) - 1)))
        token = ClickToken(click_id=click, link_id=self.links[partner], traffic_class="human")
        return click_token.sign(token, CLICK_KEYS)

    async def say(self, *requests: TrackIn) -> list[UUID]:
        """Store requests undecided, as a webhook would be."""
        async with self.database.tx() as tx:
            messages = [
                Incoming(self.workspace, "api", r.mapped(now()), r.model_dump_json().encode())
                for r in requests
            ]
            stored = await incoming.store(tx, messages, CLICK_KEYS)
        return [one.event_id for one in stored]

    async def settle(self) -> None:
        while await inbox.settle(self.database, self.workspace):
            await asyncio.sleep(0)

    async def tell(self, *requests: TrackIn) -> list[UUID]:
        """Store and decide; one batch."""
        ids = await self.say(*requests)
        await self.settle()
        return ids

    async def rows(self, sql: str, **parameters: Any) -> Sequence[Any]:
        async with self.database.read() as read:
            statement = text(sql).bindparams(workspace=self.workspace, **parameters)
            return await read.all(statement)

    async def balance(self, partner: str, currency: str = "usd") -> dict[str, int]:
        found = await self.rows(
            "SELECT role, credits - debits AS amount FROM accounts WHERE workspace_id = :workspace"
            " AND partner_id = :partner AND currency = :currency AND credits <> debits",
            partner=self.partners[partner],
            currency=currency,
        )
        return {row.role: int(row.amount) for row in found}

    async def commissions(self) -> Sequence[Any]:
        return await self.rows(
            "SELECT * FROM commissions WHERE workspace_id = :workspace ORDER BY occurred_at, id"
        )

    async def conversions(self) -> Sequence[Any]:
        return await self.rows(
            "SELECT * FROM conversions WHERE workspace_id = :workspace AND superseded_by IS NULL"
            " ORDER BY occurred_at, key"
        )


async def make_shop(
    database: Database, terms: dict[str, Any] | None = None, partners: Sequence[str] = ("ana", "bo")
) -> Shop:
    shop = Shop(database, uuid7())
    async with database.tx() as tx:
        await tx.execute(
            insert(t.Workspace).values(id=shop.workspace, name="shop", mode="test", first=False)
        )
        await tx.execute(
            insert(t.Lane).values(
                workspace_id=shop.workspace, decision_no=0, transfer_no=0, chain_hash=b""
            )
        )
        await add_program(tx, shop, "main", terms or percent(2000), partners)
    return shop


async def add_program(
    tx: Tx, shop: Shop, name: str, terms: dict[str, Any], partners: Sequence[str]
) -> None:
    program = shop.programs[name] = uuid7()
    own = {"workspace_id": shop.workspace}
    await tx.execute(
        insert(t.Program).values(
            id=program,
            **own,
            name=name,
            currency="usd",
            destination_hosts=["shop.example"],
            default_destination="https://shop.example/",
            click_parameter="click_id",
        )
    )
    await tx.execute(
        insert(t.ProgramState).values(**own, program_id=program, since=LONG_AGO, state="active")
    )
    await tx.execute(
        insert(t.PlanVersion).values(
            id=uuid7(),
            **own,
            program_id=program,
            version=1,
            document=canonical(parse(orjson.loads(orjson.dumps(terms)))),
            published_at=LONG_AGO,
        )
    )
    for partner in partners:
        await add_partner(tx, shop, name, partner)


async def add_partner(tx: Tx, shop: Shop, program: str, partner: str) -> None:
    own = {"workspace_id": shop.workspace}
    ids = {
        "program_id": shop.programs[program],
        "partner_id": shop.partners.setdefault(partner, uuid7()),
    }
    if not await tx.scalar(
        text("SELECT 1 FROM partners WHERE id = :id").bindparams(id=ids["partner_id"])
    ):
        await tx.execute(insert(t.Partner).values(id=ids["partner_id"], **own, country=""))
    await tx.execute(insert(t.Enrollment).values(**own, **ids))
    await tx.execute(insert(t.EnrollmentState).values(**own, **ids, since=LONG_AGO, state="active"))
    key = partner if program == "main" else f"{program}/{partner}"
    link = shop.links[key] = uuid7()
    await tx.execute(
        insert(t.Link).values(
            id=link,
            **own,
            **ids,
            host="",
            code=f"l{link.hex}",
            destination="https://shop.example/",
            click_parameter="click_id",
            is_default=True,
            subs={},
        )
    )


def sale(
    customer: str, invoice: str, amount: int, *, currency: str = "usd", at: datetime | None = None,
    clicks: Sequence[str] = (), subscription: str | None = None, aliases: Sequence[Alias] = (),
) -> SaleIn:  # fmt: skip
    return SaleIn(
        customer_external_id=customer, amount=amount, currency=currency, invoice_id=invoice,
        click_ids=list(clicks), occurred_at=at, subscription_id=subscription,
        customer_aliases=_aliases(aliases),
    )  # fmt: skip


def lead(
    customer: str, *, name: str = "signup", at: datetime | None = None, clicks: Sequence[str] = (),
    aliases: Sequence[Alias] = (),
) -> LeadIn:  # fmt: skip
    return LeadIn(
        customer_external_id=customer, event_name=name, click_ids=list(clicks), occurred_at=at,
        customer_aliases=_aliases(aliases),
    )  # fmt: skip


def refund(
    invoice: str, amount: int, *, refund_id: str | None = None, currency: str = "usd",
    at: datetime | None = None,
) -> RefundIn:  # fmt: skip
    return RefundIn(
        invoice_id=invoice, amount_refunded=amount, currency=currency, refund_id=refund_id,
        occurred_at=at,
    )  # fmt: skip


def now() -> datetime:
    return datetime.now(UTC)


def ago(**span: float) -> datetime:
    return now() - timedelta(**span)


def _aliases(aliases: Sequence[Alias]) -> list[AliasIn]:
    return [AliasIn(namespace=a.namespace, external_id=a.external_id) for a in aliases]
