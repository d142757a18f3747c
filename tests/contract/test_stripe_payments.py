"""Stripe payment intents, charges, ties and refunds, and when two messages mean the same."""

from datetime import timedelta

import pytest

from app.conversions.providers import stripe
from app.conversions.providers.mapping import Alias, Contact, fingerprint
from app.core.events import Payment, Refund, RefundTotal
from tests.contract import stripe_invoices as bills
from tests.contract import stripe_objects as objects
from tests.contract.stripe_objects import AT, Json, event
from tests.contract.stripe_reading import CUS, NOW, OWN, TOKEN, ignored, mapped, means


def test_payment_intent_is_a_sale_only_if_marked() -> None:
    for metadata in ({"click_id": TOKEN}, {"finderfee_customer_id": "u-1"}):
        thing = objects.payment_intent(metadata=metadata)
        got = mapped(event("payment_intent.succeeded", thing))
        assert got.body == Payment(authority=1, gross=12_000, base=12_000, currency="usd")
        assert got.payments == ("stripe::payment_intent:pi_1", "stripe::charge:ch_1")
    for metadata in ({}, {"click_id": "", "finderfee_customer_id": ""}):
        thing = objects.payment_intent(metadata=metadata)
        assert mapped(event("payment_intent.succeeded", thing)).kind == "tie"
    alone = objects.payment_intent(latest_charge=None)
    assert ignored(event("payment_intent.succeeded", alone))


def test_payment_intent_without_customer_is_keyed_by_itself() -> None:
    thing = objects.payment_intent(customer=None, metadata={"finderfee_customer_id": "u-1"})
    aliases = mapped(event("payment_intent.succeeded", thing)).contact.aliases
    assert aliases == (Alias("stripe:", "pi_1"), OWN)


def test_older_payment_intent_names_charge_and_invoice() -> None:
    thing = objects.payment_intent(latest_charge=None)
    thing |= {"charges": {"data": [objects.charge()]}, "invoice": "in_1"}
    assert mapped(event("payment_intent.succeeded", thing)).payments == (
        "stripe::payment_intent:pi_1",
        "stripe::charge:ch_1",
        "stripe::invoice:in_1",
    )


@pytest.mark.parametrize("kind", ["charge.succeeded", "charge.updated"])
def test_charge_ties_what_it_names(kind: str) -> None:
    got = mapped(event(kind, {**objects.charge(), "invoice": "in_1"}))
    assert (got.kind, got.contact.aliases) == ("tie", (CUS,))
    assert got.payments == (
        "stripe::charge:ch_1",
        "stripe::payment_intent:pi_1",
        "stripe::invoice:in_1",
    )
    assert ignored(event(kind, objects.charge(payment_intent=None)))


def test_invoice_payment_ties_and_names_nobody() -> None:
    got = mapped(event("invoice_payment.paid", bills.invoice_payment()))
    assert (got.kind, got.contact) == ("tie", Contact(()))
    assert got.payments == ("stripe::invoice:in_1", "stripe::payment_intent:pi_1")
    by_charge = bills.invoice_payment(payment_intent=None, charge="ch_1")
    assert mapped(event("invoice_payment.paid", by_charge)).payments[1] == "stripe::charge:ch_1"
    assert ignored(event("invoice_payment.paid", bills.invoice_payment(payment_intent=None)))


def test_expanded_objects_count_by_their_ids() -> None:
    thing = objects.charge(payment_intent=objects.payment_intent())
    thing["customer"] = objects.customer()
    got = mapped(event("charge.succeeded", thing))
    assert got.payments == ("stripe::charge:ch_1", "stripe::payment_intent:pi_1")
    assert got.contact.aliases == (CUS,)


@pytest.mark.parametrize(
    "kind", ["refund.created", "refund.updated", "refund.failed", "charge.refund.updated"]
)
@pytest.mark.parametrize(
    ("status", "counts"),
    [
        ("pending", True),
        ("succeeded", True),
        ("failed", False),
        ("canceled", False),
        ("requires_action", False),
        (None, False),
    ],
)
def test_refund_counts_in_two_states_only(kind: str, status: str | None, *, counts: bool) -> None:
    thing = objects.refund(status=status, created=AT - 500)
    got = mapped(event(kind, thing, created=AT - 7))
    assert got.body == Refund("stripe::refund:re_1", 3_000, "usd", counts)
    assert got.payments == ("stripe::payment_intent:pi_1", "stripe::charge:ch_1")
    assert got.contact == Contact(())
    assert got.occurred_at == NOW - timedelta(seconds=7)


def test_refund_of_no_payment_is_ignored() -> None:
    assert ignored(event("refund.created", objects.refund(charge=None, payment_intent=None)))


def test_refunded_charge_tells_the_total_until_now() -> None:
    thing = objects.charge(amount_refunded=4_500, created=AT - 9_000)
    got = mapped(event("charge.refunded", thing, created=AT - 7))
    assert got.body == RefundTotal(4_500, "usd")
    assert got.occurred_at == NOW - timedelta(seconds=7)
    assert got.payments == ("stripe::charge:ch_1", "stripe::payment_intent:pi_1")


def test_redelivery_means_the_same() -> None:
    first = event("invoice.paid", bills.invoice(), id="evt_1", pending_webhooks=3)
    again = {**dict(reversed(first.items())), "pending_webhooks": 0, "api_version": "other"}
    assert objects.encoded(first) != objects.encoded(again)
    assert fingerprint(means(first)) == fingerprint(means(again))


@pytest.mark.parametrize(
    "change",
    [
        {"amount_paid": 12_001},
        {"total_excluding_tax": 9_999},
        {"currency": "eur"},
        {"customer": "cus_2"},
        {"payments": [bills.invoice_payment()]},
        {"amount_paid": 0},
        {"customer": 5},
    ],
)
def test_another_meaning_has_another_fingerprint(change: Json) -> None:
    one = event("invoice.paid", bills.invoice(), id="evt_1")
    other = event("invoice.paid", bills.invoice(**change), id="evt_1")
    assert fingerprint(means(one)) != fingerprint(means(other))


def test_event_types_are_those_that_change_something() -> None:
    assert "invoice.paid" in stripe.EVENT_TYPES
    assert "invoice.payment_succeeded" not in stripe.EVENT_TYPES
