"""Sources are kept open in the web process; what is changed of one holds for the next webhook."""

from typing import Any

import pytest

from app.db.engine import Database
from tests.contract import stripe_objects as objects
from tests.http.client import Api, read
from tests.http.selling import Selling, open_selling, signature

NEW_SECRET = "whsec_another_0123456789"


@pytest.fixture
async def selling(api: Api, database: Database) -> Selling:
    made = await open_selling(api, database)
    # Opened here, so that every test finds it kept open.
    body = webhook("cus_0")
    assert (await made.post(body, signed(body))).status_code == 200
    return made


def webhook(customer: str) -> bytes:
    return objects.encoded(objects.event("customer.created", objects.customer(customer)))


def signed(body: bytes, *secret: str) -> dict[str, Any]:
    return {"Stripe-Signature": signature(body, *secret)}


async def test_an_archived_source_takes_nothing_from_then_on(selling: Selling) -> None:
    await selling.api.delete(f"/sources/{selling.source['id']}")
    body = webhook("cus_1")
    assert read(await selling.post(body, signed(body)), 404)["code"] == "not_found"
    assert (await selling.stored())["events"] == 1


async def test_secrets_hold_as_they_are_now(selling: Selling) -> None:
    path, body = f"/sources/{selling.source['id']}", webhook("cus_1")
    await selling.api.patch(path, {"signing_secrets": [NEW_SECRET]})
    assert (await selling.post(body, signed(body))).status_code == 401
    assert (await selling.stored())["events"] == 1
    assert (await selling.post(body, signed(body, NEW_SECRET))).status_code == 200


async def test_how_a_source_is_read_holds_as_it_is_now(selling: Selling) -> None:
    path, body = f"/sources/{selling.source['id']}", webhook("cus_1")
    await selling.api.patch(path, {"with_tax": True})
    event = read(await selling.post(body, signed(body)), 200)
    async with selling.database.read() as reader:
        driver = await reader.driver()
        rows = await driver.fetch(
            "SELECT with_tax FROM event_bodies WHERE workspace_id = $1 ORDER BY event_id",
            selling.workspace,
        )
    assert [row["with_tax"] for row in rows] == [False, True], event
