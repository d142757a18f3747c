"""The main job through real processes: click, Stripe's events, cents, reasons, balance."""

import time
from datetime import UTC, datetime, timedelta

import httpx

from tests.contract.stripe_invoices import invoice
from tests.contract.stripe_objects import checkout_session
from tests.e2e.client import Shop, codes, command, open_shop, until
from tests.service import Service

PAID = ["touch_counted", "attributed", "rule_paid"]


def test_a_click_and_a_sale_become_an_explained_commission(shop: Shop) -> None:
    ana = shop.partner()
    token = shop.click(ana)
    session = checkout_session(mode="subscription", client_reference_id=token, amount_total=None)
    told = shop.tell("checkout.session.completed", session)
    assert (told["state"], told["outcome"]["conversion_id"]) == ("applied", None)
    # 20 % of 83.33 (9,999 × 8,333 ÷ 9,999) is 16.666: 16.67.
    paid = invoice(
        amount_paid=9_999, total=9_999, total_excluding_tax=8_333, paid_at=shop.started + 1
    )
    told = shop.tell("invoice.paid", paid, at=2)

    (sale,) = shop.conversions()
    assert told["outcome"]["conversion_id"] == sale["id"]
    assert (sale["gross"], sale["amount"], sale["currency"]) == (9_999, 8_333, "usd")
    assert (sale["kind"], sale["new"], sale["refunded"]) == ("sale", True, 0)
    assert sale["credits"] == [{"partner_id": ana.id, "bps": 10_000}]
    assert codes(sale["reasons"]) == PAID
    commission = shop.commission(ana)
    expected = {"status": "pending", "amount": 1_667, "reversed": 0, "paid": 0, "base": 8_333}
    assert {name: commission[name] for name in expected} == expected
    assert (commission["rate_bps"], commission["rule"], commission["plan_version"]) == (
        2_000,
        "base",
        1,
    )
    assert codes(commission["explanation"]) == PAID
    assert commission["explanation"][2]["text"] == (
        "The rule `base` pays 20 % of 83.33 USD: 16.67 USD."
    )
    (award,) = commission["adjustments"]
    assert (award["code"], award["amount"]) == ("award", 1_667)
    assert shop.balance(ana) == {"pending": 1_667}
    accounts = shop.get("/ledger/accounts")["data"]
    assert {a["role"]: a["balance"] for a in accounts} == {"expense": -1_667, "pending": 1_667}
    customer = shop.get(f"/customers/{sale['customer_id']}")
    assert customer["email"] == "jenny@example.com"
    assert customer["aliases"] == [{"namespace": "stripe:", "external_id": "cus_1"}]
    assert [touch["partner_id"] for touch in customer["touches"]] == [ana.id]
    assert customer["binding"]["credits"] == sale["credits"]


def test_a_touch_told_after_the_sale_is_paid_too(shop: Shop) -> None:
    ana = shop.partner()
    token = shop.click(ana)
    told = shop.tell("invoice.paid", invoice(paid_at=shop.started + 1), at=1)
    assert codes(told["outcome"]["reasons"]) == ["no_touch"]
    assert shop.balance(ana) == {}
    session = checkout_session(mode="subscription", client_reference_id=token, amount_total=None)
    shop.tell("checkout.session.completed", session, at=2)
    assert (shop.commission(ana)["amount"], shop.balance(ana)) == (2_000, {"pending": 2_000})
    (sale,) = shop.conversions()
    assert codes(sale["reasons"]) == PAID


def test_a_sale_without_a_touch_says_why_nobody_earns(shop: Shop) -> None:
    ana = shop.partner()
    told = shop.tell("invoice.paid", invoice(paid_at=shop.started))
    assert told["outcome"]["commissions"] == []
    assert codes(told["outcome"]["reasons"]) == ["no_touch"]
    (sale,) = shop.conversions()
    assert (sale["credits"], sale["commissions"], sale["hold_until"]) == ([], [], None)
    assert shop.get("/commissions")["data"] == []
    assert shop.balance(ana) == {}


