"""A million stored sales: a few hundred customers decided for real, copied under other names.

Customers buy once to ten times within a year; of partners, amounts, countries, subscriptions and
refunds there are many kinds. Written is what a back-test reads, events in the order of their times.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import orjson

from app.conversions.requests import RefundIn, SaleIn, TrackIn
from app.core import identity
from app.db import bulk
from app.db import tables as t
from app.db.engine import Database
from app.ids import uuid7
from tests.making import Shop, make_shop

FROM: Final = datetime(2025, 1, 1, tzinfo=UTC)
TO: Final = datetime(2026, 1, 1, tzinfo=UTC)
_TEMPLATES: Final = 400
_PARTNERS: Final = [f"p{number}" for number in range(50)]
_BOUGHT: Final[dict[int, float]] = {1: 0.6, 2: 0.2, 4: 0.15, 10: 0.05}
"""How often a customer buys: which share of the customers does."""
_COUNTRIES: Final = ("DE", "US", "FR", "BR", "")
_CHUNK: Final = 20_000
"""Sales that are written at once."""


@dataclass(frozen=True, slots=True)
class Told:
    """One customer's rows, as they were decided. name: what its copies put another text for."""

    name: str
    events: Sequence[Mapping[str, Any]]
    conversions: Sequence[Mapping[str, Any]]
    commissions: Sequence[Mapping[str, Any]]


async def make_history(url: str, terms: dict[str, Any], sales: int) -> Shop:
    """A workspace with about so many sales in the year. url: a migrated database."""
    shop = await make_shop(Database(url), terms, _PARTNERS)
    told = await _tell(shop)
    each = sum(len(one.conversions) for one in told)
    chunk: list[tuple[Told, int]] = []
    for copy in range(1, max(2, sales // each)):
        chunk += [(one, copy) for one in told]
        if len(chunk) * each // len(told) >= _CHUNK:
            await _write(shop, chunk)
            chunk = []
    await _write(shop, chunk)
    async with shop.database.read() as read:
        driver = await read.driver()
        await driver.execute("COMMIT")
        for name in ("events", "conversions", "commissions", "customers"):
            await driver.execute(f"VACUUM ANALYZE {name}", timeout=600)
        await driver.execute("CHECKPOINT", timeout=600)
    return shop


async def _tell(shop: Shop) -> list[Told]:
    """The customers that are decided for real."""
    chance = random.Random(1)
    names = [f"H{number:03}-" for number in range(_TEMPLATES)]
    for name in names:
        await shop.say(*_bought(shop, name, chance))
    await shop.settle()
    return [await _told(shop, name) for name in names]


def _bought(shop: Shop, name: str, chance: random.Random) -> Iterator[TrackIn]:
    count = chance.choices(list(_BOUGHT), list(_BOUGHT.values()))[0]
    partner = chance.choice(_PARTNERS)
    first = FROM + (TO - FROM) * chance.random() * (1 - (count - 1) / 12)
    subscription = f"{name}sub" if chance.random() < 0.5 else None
    for number in range(count):
        at = first + timedelta(days=30 * number)
        invoice, amount = f"{name}{number}", chance.randrange(5_00, 500_00)
        yield SaleIn(
            customer_external_id=name,
            customer_country=chance.choice(_COUNTRIES) or None,
            amount=amount,
            currency="usd",
            invoice_id=invoice,
            subscription_id=subscription,
            occurred_at=at,
            click_ids=[shop.click(partner, at - timedelta(days=1))] if number == 0 else [],
        )
        if chance.random() < 0.05:
            yield RefundIn(
                invoice_id=invoice,
                amount_refunded=amount // 2,
                currency="usd",
                occurred_at=at + timedelta(days=3),
            )


async def _told(shop: Shop, name: str) -> Told:
    async with shop.database.read() as read:
        driver = await read.driver()
        events = await driver.fetch(
            "SELECT * FROM events WHERE workspace_id = $1 AND mapped->'payments'->>0 LIKE $2",
            shop.workspace,
            f"%:{name}%",
        )
        customer = [events[0]["customer_id"]]
        rows = [
            await bulk.fetch(
                driver, table, workspace=shop.workspace, key="customer_id", keys=customer
            )
            for table in (t.Conversion, t.Commission)
        ]
    return Told(name, *([_plain(row) for row in found] for found in (events, *rows)))


async def _write(shop: Shop, chunk: Sequence[tuple[Told, int]]) -> None:
    """Copies: of which customers, and their numbers."""
    customers, events, conversions, commissions = [], [], [], []
    for told, number in chunk:
        customer = uuid7()
        nameless = {"email": "", "name": ""}
        customers.append({"workspace_id": shop.workspace, "id": customer, **nameless})
        own = {"customer_id": customer}
        ids: dict[UUID, UUID] = {}
        for row in told.conversions:
            key = _other(row["key"], told.name, number)
            ids[row["id"]] = identity.conversion_id(shop.workspace, key)
            conversions.append({**row, **own, "id": ids[row["id"]], "key": key})
        for row in told.commissions:
            conversion = ids[row["conversion_id"]]
            named = {"conversion_id": conversion, "id": _commission(row, conversion)}
            commissions.append({**row, **own, **named})
        for row in told.events:
            copied = {**row, **own, "id": uuid7(), "received_at": row["occurred_at"]}
            copied["external_id"] = _other(row["external_id"], told.name, number)
            copied["mapped"] = _other(copied["mapped"], told.name, number)
            copied["conversion_id"] = ids[row["conversion_id"]]
            events.append(copied)
    events.sort(key=lambda row: row["occurred_at"])
    conversions.sort(key=lambda row: row["occurred_at"])
    async with shop.database.tx() as tx:
        driver = await tx.driver()
        await bulk.insert(driver, t.Customer, customers)
        await bulk.insert(driver, t.EventRow, events)
        await bulk.insert(driver, t.Conversion, conversions)
        await bulk.insert(driver, t.Commission, commissions)


def _commission(row: Mapping[str, Any], conversion: UUID) -> UUID:
    return identity.commission_id(
        conversion=conversion,
        plan_version=row["plan_version_id"],
        rule=row["rule_id"],
        beneficiary=row["partner_id"],
    )


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row whose JSON is text, as COPY takes it."""
    return {
        name: orjson.dumps(value).decode()
        if isinstance(value, dict) or (isinstance(value, list) and name != "waits_for")
        else value
        for name, value in row.items()
    }


def _other(text: str, name: str, number: int) -> str:
    return text.replace(name, f"{name}{number}-")
