"""Who brought a customer without a click: codes that were used, referrers who were named."""

import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.conversions import inbox
from app.db.engine import Database
from app.ids import encode, uuid7
from tests.contract import stripe_objects as objects
from tests.contract.stripe_objects import checkout_session
from tests.http.client import Api, click_on, make_partner, make_program
from tests.http.selling import Selling, open_selling, verified


@pytest.fixture
async def selling(api: Api, database: Database) -> AsyncIterator[Selling]:
    made = await open_selling(api, database)
    yield made
    await verified(made)


async def tell(selling: Selling, what: str, **body: Any) -> Any:
    return (await selling.api.post(f"/track/{what}", body, status=200))["outcome"]


async def code_of(selling: Selling, partner: Any, text: str, **more: Any) -> Any:
    own = {"program_id": selling.program["id"], "partner_id": partner["id"], "code": text}
    return await selling.api.post("/codes", {**own, **more})


async def pending(selling: Selling, partner: Any) -> int:
    balance = await selling.api.get(f"/partners/{partner['id']}/balance")
    return sum(row["pending"] for row in balance["data"])


def codes(outcome: Any) -> list[str]:
    return [reason["code"] for reason in outcome["reasons"]]


def ago(**time_ago: float) -> str:
    return (datetime.now(UTC) - timedelta(**time_ago)).isoformat()


async def test_a_code_pays_its_partner_without_a_click(selling: Selling) -> None:
    bo = await make_partner(selling.api, selling.program, name="Bo")
    await code_of(selling, bo, "SPRING10")
    sold = await tell(selling, "sale", **selling.sale(code=" spring10 "))
    (commission,) = sold["commissions"]
    assert (commission["partner_id"], commission["amount"]) == (bo["id"], 2_000)
    counted = next(r for r in sold["reasons"] if r["code"] == "touch_counted")
    assert counted["params"]["code"] == "SPRING10"
    assert counted["text"].startswith(f"The code `SPRING10` of {bo['id']} at ")
    customer = await selling.api.get(f"/customers/{commission['customer_id']}")
    assert customer["binding"]["credits"] == [{"partner_id": bo["id"], "bps": 10_000}]
    again = await tell(selling, "sale", **selling.sale(invoice_id="INV-2"))
    assert codes(again)[0] == "bound"
    assert await pending(selling, bo) == 4_000


async def test_a_code_goes_before_a_click_whatever_comes_first(selling: Selling) -> None:
    bo = await make_partner(selling.api, selling.program, name="Bo")
    await code_of(selling, bo, "SPRING")
    await tell(selling, "sale", **selling.sale(), click_id=selling.click())
    assert (await pending(selling, selling.partner), await pending(selling, bo)) == (2_000, 0)
    # The code that was used at the sign-up is told only now, after the sale.
    await tell(
        selling, "lead", customer_external_id="user-17", code="Spring", occurred_at=ago(minutes=1)
    )
    assert (await pending(selling, selling.partner), await pending(selling, bo)) == (0, 2_000)
    other = {"customer_external_id": "user-18", "invoice_id": "INV-18"}
    sold = await tell(
        selling, "sale", **selling.sale(**other, code="spring"), click_id=selling.click()
    )
    assert [c["partner_id"] for c in sold["commissions"]] == [bo["id"]]
    assert "outranked" in codes(sold)


async def test_a_code_that_means_nothing_is_told_and_refuses_nothing(selling: Selling) -> None:
    ended = await code_of(selling, selling.partner, "WINTER")
    await selling.api.delete(f"/codes/{ended['id']}")
    for n, (text, reason) in enumerate(
        (("NOBODYS", "code_unknown"), ("no code!", "code_unknown"), ("winter", "code_not_valid"))
    ):
        who = {"customer_external_id": f"user-{n}", "invoice_id": f"INV-{n}"}
        sold = await tell(selling, "sale", **selling.sale(**who, code=text))
        assert sold["commissions"] == []
        assert codes(sold) == [reason, "no_eligible_touch"]


async def test_a_use_before_its_end_still_counts(selling: Selling) -> None:
    code = await code_of(selling, selling.partner, "WINTER", valid_until="2100-01-01T00:00:00Z")
    await selling.api.delete(f"/codes/{code['id']}")
    used = selling.sale(code="winter", occurred_at=ago(minutes=5))
    assert len((await tell(selling, "sale", **used))["commissions"]) == 1


async def test_a_discount_at_stripe_is_the_code_s(selling: Selling) -> None:
    bo = await make_partner(selling.api, selling.program, name="Bo")
    await code_of(selling, bo, "SPRING", provider_ids=["stripe:promo_1"])
    session = checkout_session(
        mode="payment", payment_status="paid", customer="cus_1", invoice="in_1"
    )
    session["discounts"] = [{"coupon": "co_1", "promotion_code": "promo_1"}]
    await selling.webhook(
        objects.event(
            "checkout.session.completed", session, livemode=True, created=int(time.time())
        )
    )
    (conversion,) = (await selling.api.get("/conversions"))["data"]
    assert [credit["partner_id"] for credit in conversion["credits"]] == [bo["id"]]
    assert conversion["reasons"][0]["params"]["code"] == "SPRING"


async def test_a_rule_may_ask_by_which_code_a_customer_came(api: Api, database: Database) -> None:
    rule = {
        "id": "coded",
        "when": 'touch.kind == "code" && touch.code == "SPRING"',
        "pay": {"percent_bps": 3_000},
    }
    plan = {
        "hold_days": 30,
        "attribution": {"model": "last_click", "window_days": 60},
        "combine": "first_match",
        "rules": [rule, {"id": "else", "pay": {"percent_bps": 1_000}}],
    }
    selling = await open_selling(api, database, plan=plan)
    await code_of(selling, selling.partner, "SPRING", provider_ids=["paddle:dsc_1"])
    await code_of(selling, selling.partner, "OTHER")
    for n, (text, amount) in enumerate(
        (("spring", 3_000), ("paddle:dsc_1", 3_000), ("other", 1_000))
    ):
        who = {"customer_external_id": f"user-{n}", "invoice_id": f"INV-{n}"}
        for invoice in (f"INV-{n}", f"INV-{n}-again"):
            sale = selling.sale(**{**who, "invoice_id": invoice}, code=text)
            (commission,) = (await tell(selling, "sale", **sale))["commissions"]
            assert commission["amount"] == amount
    await verified(selling)


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


async def test_customers_show_their_codes(selling: Selling) -> None:
    bo = await make_partner(selling.api, selling.program, name="Bo")
    await code_of(selling, bo, "SPRING", provider_ids=["paddle:dsc_1"])
    for n, text in enumerate(("spring", "paddle:dsc_1", "NOBODYS")):
        sale = selling.sale(invoice_id=f"INV-{n}", code=text, occurred_at=ago(minutes=9 - n))
        sold = await tell(selling, "sale", **sale)
    customer = sold["commissions"][0]["customer_id"]
    touches = (await selling.api.get(f"/customers/{customer}"))["touches"]
    assert [(t["kind"], t["code"], t["partner_id"]) for t in touches] == [
        ("code", "NOBODYS", None),
        ("code", "paddle:dsc_1", bo["id"]),
        ("code", "SPRING", bo["id"]),
    ]
