"""A customer who was registered as a lead is its partner's, whatever became known first."""

from itertools import permutations
from typing import Any

import pytest

from app.db.engine import Database
from tests.http.client import Api, click_on
from tests.http.dealing import Dealing, open_dealing
from tests.http.selling import Selling, verified

SALE = {
    "customer_external_id": "acme-1", "amount": 10_000, "currency": "usd", "invoice_id": "INV-1",
}  # fmt: skip


@pytest.fixture
async def dealing(api: Api, database: Database) -> Dealing:
    return await open_dealing(api, database)


async def accepted(dealing: Dealing, **changes: Any) -> Any:
    deal = await dealing.register(dealing.ana, **changes)
    return await dealing.step(deal, "accept")


async def earned(dealing: Dealing) -> dict[str, int]:
    """By partner's name, pending in cents."""
    found = {}
    for name, partner in (("ana", dealing.ana), ("bo", dealing.bo)):
        balance = (await dealing.api.get(f"/partners/{partner['id']}/balance"))["data"]
        if balance and balance[0]["pending"]:
            found[name] = balance[0]["pending"]
    return found


async def provable(dealing: Dealing) -> None:
    nothing: Any = None
    selling = Selling(
        dealing.api, dealing.database, await dealing.workspace(), nothing, nothing, nothing
    )
    await verified(selling)


@pytest.mark.parametrize("order", list(permutations(["sale", "win", "clicked"])))
async def test_a_won_lead_goes_before_a_click_whatever_came_first(
    dealing: Dealing, order: tuple[str, ...]
) -> None:
    deal = await accepted(dealing)
    clicked = click_on(dealing.bo["default_link"], dealing.api.app)
    for what in order:
        if what == "sale":
            await dealing.api.post("/track/sale", SALE, status=200)
        elif what == "clicked":
            seen = {"customer_external_id": "acme-1", "event_name": "demo", "click_id": clicked}
            await dealing.api.post("/track/lead", seen, status=200)
        else:
            await dealing.step(deal, "win", customer_external_id="acme-1")
        await dealing.work()
    assert await earned(dealing) == {"ana": 2_000}
    (sale,) = [c for c in (await dealing.api.get("/conversions"))["data"] if c["kind"] == "sale"]
    counted = [r for r in sale["reasons"] if r["code"] in {"touch_counted", "bound"}]
    assert counted[0]["params"]["partner_id"] == dealing.ana["id"]
    shown = await dealing.api.get(f"/deals/{deal['id']}")
    assert shown["customer_id"] == sale["customer_id"]
    back = {"invoice_id": "INV-1", "currency": "usd", "amount_refunded": 2_500}
    await dealing.api.post("/track/refund", back, status=200)
    assert await earned(dealing) == {"ana": 1_500}
    await provable(dealing)


async def test_a_customer_with_the_contact_s_address_is_linked_by_itself(dealing: Dealing) -> None:
    deal = await accepted(dealing)
    lead = {"customer_external_id": "acme-1", "customer_email": "Ana@acme.example"}
    clicked = click_on(dealing.bo["default_link"], dealing.api.app)
    await dealing.api.post("/track/lead", {**lead, "click_id": clicked}, status=200)
    await dealing.api.post("/track/sale", SALE, status=200)
    assert await earned(dealing) == {"bo": 2_000}
    await dealing.work()
    assert await earned(dealing) == {"ana": 2_000}
    (customer,) = (await dealing.api.get("/customers"))["data"]
    assert (await dealing.api.get(f"/deals/{deal['id']}"))["customer_id"] == customer["id"]
    await provable(dealing)


async def test_a_lead_that_is_taken_back_gives_way(dealing: Dealing) -> None:
    deal = await accepted(dealing)
    lead = {"customer_external_id": "acme-1", "customer_email": "ana@acme.example"}
    clicked = click_on(dealing.bo["default_link"], dealing.api.app)
    await dealing.api.post("/track/lead", {**lead, "click_id": clicked}, status=200)
    await dealing.api.post("/track/sale", SALE, status=200)
    await dealing.work()
    assert await earned(dealing) == {"ana": 2_000}
    await dealing.step(deal, "reject", reason="Bo had them first.")
    await dealing.work()
    assert await earned(dealing) == {"bo": 2_000}
    await provable(dealing)


async def test_what_nobody_accepted_earns_nothing(dealing: Dealing) -> None:
    await dealing.register(dealing.ana)
    lead = {"customer_external_id": "acme-1", "customer_email": "ana@acme.example"}
    await dealing.api.post("/track/lead", lead, status=200)
    await dealing.work()
    sold = await dealing.api.post("/track/sale", SALE, status=200)
    assert await earned(dealing) == {}
    assert [one["code"] for one in sold["outcome"]["reasons"]] == ["no_touch"]


async def test_a_customer_can_be_told_after_the_win(dealing: Dealing) -> None:
    deal = await accepted(dealing)
    await dealing.step(deal, "win")
    await dealing.api.post("/track/sale", SALE, status=200)
    await dealing.work()
    assert await earned(dealing) == {}
    await dealing.step(deal, "win", customer_external_id="acme-1")
    await dealing.step(deal, "win", customer_external_id="acme-2", status=409)
    await dealing.work()
    assert await earned(dealing) == {"ana": 2_000}
    events = (await dealing.api.get("/events"))["data"]
    (linked,) = [one for one in events if one["type"] == "deal.linked"]
    await dealing.api.post(f"/events/{linked['id']}/replay", status=202)
    await dealing.work()
    assert await earned(dealing) == {"ana": 2_000}
    await provable(dealing)


async def test_a_customer_who_is_a_partner_registers_and_earns_but_not_on_itself(
    dealing: Dealing,
) -> None:
    api, program = dealing.api, dealing.program["id"]
    known = {"customer_external_id": "user-1", "customer_email": "cy@friends.example"}
    await api.post("/track/lead", known, status=200)
    (customer,) = (await api.get("/customers"))["data"]
    as_partner = {"program_id": program, "name": "Cy"}
    made = await api.post(f"/customers/{customer['id']}/partner", as_partner)
    body = {"program_id": program, "customer_external_id": "user-1", "company": "Acme"}
    deal = await api.post("/deals", body)
    assert deal["partner_id"] == made["partner_id"]
    await dealing.step(deal, "accept")
    await dealing.step(deal, "win", customer_external_id="user-1")
    await dealing.work()
    sold = await api.post("/track/sale", {**SALE, "customer_external_id": "user-1"}, status=200)
    assert "self_referral" in [one["code"] for one in sold["outcome"]["reasons"]]
    other = await api.post("/deals", {**body, "company": "Other"})
    await dealing.step(other, "accept")
    await dealing.step(other, "win", customer_external_id="acme-1")
    await dealing.work()
    sold = await api.post("/track/sale", {**SALE, "invoice_id": "INV-2"}, status=200)
    (commission,) = sold["outcome"]["commissions"]
    assert (commission["partner_id"], commission["amount"]) == (made["partner_id"], 2_000)
    await provable(dealing)
