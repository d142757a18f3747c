"""Stripe sessions, customers and subscriptions, and what holds for every event."""

from datetime import timedelta

import pytest

from app.conversions.providers.mapping import Alias, Contact, Ignored
from app.conversions.providers.stripe_money import STRIPE_EXPONENTS
from app.core.currencies import EXPONENTS
from app.core.events import Churn, Named, Payment, Refund
from tests.contract import stripe_invoices as bills
from tests.contract import stripe_objects as objects
from tests.contract.stripe_objects import AT, Json, event
from tests.contract.stripe_reading import (
    CUS,
    NOW,
    OWN,
    TOKEN,
    completed,
    ignored,
    mapped,
    means,
    paid,
    payment,
    senseless_at,
)


def test_paid_session_is_a_sale_with_its_touch_and_all_its_names() -> None:
    got = mapped(completed(client_reference_id=TOKEN, invoice="in_1"))
    assert got.kind == "payment"
    assert got.body == Payment(authority=2, gross=12_000, base=10_000, currency="usd")
    assert got.click_ids == (TOKEN,)
    assert got.payments == (
        "stripe::session:cs_test_1",
        "stripe::payment_intent:pi_1",
        "stripe::invoice:in_1",
    )
    assert got.contact == Contact((CUS,), email="jenny@example.com", name="Jenny Rosen")
    assert got.country == "DE"
    assert got.occurred_at == NOW
    assert got.type == "checkout.session.completed"


def test_unpaid_session_is_a_sale_only_when_its_money_came() -> None:
    thing = objects.checkout_session(payment_status="unpaid", client_reference_id=TOKEN)
    before = mapped(event("checkout.session.completed", thing))
    after = mapped(event("checkout.session.async_payment_succeeded", thing))
    assert (before.kind, before.body, before.click_ids) == ("named", Named(), (TOKEN,))
    assert after.kind == "payment"


def test_subscription_session_leaves_the_sale_to_its_invoice() -> None:
    fields: Json = {
        "mode": "subscription",
        "payment_intent": None,
        "invoice": "in_1",
        "subscription": "sub_1",
    }
    touched = mapped(completed(**fields, client_reference_id=TOKEN))
    assert (touched.kind, touched.click_ids) == ("named", (TOKEN,))
    assert touched.payments == ("stripe::session:cs_test_1", "stripe::invoice:in_1")
    assert mapped(completed(**fields)).kind == "tie"


def test_metadata_of_an_expanded_subscription_counts() -> None:
    whole = objects.subscription(metadata={"click_id": TOKEN, "finderfee_customer_id": "u-1"})
    got = mapped(completed(mode="subscription", payment_intent=None, subscription=whole))
    assert got.click_ids == (TOKEN,)
    assert got.contact.aliases == (CUS, OWN)


def test_free_session_is_no_sale_but_keeps_its_touch() -> None:
    got = mapped(completed(amount_total=0, amount_tax=0, client_reference_id=TOKEN))
    assert (got.kind, got.click_ids) == ("named", (TOKEN,))


def test_session_without_customer_is_keyed_by_its_payment_intent() -> None:
    got = mapped(completed(customer=None, client_reference_id=TOKEN))
    assert got.contact.aliases == (Alias("stripe:", "pi_1"),)


def test_e_mail_given_before_the_checkout_counts_until_there_is_another() -> None:
    thing = {**objects.checkout_session(), "customer_email": "early@example.com"}
    got = mapped(event("checkout.session.completed", {**thing, "customer_details": None}))
    assert got.contact.email == "early@example.com"
    assert mapped(event("checkout.session.completed", thing)).contact.email == "jenny@example.com"


def test_session_that_names_nobody_and_ties_nothing_is_ignored() -> None:
    assert ignored(completed(customer=None, payment_intent=None, amount_total=0, amount_tax=0))


@pytest.mark.parametrize(
    ("reference", "metadata", "clicks"),
    [
        (TOKEN, {}, (TOKEN,)),
        ("order-4711", {}, ()),
        (TOKEN + "A", {}, ()),
        (None, {"click_id": "not a token"}, ("not a token",)),
        (TOKEN, {"click_id": "B" * 60}, (TOKEN, "B" * 60)),
        (TOKEN, {"click_id": TOKEN}, (TOKEN,)),
        (None, {"click_id": ""}, ()),
        (None, {"click_id": "\0"}, ("\0",)),
        (None, {"click_id": 5}, ("not-text",)),
        (5, {}, ()),
    ],
)
def test_click_ids_come_as_they_are_and_references_only_as_tokens(
    reference: object, metadata: Json, clicks: tuple[str, ...]
) -> None:
    thing = objects.checkout_session(metadata=metadata)
    thing["client_reference_id"] = reference
    got = mapped(event("checkout.session.completed", thing))
    assert got.kind == "payment"
    assert got.click_ids == clicks


