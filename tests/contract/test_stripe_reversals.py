"""Stripe's disputes, credit notes and promotion codes: what each means, in old and new shapes."""

from datetime import timedelta

import pytest

from app.conversions.providers import stripe
from app.core.events import Dispute, Refund, Tie
from tests.contract import stripe_invoices as bills
from tests.contract import stripe_objects as objects
from tests.contract.stripe_objects import AT, OLD_API, Json, event
from tests.contract.stripe_reading import (
    CUS,
    NOW,
    completed,
    ignored,
    mapped,
    paid,
    senseless_at,
)
from tests.contract.stripe_reversals import credit_note, discount, dispute, older_credit_note

DISPUTE_TYPES = [kind for kind in stripe.EVENT_TYPES if kind.startswith("charge.dispute.")]


@pytest.mark.parametrize("kind", DISPUTE_TYPES)
@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("needs_response", "open"),
        ("under_review", "open"),
        ("won", "won"),
        ("lost", "lost"),
        ("prevented", "won"),
        ("charge_refunded", "won"),
    ],
)
def test_dispute_is_in_the_state_that_its_event_saw(kind: str, status: str, state: str) -> None:
    thing = dispute(status=status, amount=7_000, created=AT - 90_000)
    got = mapped(event(kind, thing, created=AT - 5, account="acct_1"))
    assert got.kind == "dispute"
    assert got.body == Dispute("stripe:acct_1:dispute:dp_1", 7_000, "usd", state)  # type: ignore[arg-type]
    assert got.occurred_at == NOW - timedelta(seconds=5)
    assert got.payments == ("stripe:acct_1:charge:ch_1", "stripe:acct_1:payment_intent:pi_1")


@pytest.mark.parametrize(
    "status", ["warning_needs_response", "warning_under_review", "warning_closed"]
)
@pytest.mark.parametrize("kind", DISPUTE_TYPES)
def test_inquiry_changes_nothing(kind: str, status: str) -> None:
    assert ignored(event(kind, dispute(status=status)))


def test_older_dispute_names_its_charge_only() -> None:
    older = dispute(payment_intent=None)
    got = mapped(event("charge.dispute.created", older, api_version=OLD_API))
    assert got.payments == ("stripe::charge:ch_1",)
    whole = mapped(event("charge.dispute.created", dispute(charge=objects.charge())))
    assert whole.payments == ("stripe::charge:ch_1", "stripe::payment_intent:pi_1")


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"status": None}, "status"),
        ({"status": "forgotten"}, "status"),
        ({"charge": None}, "charge"),
        ({"amount": "1"}, "amount"),
        ({"currency": "xxx"}, "currency"),
        ({"id": None}, "id"),
    ],
)
def test_dispute_without_what_it_needs_is_senseless(change: Json, place: str) -> None:
    odd = event("charge.dispute.closed", {**dispute(), **change})
    assert senseless_at(odd) == f"data.object.{place}"


def test_dispute_in_another_unit_is_counted_in_ours() -> None:
    """Stripe gives the króna two decimals, ISO none."""
    got = mapped(event("charge.dispute.created", dispute(amount=70_000, currency="isk"))).body
    assert isinstance(got, Dispute)
    assert got.amount == 700


@pytest.mark.parametrize("kind", ["credit_note.created", "credit_note.updated"])
@pytest.mark.parametrize(
    ("note", "left"),
    [
        (credit_note(), 3_000),
        (credit_note(pre_payment_amount=9_000), 3_000),
        (credit_note(refunded=1_000), 2_000),
        (credit_note(refunded=3_000), 0),
        (credit_note(refunded=4_000), 0),
        (older_credit_note(), 3_000),
        (older_credit_note(customer_balance_transaction="cbtxn_1"), 3_000),
        (older_credit_note(refund="re_1"), 0),
        (older_credit_note(refund="re_1", out_of_band_amount=500), 500),
        (older_credit_note(refund=objects.refund(amount=1_000)), 2_000),
        (
            older_credit_note(refund="re_1", customer_balance_transaction={"amount": -2_500}),
            2_500,
        ),
    ],
)
def test_credit_note_gives_back_what_its_refunds_do_not(kind: str, note: Json, left: int) -> None:
    got = mapped(event(kind, note, created=AT - 5))
    assert (got.kind, got.payments) == ("refund", ("stripe::invoice:in_1",))
    assert got.body == Refund("stripe::credit_note:cn_1", left, "usd", counts=True)
    assert got.occurred_at == NOW - timedelta(seconds=5)
    assert got.contact.aliases == (CUS,)


def test_voided_credit_note_counts_no_more() -> None:
    voided = credit_note(status="void")
    assert mapped(event("credit_note.voided", voided)).body == Refund(
        "stripe::credit_note:cn_1", 3_000, "usd", counts=False
    )


def test_credit_note_before_the_payment_has_lowered_it_already() -> None:
    note = credit_note(post_payment_amount=0, pre_payment_amount=9_000)
    assert ignored(event("credit_note.created", note))
    assert ignored(event("credit_note.created", older_credit_note(type="pre_payment")))


PROMO = "stripe:promo_1"
OLDER_BREAKDOWN = {"breakdown": {"discounts": [{"amount": 500, "discount": discount()}]}}


@pytest.mark.parametrize(
    "payload",
    [
        completed(discounts=[{"coupon": "Z4OV52SU", "promotion_code": "promo_1"}]),
        completed(discounts=[{"coupon": "Z4OV52SU", "promotion_code": {"id": "promo_1"}}]),
        completed(total_details={"amount_tax": 2_000, **OLDER_BREAKDOWN}),
        paid(discounts=["di_0", discount()]),
        paid(discounts=[discount({"id": "promo_1", "code": "FALL20"})]),
        paid(total_discount_amounts=[{"amount": 500, "discount": discount()}]),
        paid(lines=[{**bills.invoice_line(), "discounts": [discount()]}]),
        paid(amount_paid=0, discounts=[discount()]),
        event("invoice.paid", {**bills.older_invoice(), "discount": discount()}),
        event("customer.updated", {**objects.customer(), "discount": discount()}),
        event("customer.subscription.created", {**objects.subscription(), "discount": discount()}),
        event(
            "customer.subscription.updated", objects.subscription() | {"discounts": [discount()]}
        ),
        event("customer.discount.created", discount()),
    ],
    ids=lambda payload: str(payload["type"]),
)
def test_promotion_code_is_told_by_its_id(payload: Json) -> None:
    assert mapped(payload).codes == (PROMO,)
    assert mapped(payload).contact.aliases == (CUS,)


def test_session_with_a_code_alone_is_news() -> None:
    subscribed: Json = {"mode": "subscription", "payment_intent": None, "subscription": "sub_1"}
    assert mapped(completed(**subscribed, invoice="in_1")).body == Tie()
    with_code = completed(**subscribed, discounts=[{"promotion_code": "promo_1"}])
    assert (mapped(with_code).kind, mapped(with_code).codes) == ("named", (PROMO,))


def test_discount_without_a_promotion_code_tells_none() -> None:
    assert mapped(paid(discounts=["di_1"])).codes == ()
    assert mapped(paid(discounts=[discount(None)])).codes == ()
    assert mapped(completed(discounts=None)).codes == ()
    assert ignored(event("customer.discount.created", discount(None)))
    assert ignored(event("customer.discount.created", discount(customer=None)))
    assert senseless_at(paid(discounts=[5])) == "data.object.discounts[0]"
