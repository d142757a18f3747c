"""Referrers who are named, and customers who become partners."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.conversions.intake import inbox
from app.db.engine import Database
from app.ids import encode, uuid7
from tests.http.bringing import code_of, codes, pending, tell
from tests.http.client import Api, click_on, make_partner, make_program
from tests.http.selling import Selling, open_selling, verified


@pytest.fixture
async def selling(api: Api, database: Database) -> AsyncIterator[Selling]:
    made = await open_selling(api, database)
    yield made
    await verified(made)


async def test_a_partner_who_is_named_is_credited(selling: Selling, stranger: Api) -> None:
    bo = await make_partner(selling.api, selling.program, name="Bo")
    lead = {"customer_external_id": "user-17", "referrer": {"partner_id": bo["id"]}}
    told = await tell(selling, "lead", **lead)
    assert codes(told)[:2] == ["touch_counted", "attributed"]
    sold = await tell(selling, "sale", **selling.sale(), click_id=selling.click())
    assert [c["partner_id"] for c in sold["commissions"]] == [bo["id"]]
    foreign = await make_partner(stranger, await make_program(stranger))
    for unknown in (foreign["id"], encode("part", uuid7())):
        lead["referrer"] = {"partner_id": unknown}
        problem = await selling.api.post("/track/lead", lead, status=404)
        assert problem["errors"][0]["place"] == "body/referrer/partner_id"


@pytest.mark.parametrize(
    "referrer", [{}, {"partner_id": None}, {"customer_external_id": ""}, {"name": "Bo"}]
)
async def test_a_referrer_has_one_name(selling: Selling, referrer: dict[str, Any]) -> None:
    lead = {"customer_external_id": "user-17", "referrer": referrer}
    await selling.api.post("/track/lead", lead, status=422)


async def customer_of(selling: Selling, external_id: str, **lead: Any) -> str:
    """A customer that is known by a lead: its id."""
    await tell(selling, "lead", customer_external_id=external_id, **lead)
    (newest, *_) = (await selling.api.get("/customers"))["data"]
    return str(newest["id"])


async def become(selling: Selling, customer: str, status: int = 201, **body: Any) -> Any:
    wanted = {"program_id": selling.program["id"], **body}
    made = await selling.api.post(f"/customers/{customer}/partner", wanted, status=status)
    while await inbox.settle(selling.database, selling.workspace):
        continue
    return made


async def test_a_customer_refers_and_earns_once_it_is_a_partner(selling: Selling) -> None:
    cy = await customer_of(selling, "cy", customer_email="cy@example.com", customer_name="Cy")
    named = {"referrer": {"customer_external_id": "cy"}}
    told = await tell(selling, "lead", customer_external_id="user-17", **named)
    assert codes(told) == ["referrer_unknown", "no_eligible_touch"]
    sold = await tell(selling, "sale", **selling.sale(), click_id=selling.click())
    assert [c["partner_id"] for c in sold["commissions"]] == [selling.partner["id"]]

    made = await become(selling, cy)
    partner = await selling.api.get(f"/partners/{made['partner_id']}")
    assert (partner["name"], partner["email"]) == ("Cy", "cy@example.com")
    assert partner["default_link"] == made["link"]
    assert await pending(selling, partner) == 2_000
    assert await pending(selling, selling.partner) == 0

    (referred,) = [
        customer
        for customer in (await selling.api.get("/customers"))["data"]
        if customer["id"] != cy
    ]
    whole = await selling.api.get(f"/customers/{referred['id']}")
    assert whole["binding"]["credits"] == [{"partner_id": partner["id"], "bps": 10_000}]
    touches = {touch["kind"]: touch for touch in whole["touches"]}
    assert touches.keys() == {"click", "referrer"}
    assert touches["referrer"]["referrer_id"] == cy
    assert touches["referrer"]["partner_id"] == partner["id"]
    assert touches["click"]["partner_id"] == selling.partner["id"]


async def test_a_referrer_may_be_named_before_anybody_knows_it(selling: Selling) -> None:
    named = {"referrer": {"customer_external_id": "cy"}}
    await tell(selling, "lead", customer_external_id="user-17", **named)
    await tell(selling, "sale", **selling.sale())
    made = await become(selling, await customer_of(selling, "cy"), email="cy@example.com")
    assert await pending(selling, {"id": made["partner_id"]}) == 2_000


async def test_nobody_earns_on_a_purchase_of_one_s_own(selling: Selling) -> None:
    """By its own name, its own code, its own link, and after two turn out to be one."""
    named = {"referrer": {"customer_external_id": "cy"}}
    cy = await customer_of(selling, "cy", **named)
    made = await become(selling, cy, email="cy@example.com")
    await code_of(selling, {"id": made["partner_id"]}, "CYS")
    click = click_on(made["link"], selling.api.app)
    own = selling.sale(customer_external_id="cy")
    sold = await tell(selling, "sale", **own, code="cys", click_id=click)
    assert sold["commissions"] == []
    assert codes(sold) == ["self_referral"] * 3 + ["no_eligible_touch"]

    other = selling.sale(customer_external_id="second", invoice_id="INV-2", code="cys")
    assert len((await tell(selling, "sale", **other))["commissions"]) == 1
    alias = {"namespace": "own", "external_id": "second"}
    await selling.api.post(f"/customers/{cy}/aliases", alias)
    assert await pending(selling, {"id": made["partner_id"]}) == 0


async def test_a_customer_becomes_one_partner_and_joins_further_programs(
    selling: Selling,
) -> None:
    cy = await customer_of(selling, "cy")
    problem = await become(selling, cy, status=422)
    assert problem["errors"][0]["place"] == "body/email"
    made = await become(selling, cy, email="cy@example.com")
    assert (await become(selling, cy, status=409))["code"] == "conflict"
    second = await make_program(selling.api, name="Second")
    again = await become(selling, cy, program_id=second["id"])
    assert again["partner_id"] == made["partner_id"]
    partner = await selling.api.get(f"/partners/{made['partner_id']}")
    assert len(partner["enrollments"]) == 2
    await become(selling, cy, status=404, program_id=encode("prog", uuid7()))
