"""One payment told by many messages, again and again, in part or whole given back."""

from tests.contract import stripe_objects as objects
from tests.contract.stripe_invoices import invoice, invoice_payment, older_invoice
from tests.contract.stripe_objects import charge, checkout_session, refund
from tests.e2e.client import Shop, codes


def sold(shop: Shop) -> None:
    """120.00 paid, of which 100.00 count: in_1, paid by pi_1."""
    token = shop.click(shop.partner())
    session = checkout_session(
        mode="subscription", client_reference_id=token, amount_total=None, payment_intent=None
    )
    shop.tell("checkout.session.completed", session)
    shop.tell("invoice.paid", invoice(paid_at=shop.started + 1), at=1)
    shop.tell("invoice_payment.paid", invoice_payment(), at=1)


def the_partner(shop: Shop) -> tuple[dict[str, int], int, str]:
    """Its balance, and of its only commission what is reversed, and the status."""
    (commission,) = shop.get("/commissions")["data"]
    (row,) = shop.get(f"/partners/{commission['partner_id']}/balance")["data"]
    balance = {k: v for k, v in row.items() if k != "currency" and v}
    return balance, commission["reversed"], commission["status"]


def test_refunds_of_every_kind_move_exactly_their_share(shop: Shop) -> None:
    sold(shop)
    assert the_partner(shop) == ({"pending": 2_000}, 0, "pending")
    # Partial: 40.01 of 120.00 → 20.00 × 0.33341… = 6.668.
    first = shop.tell("refund.created", refund("re_1", amount=4_001), at=10)
    assert (first["state"], "refunded" in codes(first["outcome"]["reasons"])) == ("applied", True)
    assert the_partner(shop) == ({"pending": 1_333}, 667, "pending")
    # Told again by another event: the same object in the same state.
    shop.tell("refund.updated", refund("re_1", amount=4_001), at=11)
    assert the_partner(shop) == ({"pending": 1_333}, 667, "pending")
    # Repeated: 10.00 more, 50.01 in all → 8.335 exactly, half to even: 8.34.
    shop.tell("refund.created", refund("re_2", amount=1_000, status="pending"), at=12)
    assert the_partner(shop) == ({"pending": 1_166}, 834, "pending")
    # The charge sees the same total: nothing new.
    shop.tell("charge.refunded", charge(amount_refunded=5_001), at=13)
    assert the_partner(shop) == ({"pending": 1_166}, 834, "pending")
    # The second one fails: 10.00 less.
    shop.tell("refund.failed", refund("re_2", amount=1_000, status="failed"), at=14)
    assert the_partner(shop) == ({"pending": 1_333}, 667, "pending")
    # All of it.
    shop.tell("charge.refunded", charge(amount_refunded=12_000), at=20)
    assert the_partner(shop) == ({}, 2_000, "void")
    (sale,) = shop.conversions()
    assert (sale["refunded"], sale["gross"]) == (12_000, 12_000)
    (listed,) = shop.get("/commissions")["data"]
    moves = shop.get(f"/commissions/{listed['id']}")["adjustments"]
    assert [(m["code"], m["amount"]) for m in moves] == [
        ("award", 2_000),
        ("reversal", 667),
        ("reversal", 167),
        ("reinstatement", 167),
        ("reversal", 1_333),
    ]


def test_a_refund_waits_for_the_only_tie_to_its_invoice(shop: Shop) -> None:
    ana = shop.partner()
    early = shop.tell("refund.created", refund(amount=3_000), at=10)
    assert (early["state"], codes(early["outcome"]["reasons"])) == ("parked", ["waiting_for_sale"])
    token = shop.click(ana)
    session = checkout_session(
        mode="subscription", client_reference_id=token, amount_total=None, payment_intent=None
    )
    shop.tell("checkout.session.completed", session)
    shop.tell("invoice.paid", invoice(paid_at=shop.started + 1), at=1)
    assert shop.balance(ana) == {"pending": 2_000}
    shop.tell("invoice_payment.paid", invoice_payment(), at=2)
    assert shop.balance(ana) == {"pending": 1_500}
    assert shop.get(f"/events/{early['id']}")["state"] == "applied"
    (sale,) = shop.conversions()
    assert sale["refunded"] == 3_000


def test_a_payment_told_by_session_intent_and_invoice_is_one_sale(shop: Shop) -> None:
    ana = shop.partner()
    token = shop.click(ana)
    session = checkout_session(
        client_reference_id=token, customer=None, created=shop.started + 1, invoice=None
    )
    shop.tell("checkout.session.completed", session, at=1)
    assert shop.balance(ana) == {"pending": 2_000}
    # An older API version ties by itself, and its invoice's figures win: 20 % of 90.00.
    late = older_invoice(subscription=None, tax=3_000, paid_at=shop.started + 1)
    shop.tell("invoice.paid", late, at=2)
    assert shop.balance(ana) == {"pending": 1_800}
    (sale,) = shop.conversions()
    assert (sale["key"], sale["amount"]) == ("stripe::invoice:in_1", 9_000)
    commissions = shop.get("/commissions")["data"]
    assert sorted((c["status"], c["amount"]) for c in commissions) == [
        ("pending", 1_800),
        ("void", 2_000),
    ]


def test_the_same_again_changes_nothing_and_another_meaning_is_told(shop: Shop) -> None:
    ana = shop.partner()
    token = shop.click(ana)
    event = objects.event(
        "checkout.session.completed",
        checkout_session(client_reference_id=token, created=shop.started + 1),
        created=shop.started + 1,
    )
    first = shop.send(event)
    assert first["duplicate"] is False
    shop.decided(first["event_id"])
    again = {**event, "pending_webhooks": 0, "api_version": objects.OLD_API}
    assert shop.send(again) == {**first, "duplicate": True}
    other = objects.event(
        "checkout.session.completed",
        checkout_session(amount_total=99_000, created=shop.started + 1),
        id=event["id"],
        created=shop.started + 1,
    )
    assert shop.send(other) == {**first, "duplicate": True}
    assert shop.get(f"/events/{first['event_id']}")["conflicts"] == 1
    assert shop.balance(ana) == {"pending": 2_000}
    assert len(shop.get("/ledger/transfers")["data"]) == 1