def test_a_token_that_is_none_refuses_no_sale(shop: Shop) -> None:
    session = checkout_session(client_reference_id="A" * 60, created=shop.started)
    told = shop.tell("checkout.session.completed", session)
    assert codes(told["outcome"]["reasons"]) == ["token_invalid", "no_eligible_touch"]


def test_the_alias_route_joins_a_lead_and_a_sale(shop: Shop) -> None:
    ana = shop.partner()
    token = shop.click(ana)
    lead = shop.post("/track/lead", {"customer_external_id": "user-1", "click_id": token})
    assert codes(lead["outcome"]["reasons"]) == [
        "touch_counted",
        "attributed",
        "rule_not_matched",
        "no_rule_matched",
    ]
    told = shop.tell("invoice.paid", invoice(paid_at=shop.started + 2), at=2)
    assert codes(told["outcome"]["reasons"]) == ["no_touch"]
    customers = shop.get("/customers")["data"]
    assert len(customers) == 2
    leader = shop.get(f"/events/{lead['event_id']}")["customer_id"]

    alias = {"namespace": "stripe:", "external_id": "cus_1"}
    joined = shop.post(f"/customers/{leader}/aliases", alias, 201)
    assert {a["external_id"] for a in joined["aliases"]} == {"user-1", "cus_1"}
    assert [c["kind"] for c in joined["conversions"]] == ["sale", "lead"]
    assert [c["id"] for c in shop.get("/customers")["data"]] == [joined["id"]]
    # The other one's id leads to the survivor.
    for customer in customers:
        assert shop.get(f"/customers/{customer['id']}")["id"] == joined["id"]
    commission = shop.commission(ana)
    assert (commission["amount"], commission["status"]) == (2_000, "pending")
    assert codes(commission["explanation"]) == ["bound", "rule_paid"]
    assert shop.balance(ana) == {"pending": 2_000}


def test_our_client_s_own_id_in_stripe_s_metadata_joins_too(shop: Shop) -> None:
    ana = shop.partner()
    token = shop.click(ana)
    shop.post("/track/lead", {"customer_external_id": "user-2", "click_id": token})
    shop.tell("invoice.paid", invoice(paid_at=shop.started + 2), at=2)
    assert shop.balance(ana) == {}
    named = checkout_session(
        mode="subscription", amount_total=None, metadata={"finderfee_customer_id": "user-2"}
    )
    shop.tell("checkout.session.completed", named, at=3)
    assert len(shop.get("/customers")["data"]) == 1
    assert (shop.commission(ana)["amount"], shop.balance(ana)) == (2_000, {"pending": 2_000})


def test_our_own_requests_are_decided_in_their_answer(shop: Shop) -> None:
    ana = shop.partner()
    sale = {
        "customer_external_id": "user-1",
        "click_id": shop.click(ana),
        "amount": 12_345,
        "currency": "usd",
        "invoice_id": "INV-1",
    }
    first = shop.post("/track/sale", sale)
    (commission,) = first["outcome"]["commissions"]
    assert (commission["amount"], commission["partner_id"]) == (2_469, ana.id)
    assert codes(first["outcome"]["reasons"]) == PAID
    assert shop.post("/track/sale", sale) == {**first, "duplicate": True}
    refused = shop.post("/track/sale", {**sale, "amount": 12_346}, 409)
    assert refused["code"] == "conflicting_event"
    # Cumulative: 100.00 of 123.45 → 24.69 × 0.81004… = 20.00.
    back = {"invoice_id": "INV-1", "amount_refunded": 10_000, "currency": "usd"}
    refunded = shop.post("/track/refund", back)
    assert refunded["outcome"]["commissions"][0]["reversed"] == 2_000
    assert shop.post("/track/refund", back) == {**refunded, "duplicate": True}
    assert shop.balance(ana) == {"pending": 469}


