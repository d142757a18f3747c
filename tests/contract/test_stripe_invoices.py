"""Stripe invoices: base, lines and names, newer and older API versions, cent by cent."""

from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.conversions.providers.mapping import Alias, Contact
from app.core.events import Line, Payment, Tie
from tests.contract import stripe_invoices as bills
from tests.contract import stripe_objects as objects
from tests.contract.stripe_objects import AT, Json, event
from tests.contract.stripe_reading import (
    CUS,
    NOW,
    OWN,
    TOKEN,
    ignored,
    mapped,
    paid,
    payment,
)


def test_invoice_is_the_sale_with_the_best_figures() -> None:
    thing = bills.invoice(
        paid_at=AT - 5,
        created=AT - 3_600,
        subscription_metadata={"click_id": TOKEN, "finderfee_customer_id": "u-1"},
        payments=[bills.invoice_payment()],
    )
    got = mapped(event("invoice.paid", thing))
    assert got.body == Payment(
        authority=3,
        gross=12_000,
        base=10_000,
        currency="usd",
        lines=(Line("prod_1", 10_000, 1),),
        subscription="stripe::subscription:sub_1",
    )
    assert got.payments == ("stripe::invoice:in_1", "stripe::payment_intent:pi_1")
    assert got.contact == Contact((CUS, OWN), email="jenny@example.com", name="Jenny Rosen")
    assert (got.click_ids, got.country) == ((TOKEN,), "DE")
    assert got.occurred_at == NOW - timedelta(seconds=5)


def test_older_invoice_says_the_same_in_other_places() -> None:
    metadata = {"click_id": TOKEN, "finderfee_customer_id": "u-1"}
    thing = bills.older_invoice(subscription_metadata=metadata)
    got = mapped(event("invoice.paid", thing, api_version=objects.OLD_API))
    assert got.body == Payment(
        authority=3,
        gross=12_000,
        base=10_000,
        currency="usd",
        lines=(Line("prod_1", 10_000, 1),),
        subscription="stripe::subscription:sub_1",
    )
    assert got.payments == (
        "stripe::invoice:in_1",
        "stripe::payment_intent:pi_1",
        "stripe::charge:ch_1",
    )
    assert (got.click_ids, got.contact.aliases) == ((TOKEN,), (CUS, OWN))


@pytest.mark.parametrize(
    ("taxes", "base"),
    [
        ({"tax": 2_000}, 10_000),
        ({"tax": None}, 12_000),
        ({"tax": None, "total_tax_amounts": [{"amount": 1_500}, {"amount": 500}]}, 10_000),
        ({"tax": None, "total_taxes": [{"amount": 1_000}]}, 11_000),
        ({"tax": 2_000, "total_excluding_tax": 9_000}, 9_000),
    ],
)
def test_base_without_an_untaxed_total_is_the_total_less_its_taxes(taxes: Json, base: int) -> None:
    thing = {**bills.older_invoice(), **taxes}
    assert payment(event("invoice.paid", thing)).base == base


@pytest.mark.parametrize(
    ("amount_paid", "total", "untaxed", "base"),
    [
        (6_000, 12_000, 10_000, 5_000),  # the rest came from the customer's balance
        (1, 3, 2, 1),  # 0.67
        (1, 4, 2, 0),  # 0.5 goes to even
        (3, 4, 2, 2),  # 1.5 goes to even
        (13_000, 12_000, 10_000, 10_833),  # an older debt was paid along
        (80, 80, 100, 100),  # credits taxed, charges not
        (12_000, 12_000, 0, 0),
        (10**13, 10**13, 10**13 - 1, 10**13 - 1),
    ],
)
def test_base_is_rounded_once(amount_paid: int, total: int, untaxed: int, base: int) -> None:
    lines = [bills.invoice_line()]
    fields = {"amount_paid": amount_paid, "total": total, "total_excluding_tax": untaxed}
    got = payment(paid(**fields, lines=lines))
    assert (got.gross, got.base) == (amount_paid, base)
    assert sum(line.amount for line in got.lines) == base


def test_nothing_paid_is_a_tie_that_keeps_its_touch() -> None:
    got = mapped(paid(amount_paid=0, total=0, subscription_metadata={"click_id": TOKEN}))
    assert (got.kind, got.body, got.click_ids) == ("tie", Tie(), (TOKEN,))


def test_lines_share_the_base_to_the_cent() -> None:
    lines = [
        bills.invoice_line(amount=1_000, product="prod_a", quantity=2),
        bills.invoice_line(amount=1_000, product="prod_b", quantity=None),
        bills.invoice_line(amount=1_000, product=None, quantity=3),
    ]
    got = payment(paid(lines=lines, total=3_600, total_excluding_tax=3_000, amount_paid=2_000))
    assert got.base == 1_667
    assert got.lines == (Line("prod_a", 556, 2), Line("prod_b", 556, 1), Line("", 555, 3))
    assert (got.quantity, got.lines_complete) == (6, True)


