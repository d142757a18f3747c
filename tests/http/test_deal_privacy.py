"""Whom deals name is handed out to them, and found nowhere once they are erased."""

from typing import Any

import pytest

from app.db.engine import Database
from tests.canary import canaries, gather_statistics, where
from tests.http.client import Api
from tests.http.dealing import Dealing, open_dealing
from tests.http.test_deal_attribution import provable

TEXTS = ("company", "domain", "name", "email", "product", "note", "reason", "own_id")


def marked() -> tuple[str, dict[str, str]]:
    """A text that nobody else has, and a text for each field that holds it."""
    (canary,) = canaries("deal").values()
    return canary, {name: f"{name.replace('_', '-')}-{canary}" for name in TEXTS}


@pytest.fixture
async def dealing(api: Api, database: Database) -> Dealing:
    return await open_dealing(api, database)


async def told(dealing: Dealing, texts: dict[str, str]) -> Any:
    """An accepted deal with a canary in every field that takes one."""
    deal = await dealing.register(
        dealing.ana,
        company=f"{texts['company']} GmbH",
        domain=f"www.{texts['domain']}.example",
        contact_name=texts["name"],
        contact_email=f"{texts['email']}@mail.example",
        product=texts["product"],
        note=texts["note"],
    )
    return await dealing.step(deal, "accept", reason=texts["reason"])


@pytest.mark.parametrize("by", ["win", "address, not linked yet"])
async def test_a_customer_s_deals_are_forgotten_with_it(dealing: Dealing, by: str) -> None:
    canary, texts = marked()
    deal = await told(dealing, texts)
    lead: dict[str, Any] = {"customer_external_id": texts["own_id"]}
    if by != "win":
        lead["customer_email"] = f"{texts['email'].upper()}@mail.example"
    await dealing.api.post("/track/lead", lead, status=200)
    if by == "win":
        await dealing.step(deal, "win", customer_external_id=texts["own_id"])
    sale = {**lead, "amount": 10_000, "currency": "usd", "invoice_id": "INV-1"}
    sale.pop("customer_email", None)
    await dealing.api.post("/track/sale", sale, status=200)
    if by == "win":
        await dealing.work()
    places = await where(dealing.database.url, canary)
    assert {place.partition(".")[0] for place in places} >= {
        "deals",
        "deal_prospects",
        "deal_states",
    }
    await gather_statistics(dealing.database.url)
    (customer,) = (await dealing.api.get("/customers"))["data"]
    export = await dealing.api.send("GET", f"/customers/{customer['id']}/export")
    shown = [name for name in TEXTS if name != "reason"]
    assert [name for name in shown if texts[name] not in export.text] == []
    (handed,) = export.json()["deals"]
    assert "partner_id" not in handed

    erasure = await dealing.api.post(f"/customers/{customer['id']}/erase", status=200)

    assert erasure["counts"]["deals"] == 1
    assert await where(dealing.database.url, canary) == []
    left = await dealing.api.get(f"/deals/{deal['id']}")
    assert (left["company"], left["contact_email"], left["customer_external_id"]) == ("", "", None)
    assert left["stage"] == ("won" if by == "win" else "accepted")
    assert {one["reason"] for one in left["history"]} == {""}
    await dealing.work()
    await provable(dealing)


async def test_a_partner_s_deals_are_forgotten_with_it_and_kept_no_longer(
    dealing: Dealing,
) -> None:
    canary, texts = marked()
    deal = await told(dealing, texts)
    await dealing.register(dealing.bo, company="Another", domain=None, contact_email=None)
    await gather_statistics(dealing.database.url)
    export = await dealing.api.send("GET", f"/partners/{dealing.ana['id']}/export")
    shown = [name for name in TEXTS if name not in {"reason", "own_id"}]
    assert [name for name in shown if texts[name] not in export.text] == []

    erasure = await dealing.api.post(f"/partners/{dealing.ana['id']}/erase", status=200)

    assert erasure["counts"]["deals"] == 1
    assert await where(dealing.database.url, canary) == []
    assert (await dealing.api.get(f"/deals/{deal['id']}"))["stage"] == "expired"
    await dealing.register(dealing.bo, company=texts["company"], domain=None)
    again = await dealing.api.post(f"/partners/{dealing.ana['id']}/erase", status=200)
    assert again["id"] == erasure["id"]
    others = (await dealing.api.get("/deals?stage=registered"))["data"]
    assert len(others) == 2
