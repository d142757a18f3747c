"""A registered lead through real processes: the worker finds the customer and pays the partner."""

from tests.contract.stripe_invoices import invoice
from tests.e2e.client import Shop, codes, until


def test_a_lead_that_buys_at_stripe_is_its_partner_s(shop: Shop) -> None:
    ana, bo = shop.partner("Ana"), shop.partner("Bo")
    body = {
        "program_id": shop.program,
        "partner_id": ana.id,
        "company": "Jenny's Jam GmbH",
        "contact_email": "jenny@example.com",
    }
    deal = shop.post("/deals", body, 201)
    shop.post("/deals", {**body, "partner_id": bo.id}, 409)
    shop.post(f"/deals/{deal['id']}/accept", {})
    told = shop.tell("invoice.paid", invoice(paid_at=shop.started + 1), at=1)
    assert codes(told["outcome"]["reasons"]) == ["no_touch"]
    until(lambda: shop.balance(ana) == {"pending": 2_000}, "the lead's partner got nothing", 15)
    (sale,) = shop.conversions()
    assert codes(sale["reasons"]) == ["touch_counted", "attributed", "rule_paid"]
    assert sale["reasons"][0]["text"].startswith(f"The registered lead {deal['id']} of {ana.id}")
    assert shop.get(f"/deals/{deal['id']}")["customer_id"] == sale["customer_id"]
