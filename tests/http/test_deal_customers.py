"""Customers are found for registered leads among what is new, and at times among everything."""

from typing import Any

import pytest

from app.db.engine import Database
from app.deal_customers import Finder
from tests.http.client import Api
from tests.http.dealing import Dealing, open_dealing


@pytest.fixture
async def dealing(api: Api, database: Database) -> Dealing:
    made = await open_dealing(api, database)
    await made.work()  # its first round compares everything
    return made


async def come(dealing: Dealing, customer: str = "acme-1", email: str = "Ana@acme.example") -> None:
    lead = {"customer_external_id": customer, "event_name": email, "customer_email": email}
    await dealing.api.post("/track/lead", lead, status=200)


async def customer_of(dealing: Dealing, deal: Any) -> Any:
    return (await dealing.api.get(f"/deals/{deal['id']}"))["customer_id"]


async def accepted(dealing: Dealing) -> Any:
    return await dealing.step(await dealing.register(dealing.ana), "accept")


async def test_a_customer_who_comes_after_is_found_among_the_new(dealing: Dealing) -> None:
    deal = await accepted(dealing)
    await come(dealing, "other", "other@else.example")
    await dealing.work()
    assert await customer_of(dealing, deal) is None
    await come(dealing)
    await dealing.work()
    assert await customer_of(dealing, deal) is not None


async def test_a_known_customer_who_tells_its_address_is_found(dealing: Dealing) -> None:
    await come(dealing, email="old@else.example")
    deal = await accepted(dealing)
    for _ in range(5):
        await dealing.work()
    await come(dealing)
    await dealing.work()
    assert await customer_of(dealing, deal) is not None


async def test_accepting_finds_who_came_meanwhile(dealing: Dealing) -> None:
    deal = await dealing.register(dealing.ana)
    await come(dealing)
    for _ in range(5):
        await dealing.work()
    assert await customer_of(dealing, deal) is None
    await dealing.step(deal, "accept")
    assert await customer_of(dealing, deal) is not None


async def test_another_worker_takes_nothing_from_this_one_s_rounds(dealing: Dealing) -> None:
    deal = await accepted(dealing)
    other = Finder()
    await other.find(dealing.database)
    await come(dealing, "other", "other@else.example")
    await dealing.finder.find(dealing.database)
    await come(dealing)
    await other.find(dealing.database)
    assert await customer_of(dealing, deal) is not None


async def test_only_one_that_starts_anew_compares_everything(dealing: Dealing) -> None:
    """As after a crash. The address is one that no decision told, so that no round looks at it."""
    deal = await accepted(dealing)
    await come(dealing, email="old@else.example")
    for _ in range(5):
        await dealing.work()
    await _run(dealing, "UPDATE customers SET email = 'ana@acme.example' WHERE workspace_id = $1")
    await dealing.finder.find(dealing.database)
    assert await customer_of(dealing, deal) is None
    await Finder().find(dealing.database)
    assert await customer_of(dealing, deal) is not None


async def test_the_latest_rounds_are_looked_at_again(dealing: Dealing) -> None:
    """A deal that somebody is at is passed over, and found by the next round."""
    deal = await accepted(dealing)
    await come(dealing)
    async with dealing.database.tx() as tx:
        driver = await tx.driver()
        await driver.execute("SELECT FROM deals FOR UPDATE")
        await dealing.finder.find(dealing.database)
    assert await customer_of(dealing, deal) is None
    await dealing.finder.find(dealing.database)
    assert await customer_of(dealing, deal) is not None


async def _run(dealing: Dealing, statement: str) -> None:
    async with dealing.database.tx() as tx:
        driver = await tx.driver()
        await driver.execute(statement, await dealing.workspace())