def test_prorations_credit_their_share_and_the_lines_still_sum() -> None:
    lines = [
        bills.invoice_line(amount=-1_500, product="prod_old"),
        bills.invoice_line(amount=4_000, product="prod_new"),
        bills.invoice_line(amount=500, product="prod_seat", quantity=5),
    ]
    whole = payment(paid(lines=lines, total=3_000, total_excluding_tax=3_000, amount_paid=3_000))
    assert [line.amount for line in whole.lines] == [-1_500, 4_000, 500]
    assert whole.quantity == 6
    part = payment(paid(lines=lines, total=3_000, total_excluding_tax=3_000, amount_paid=1_000))
    assert [line.amount for line in part.lines] == [-500, 1_333, 167]


@given(
    st.lists(st.integers(-(10**9), 10**9), min_size=1, max_size=12),
    st.integers(1, 10**9),
)
def test_shares_are_exact_and_near_their_weight(amounts: list[int], base: int) -> None:
    lines = [bills.invoice_line(amount=amount) for amount in amounts]
    got = payment(paid(lines=lines, amount_paid=base, total=base, total_excluding_tax=base))
    whole = sum(amounts)
    if not got.lines_complete:
        assert whole <= 0 or max(map(abs, amounts)) * base // whole >= 10**13 - 2
        return
    assert sum(line.amount for line in got.lines) == base
    for line, amount in zip(got.lines, amounts, strict=True):
        assert abs(line.amount - Fraction(base * amount, whole)) < 2


def test_lines_weigh_less_discounts_and_included_tax() -> None:
    newer = bills.invoice_line(amount=1_200, product="prod_b", inclusive_tax=200)
    credit = bills.invoice_line(amount=1_500, product="prod_c", discount=400)
    credit["pretax_credit_amounts"] = [{"amount": 400}, {"amount": 100}]
    older = bills.older_invoice_line(amount=1_100, product="prod_d")
    older["tax_amounts"] = [{"amount": 100, "inclusive": True}, {"amount": 50, "inclusive": False}]
    lines = [bills.invoice_line(amount=1_500, discount=500), newer, credit, older]
    got = payment(paid(lines=lines, total=4_000, total_excluding_tax=4_000, amount_paid=4_000))
    assert [line.amount for line in got.lines] == [1_000] * 4


@pytest.mark.parametrize(
    "fields",
    [
        {"has_more": True},
        {"lines": []},
        {"lines": [bills.invoice_line(amount=0)]},
        {"lines": [bills.invoice_line(amount=-5), bills.invoice_line(amount=5)]},
        {"lines": [bills.invoice_line(amount=10**13 - 1), bills.invoice_line(amount=2 - 10**13)]},
    ],
)
def test_lines_that_cannot_be_weighed_leave_the_total(fields: Json) -> None:
    got = payment(paid(**fields))
    assert (got.base, got.lines, got.lines_complete, got.quantity) == (10_000, (), False, 1)


def test_product_is_found_in_older_lines_or_unknown() -> None:
    by_plan = {**bills.older_invoice_line(product="prod_2"), "price": None}
    by_bare_id = {**bills.older_invoice_line(), "price": "price_1", "plan": None}
    got = payment(paid(lines=[by_plan, by_bare_id]))
    assert [line.product_id for line in got.lines] == ["prod_2", ""]


def test_invoice_without_customer_is_keyed_by_itself() -> None:
    assert mapped(paid(customer=None)).contact.aliases == (Alias("stripe:", "in_1"),)


def test_one_off_invoice_has_no_subscription() -> None:
    assert payment(paid(subscription=None)).subscription == ""


def test_invoice_payment_succeeded_is_only_an_alias() -> None:
    assert ignored(event("invoice.payment_succeeded", bills.invoice()))


@pytest.mark.parametrize(
    ("paid_at", "created", "at"), [(AT - 1, AT - 9, AT - 1), (None, AT - 9, AT - 9)]
)
def test_sale_happened_when_it_was_paid(paid_at: int | None, created: int, at: int) -> None:
    got = mapped(paid(paid_at=paid_at, created=created))
    assert got.occurred_at == datetime.fromtimestamp(at, UTC)


def test_sale_without_any_time_happened_with_its_event() -> None:
    thing = {**bills.invoice(paid_at=None), "created": None}
    assert mapped(event("invoice.paid", thing, created=AT - 3)).occurred_at == NOW - timedelta(
        seconds=3
    )
