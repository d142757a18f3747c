"""Codes that were used attribute without a click, whatever comes first."""

import time
from collections.abc import AsyncIterator
from itertools import permutations

import pytest

from app.db.engine import Database
from tests.contract import stripe_objects as objects
from tests.contract.stripe_objects import checkout_session
from tests.http.bringing import ago, code_of, codes, pending, tell
from tests.http.client import Api, make_partner
from tests.http.selling import Selling, open_selling, verified


@pytest.fixture
async def selling(api: Api, database: Database) -> AsyncIterator[Selling]:
    made = await open_selling(api, database)
    yield made
    await verified(made)


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


async def test_a_code_that_means_nothing_is_told_and_refuses_nothing(
    selling: Selling, stranger: Api
) -> None:
    foreign = await open_selling(stranger, selling.database)
    await code_of(foreign, foreign.partner, "THEIRS")
    ended = await code_of(selling, selling.partner, "WINTER")
    await selling.api.delete(f"/codes/{ended['id']}")
    for n, (text, reason) in enumerate(
        (
            ("NOBODYS", "code_unknown"),
            ("THEIRS", "code_unknown"),
            ("no code!", "code_unknown"),
            ("winter", "code_not_valid"),
        )
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


async def test_a_click_and_a_code_in_any_order_leave_equal_balances(selling: Selling) -> None:
    bo = await make_partner(selling.api, selling.program, name="Bo")
    await code_of(selling, bo, "SPRING")
    click, before = selling.click(), ago(minutes=1)
    for n, order in enumerate(permutations(("click", "code", "sale"))):
        who = {"customer_external_id": f"user-{n}"}
        bodies = {
            "click": ("lead", {**who, "event_name": "visit", "click_id": click}),
            "code": ("lead", {**who, "event_name": "trial", "code": "spring"}),
            "sale": ("sale", selling.sale(**who, invoice_id=f"INV-{n}")),
        }
        for name in order:
            what, body = bodies[name]
            await tell(selling, what, **body, **({} if name == "sale" else {"occurred_at": before}))
        assert await pending(selling, bo) == 2_000 * (n + 1), order
    assert await pending(selling, selling.partner) == 0


async def test_what_becomes_of_a_code_does_not_reach_its_earlier_uses(selling: Selling) -> None:
    """Not even when the customer is decided again: here because some money goes back."""
    bo = await make_partner(selling.api, selling.program, name="Bo")
    spring = await code_of(selling, bo, "SPRING", provider_ids=["stripe:promo_1"])
    for n, text in enumerate(("spring", "stripe:promo_1")):
        who = {"customer_external_id": f"user-{n}", "invoice_id": f"INV-{n}"}
        await tell(selling, "sale", **selling.sale(**who, code=text))
    await selling.api.delete(f"/codes/{spring['id']}")
    await code_of(selling, selling.partner, "SUMMER", provider_ids=["stripe:promo_1"])
    for n in range(2):
        body = {"invoice_id": f"INV-{n}", "amount_refunded": 5_000, "currency": "usd"}
        refunded = await tell(selling, "refund", **body)
        (commission,) = refunded["commissions"]
        assert (commission["partner_id"], commission["reversed"]) == (bo["id"], 1_000)
    later = {"customer_external_id": "user-9", "invoice_id": "INV-9", "code": "stripe:promo_1"}
    (commission,) = (await tell(selling, "sale", **selling.sale(**later)))["commissions"]
    assert commission["partner_id"] == selling.partner["id"]
