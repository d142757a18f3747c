"""Customers behind one address with the same browser: an office, a campus, a mobile network.

The later ones' clicks are duplicates to us. Each is a customer all the same, and is paid for.
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from app.db.engine import Database
from tests.http.bringing import codes, pending, tell
from tests.http.client import Api, make_partner
from tests.http.selling import Selling, open_selling, verified
from tests.http.visiting import Site, open_site

OFFICE = {"x_forwarded_for": "203.0.113.80"}
SOLD = 100_00
PAID = 20_00


@pytest.fixture
async def selling(api: Api, database: Database) -> Selling:
    return await open_selling(api, database)


@pytest.fixture
async def site(
    api: Api, selling: Selling, database_url: str, tmp_path: Path
) -> AsyncIterator[Site]:
    async with open_site(api, database_url, tmp_path) as site:
        # Before there is a salt of the day, nobody is anybody's duplicate.
        warm = (await make_partner(api, selling.program, name="Warm"))["default_link"]
        async with asyncio.timeout(15):
            while await opened(site, warm, x_forwarded_for="203.0.113.1") == "human":
                continue
        yield site


async def opened(site: Site, link: Any, **headers: str) -> str:
    """The class of a click on a link."""
    return await class_of(site, await site.open(link, **headers))


async def class_of(site: Site, token: str) -> str:
    return str((await site.read(token))["traffic_class"])


async def bought(selling: Selling, customer: str, token: str) -> Any:
    sale = selling.sale(
        customer_external_id=customer, invoice_id=f"INV-{customer}", amount=SOLD, click_id=token
    )
    return await tell(selling, "sale", **sale)


def earned(outcome: Any) -> list[tuple[str, int]]:
    return [(one["partner_id"], one["amount"]) for one in outcome["commissions"]]


async def test_two_who_open_one_link_are_both_paid_for(selling: Selling, site: Site) -> None:
    link, ana = selling.partner["default_link"], selling.partner["id"]
    tokens = [await site.open(link, **OFFICE) for _ in range(2)]
    assert [await class_of(site, token) for token in tokens] == ["human", "duplicate"]
    # Who came later buys first.
    later = await bought(selling, "later", tokens[1])
    first = await bought(selling, "first", tokens[0])
    for outcome in (later, first):
        assert earned(outcome) == [(ana, PAID)]
        assert codes(outcome) == ["touch_counted", "attributed", "rule_paid"]
    assert await pending(selling, selling.partner) == 2 * PAID
    sales = (await selling.api.get("/conversions"))["data"]
    assert len({sale["customer_id"] for sale in sales}) == len(sales) == 2
    for sale in sales:
        journey = await selling.api.get(f"/customers/{sale['customer_id']}")
        assert [touch["partner_id"] for touch in journey["touches"]] == [ana]
    await verified(selling)


async def test_of_two_partners_links_each_is_paid_for_his(selling: Selling, site: Site) -> None:
    ana, bo = selling.partner, await make_partner(selling.api, selling.program, name="Bo")
    visits = [("one", ana), ("two", bo), ("three", ana), ("four", bo), ("five", bo)]
    tokens = [await site.open(partner["default_link"], **OFFICE) for _, partner in visits]
    classes = [await class_of(site, token) for token in tokens]
    assert classes == ["human", "human", "duplicate", "duplicate", "duplicate"]
    for (customer, partner), token in reversed(list(zip(visits, tokens, strict=True))):
        assert earned(await bought(selling, customer, token)) == [(partner["id"], PAID)]
    assert await pending(selling, ana) == 2 * PAID
    assert await pending(selling, bo) == 3 * PAID
    await verified(selling)
