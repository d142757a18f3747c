"""The same sale from two sources is held and flagged, not paid twice, until a person decides."""

import itertools
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from app.db.engine import Database
from tests.contract import stripe_objects as objects
from tests.contract.stripe_objects import checkout_session
from tests.http.client import Api
from tests.http.selling import Selling, open_selling, verified


@pytest.fixture
async def selling(api: Api, database: Database) -> AsyncIterator[Selling]:
    made = await open_selling(api, database)
    async with database.tx() as tx:
        for table in ("enrollment_states", "program_states"):
            await tx.execute(
                text(
                    f"UPDATE {table} SET since = '2020-01-01' WHERE workspace_id = :workspace"
                ).bindparams(workspace=made.workspace)
            )
    yield made
    await verified(made)


def at(hours: float) -> datetime:
    return datetime.now(UTC).replace(microsecond=0) - timedelta(hours=100 - hours)


async def opened(selling: Selling) -> None:
    """A customer with a click, whom Stripe knows too."""
    lead = {
        "customer_external_id": "user-17",
        "customer_aliases": [{"namespace": "stripe:", "external_id": "cus_1"}],
        "click_id": selling.click(at(-1)),
        "occurred_at": at(0).isoformat(),
    }
    await selling.api.post("/track/lead", lead, status=200)


async def by_stripe(selling: Selling, name: str, hours: float, amount: int = 10_000) -> None:
    created = int(at(hours).timestamp())
    session = checkout_session(
        name, payment_intent=f"pi_{name}", amount_total=amount, amount_tax=0, created=created
    )
    body = objects.event("checkout.session.completed", session, livemode=True, created=created)
    await selling.webhook(body)


async def by_server(selling: Selling, name: str, hours: float, amount: int = 10_000) -> None:
    sale = selling.sale(invoice_id=name, amount=amount, occurred_at=at(hours).isoformat())
    await selling.api.post("/track/sale", sale, status=200)


async def flagged(selling: Selling) -> dict[str, list[int]]:
    """By the end of a sale's key: amount, and what is held of it."""
    found: dict[str, list[int]] = {}
    for sale in (await selling.api.get("/conversions?kind=sale"))["data"]:
        found |= await held(selling, sale)
    for sale in (await selling.api.get("/conversions?kind=renewal"))["data"]:
        found |= await held(selling, sale)
    return found


async def held(selling: Selling, sale: Any) -> dict[str, list[int]]:
    suspected = "possible_duplicate_sale" in [reason["code"] for reason in sale["reasons"]]
    assert sale["commissions"], sale["reasons"]
    (commission,) = sale["commissions"]
    assert (commission["status"] == "held") == suspected
    return {sale["key"].rpartition(":")[2]: [commission["amount"], int(suspected)]}


async def balance(selling: Selling) -> tuple[int, int]:
    (one,) = (await selling.api.get(f"/partners/{selling.partner['id']}/balance"))["data"]
    return one["pending"], one["held"]


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
async def test_in_any_order_the_later_one_is_held(selling: Selling, order: tuple[int, ...]) -> None:
    await opened(selling)
    tell = [
        lambda: by_stripe(selling, "a", 10),
        lambda: by_server(selling, "b", 12),
        lambda: by_server(selling, "other", 11, amount=5_000),
    ]
    for step in order:
        await tell[step]()
    assert await flagged(selling) == {"pi_a": [2_000, 0], "b": [2_000, 1], "other": [1_000, 0]}
    assert await balance(selling) == (3_000, 2_000)


async def test_only_equal_sales_of_two_sources_within_a_day_are_one(selling: Selling) -> None:
    await opened(selling)
    await by_stripe(selling, "a", 10)
    await by_stripe(selling, "again", 11)
    await by_server(selling, "b", 12)
    await by_server(selling, "late", 36)
    await by_server(selling, "more", 12, amount=10_001)
    found = await flagged(selling)
    assert [name for name, (_, suspected) in found.items() if suspected] == ["b"]
    # One source's second sale is the other's second one.
    await by_server(selling, "c", 13)
    found = await flagged(selling)
    assert sorted(name for name, (_, suspected) in found.items() if suspected) == ["b", "c"]


async def test_a_person_decides_and_may_change_its_mind(selling: Selling, stranger: Api) -> None:
    await opened(selling)
    await by_stripe(selling, "a", 10)
    await by_server(selling, "b", 12)
    sales = (await selling.api.get("/conversions?kind=sale"))["data"]
    (suspect,) = [sale for sale in sales if sale["key"].endswith(":b")]
    (first,) = [sale for sale in sales if sale["key"].endswith("pi_a")]
    (reason,) = [r for r in suspect["reasons"] if r["code"] == "possible_duplicate_sale"]
    assert reason["params"]["by"] == first["id"]
    assert "100.00 USD" in reason["text"]
    path = f"/conversions/{suspect['id']}"
    await stranger.post(f"{path}/release", status=404)
    released = await selling.api.post(f"{path}/release", status=200)
    assert (codes(released), await balance(selling)) == (["not_duplicate_sale"], (4_000, 0))
    taken_back = await selling.api.post(f"{path}/duplicate", status=200)
    assert (codes(taken_back), await balance(selling)) == (["duplicate_sale"], (2_000, 0))
    assert taken_back["commissions"][0]["status"] == "void"
    again = await selling.api.post(f"{path}/release", status=200)
    assert (codes(again), await balance(selling)) == (["not_duplicate_sale"], (4_000, 0))
    (lead,) = (await selling.api.get("/conversions?kind=lead"))["data"]
    await selling.api.post(f"/conversions/{lead['id']}/duplicate", status=409)


async def test_when_the_first_one_is_the_duplicate_the_other_is_paid(selling: Selling) -> None:
    await opened(selling)
    await by_stripe(selling, "a", 10)
    await by_server(selling, "b", 12)
    sales = (await selling.api.get("/conversions?kind=sale"))["data"]
    (first,) = [sale for sale in sales if sale["key"].endswith("pi_a")]
    await selling.api.post(f"/conversions/{first['id']}/duplicate", status=200)
    assert await balance(selling) == (2_000, 0)


def codes(sale: Any) -> list[str]:
    return [r["code"] for r in sale["reasons"] if "duplicate" in r["code"]]