def test_renewals_stay_with_the_partner_who_brought_the_customer(shop: Shop) -> None:
    ana, bo = shop.partner(), shop.partner("Bo")
    # Clocks differ: a click counts up to 5 s after the sale, and no longer.
    sold_at = datetime.now(UTC) - timedelta(seconds=3.5)
    first = {
        "customer_external_id": "user-1",
        "click_id": shop.click(ana),
        "amount": 5_000,
        "currency": "usd",
        "invoice_id": "INV-1",
        "subscription_id": "sub-1",
        "occurred_at": sold_at.isoformat(),
    }
    told = shop.post("/track/sale", first)
    assert codes(told["outcome"]["reasons"]) == PAID
    time.sleep(max(0.0, (sold_at + timedelta(seconds=5.1) - datetime.now(UTC)).total_seconds()))
    again = {"invoice_id": "INV-2", "occurred_at": datetime.now(UTC).isoformat()}
    told = shop.post("/track/sale", {**first, **again, "click_id": shop.click(bo)})
    assert codes(told["outcome"]["reasons"]) == ["bound", "rule_paid"]
    (sale,) = shop.conversions("renewal")
    assert (sale["id"], sale["new"]) == (told["outcome"]["conversion_id"], False)
    assert shop.balance(ana) == {"pending": 2_000}
    assert shop.balance(bo) == {}
    customer = shop.get(f"/customers/{sale['customer_id']}")
    assert [touch["partner_id"] for touch in customer["touches"]] == [bo.id, ana.id]
    assert customer["binding"]["credits"] == [{"partner_id": ana.id, "bps": 10_000}]


def test_a_held_commission_matures_and_is_still_taken_back(
    service: Service, http: httpx.Client
) -> None:
    shop = open_shop([service.url], http, hold_days=0, late_days=0)
    ana = shop.partner()
    sale = {
        "customer_external_id": "user-1",
        "click_id": shop.click(ana),
        "amount": 10_000,
        "currency": "usd",
        "invoice_id": "INV-1",
    }
    told = shop.post("/track/sale", sale)
    assert told["outcome"]["commissions"][0]["status"] == "pending"
    until(lambda: shop.balance(ana) == {"payable": 2_000}, "it did not mature", within_s=10)
    assert shop.commission(ana)["status"] == "payable"
    back = {"invoice_id": "INV-1", "amount_refunded": 3_000, "currency": "usd", "refund_id": "R1"}
    shop.post("/track/refund", back)
    assert (shop.balance(ana), shop.commission(ana)["status"]) == ({"payable": 1_400}, "payable")
    # A click that becomes known now comes too late for a closed sale.
    late = {"customer_external_id": "user-1", "click_id": shop.click(shop.partner("Bo"))}
    shop.post("/track/lead", late)
    assert shop.balance(ana) == {"payable": 1_400}
    shop.post("/track/refund", {**back, "amount_refunded": 7_000, "refund_id": "R2"})
    commission = shop.commission(ana)
    assert (shop.balance(ana), commission["status"], commission["reversed"]) == ({}, "void", 2_000)
    assert [(m["code"], m["amount"]) for m in commission["adjustments"]] == [
        ("award", 2_000),
        ("matured", 2_000),
        ("reversal", 600),
        ("reversal", 1_400),
    ]


def test_all_of_it_verifies(service: Service, shop: Shop, story_database_url: str) -> None:
    shop.tell("invoice.paid", invoice(paid_at=shop.started))
    status, printed = command(service, "verify", DATABASE_URL=story_database_url)
    assert status == 0, printed


def test_a_commission_explains_itself_on_the_command_line(
    service: Service, shop: Shop, story_database_url: str
) -> None:
    ana = shop.partner()
    sale = {
        "customer_external_id": "user-1",
        "click_id": shop.click(ana),
        "amount": 12_345,
        "currency": "usd",
        "invoice_id": "INV-1",
    }
    (told,) = shop.post("/track/sale", sale)["outcome"]["commissions"]
    back = {"invoice_id": "INV-1", "amount_refunded": 2_345, "currency": "usd"}
    shop.post("/track/refund", back)
    status, printed = command(service, "explain", told["id"], DATABASE_URL=story_database_url)
    assert status == 0
    for said in ("24.69 USD", "4.69 USD", ana.id, "20 % of 123.45 USD"):
        assert said in printed
    assert all(reason["text"] in printed for reason in shop.commission(ana)["explanation"])
    unknown = "com_01h45ytscbebyvny4gc8cr8ma2"
    status, printed = command(service, "explain", unknown, DATABASE_URL=story_database_url)
    assert (status, unknown in printed) == (1, True), printed