@pytest.mark.parametrize("kind", ["customer.created", "customer.updated"])
def test_customer_with_metadata_is_named(kind: str) -> None:
    metadata = {"click_id": TOKEN, "finderfee_customer_id": "u-1"}
    got = mapped(event(kind, objects.customer(metadata=metadata, country="fr")))
    assert (got.kind, got.body, got.click_ids, got.country) == ("named", Named(), (TOKEN,), "FR")
    assert got.contact == Contact((CUS, OWN), email="jenny@example.com", name="Jenny Rosen")


def test_customer_keeps_its_own_id_beside_its_account() -> None:
    thing = objects.customer(metadata={"click_id": TOKEN})
    thing["customer_account"] = "acct_9"
    assert mapped(event("customer.created", thing)).contact.aliases == (CUS,)


def test_buyer_known_by_account_only_is_named_by_it() -> None:
    thing = bills.invoice(customer=None)
    thing["customer_account"] = "acct_9"
    aliases = mapped(event("invoice.paid", thing)).contact.aliases
    assert aliases == (Alias("stripe:", "acct_9"),)


@pytest.mark.parametrize(
    "payload",
    [
        event("customer.created", objects.customer(country="DE")),
        event("customer.subscription.updated", objects.subscription()),
    ],
)
def test_what_says_nothing_of_a_customer_is_ignored(payload: Json) -> None:
    assert ignored(payload)


@pytest.mark.parametrize("kind", ["created", "updated"])
def test_subscription_metadata_names_and_touches(kind: str) -> None:
    metadata = {"click_id": TOKEN, "finderfee_customer_id": "u-1"}
    thing = objects.subscription(metadata=metadata)
    got = mapped(event(f"customer.subscription.{kind}", thing))
    assert (got.kind, got.click_ids, got.contact.aliases) == ("named", (TOKEN,), (CUS, OWN))


def test_deleted_subscription_is_churn_when_it_ended() -> None:
    thing = objects.subscription(ended_at=AT - 60)
    got = mapped(event("customer.subscription.deleted", thing, account="acct_1"))
    assert got.body == Churn(subscription="stripe:acct_1:subscription:sub_1")
    assert got.occurred_at == NOW - timedelta(seconds=60)
    assert got.contact.aliases == (Alias("stripe:acct_1", "cus_1"),)


@pytest.mark.parametrize(("livemode", "live"), [(True, False), (False, True)])
def test_other_mode_is_ignored(*, livemode: bool, live: bool) -> None:
    meaning = means(event("invoice.paid", bills.invoice(), livemode=livemode), live=live)
    assert isinstance(meaning, Ignored)
    assert (meaning.reason.code, meaning.reason.params) == ("other_mode", {"livemode": livemode})


def test_connected_account_scopes_every_id() -> None:
    got = mapped(event("invoice.paid", bills.invoice(), account="acct_1"))
    assert got.payments == ("stripe:acct_1:invoice:in_1",)
    assert got.contact.aliases == (Alias("stripe:acct_1", "cus_1"),)
    assert isinstance(got.body, Payment)
    assert got.body.subscription == "stripe:acct_1:subscription:sub_1"


@pytest.mark.parametrize(
    ("currency", "sent", "kept"),
    [("jpy", 500, 500), ("kwd", 5_120, 5_120), ("isk", 500, 5), ("ugx", 500, 5), ("mga", 5, 500)],
)
def test_amounts_become_iso_minor_units(currency: str, sent: int, kept: int) -> None:
    thing = objects.refund(amount=sent, currency=currency)
    body = mapped(event("refund.created", thing)).body
    assert isinstance(body, Refund)
    assert (body.amount, body.currency) == (kept, currency)
    sale = payment(paid(amount_paid=sent, total=sent, total_excluding_tax=sent, currency=currency))
    assert (sale.gross, sale.base, sale.lines[0].amount) == (kept, kept, kept)


def test_fractions_of_the_smallest_unit_are_refused_and_bases_rounded() -> None:
    thing = objects.refund(amount=550, currency="isk")
    assert senseless_at(event("refund.created", thing)) == "data.object.amount"
    assert payment(completed(amount_total=500, amount_tax=97, currency="isk")).base == 4
    too_much = objects.refund(amount=10**11 + 1, currency="mga")
    assert senseless_at(event("refund.created", too_much)) == "data.object.amount"


def test_each_special_currency_really_differs_from_iso() -> None:
    assert all(EXPONENTS[code] != decimals for code, decimals in STRIPE_EXPONENTS.items())


def test_five_minutes_ahead_is_the_limit() -> None:
    assert mapped(paid(paid_at=AT + 300)).occurred_at == NOW + timedelta(seconds=300)
    assert senseless_at(paid(paid_at=AT + 301)) == "data.object.status_transitions.paid_at"
    late = event("refund.created", objects.refund(), created=AT + 301)
    assert senseless_at(late) == "created"


@pytest.mark.parametrize("kind", ["plan.created", "checkout.session.expired", "x.y"])
def test_other_types_are_ignored_by_name(kind: str) -> None:
    meaning = means(event(kind, {"id": "x"}))
    assert isinstance(meaning, Ignored)
    assert (meaning.reason.params, meaning.type) == ({"type": kind}, kind)
