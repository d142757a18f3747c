"""Shopify's amounts to the cent: base, lines, and whose money an order is read in."""

from typing import Literal

import pytest

from app.core.events import Line, Payment, Refund, RefundTotal
from tests.contract import shopify_objects as objects
from tests.contract.shopify_objects import Json, line, mapped, sets, transaction


def paid(**fields: object) -> Payment:
    body = mapped("orders/paid", objects.order(**fields)).body
    assert isinstance(body, Payment), body
    return body


@pytest.mark.parametrize(
    ("fields", "base"),
    [
        ({}, 100_00),
        ({"taxes_included": False}, 100_00),
        ({"total_tax": None}, 119_00),
        ({"total_tax": "0.00"}, 119_00),
        ({"total_price": "19.01"}, 1),
        ({"currency": "JPY", "total_price": "119.00", "total_tax": "19"}, 100),
        ({"currency": "KWD", "total_price": "119.001", "total_tax": "19.000"}, 100_001),
    ],
)
def test_base_is_the_total_less_its_tax(fields: Json, base: int) -> None:
    order = objects.order(**{"line_items": [], **fields})
    body = mapped("orders/paid", order).body
    assert isinstance(body, Payment)
    assert body.base == base
    whole = mapped("orders/paid", order, with_tax=True).body
    assert isinstance(whole, Payment)
    assert whole.base == whole.gross


@pytest.mark.parametrize(
    ("rows", "inside", "amounts"),
    [
        # 2 × 20.00 and 60.00 of a base of 100.00.
        ([line(1, "20.00", quantity=2), line(2, "60.00")], False, (40_00, 60_00)),
        # Shipping is in the base: 100.00 shared as 1 : 2.
        ([line(1, "10.00"), line(2, "20.00")], False, (33_33, 66_67)),
        # A discount of 30.00 takes the second from 60.00 to 30.00: 40 : 30.
        ([line(1, "40.00"), line(2, "60.00", discount_allocations=[{"amount": "30.00"}])],
         False, (57_14, 42_86)),
        ([line(1, "40.00"), {**line(2, "60.00", total_discount="30.00"),
         "discount_allocations": None}], False, (57_14, 42_86)),
        # Prices with 19 % in the one and 0 % in the other: 119.00 − 19.00 and 100.00.
        ([line(1, "119.00", tax_lines=[{"price": "19.00"}]), line(2, "100.00")], True,
         (50_00, 50_00)),
        # Tax beside the price takes nothing from it.
        ([line(1, "100.00", tax_lines=[{"price": "19.00"}]), line(2, "100.00")], False,
         (50_00, 50_00)),
        # Nothing to weigh.
        ([line(1, "0.00")], False, ()),
        ([], False, ()),
    ],
)  # fmt: skip
def test_lines_share_the_base(
    rows: list[Json],
    inside: Literal[True, False],
    amounts: tuple[int, ...],
) -> None:
    payment = paid(line_items=rows, taxes_included=inside)
    assert tuple(one.amount for one in payment.lines) == amounts
    assert payment.lines_complete == bool(amounts)
    assert payment.quantity == max(1, sum(row["quantity"] for row in rows if amounts))


def test_with_tax_a_line_weighs_what_was_paid_for_it() -> None:
    """119.00 and 100.00 of 219.00, whether prices contain the 19.00 or not."""
    for inside, price in ((True, "119.00"), (False, "100.00")):
        rows = [line(1, price, tax_lines=[{"price": "19.00"}]), line(2, "100.00")]
        order = objects.order(line_items=rows, taxes_included=inside, total_price="219.00")
        body = mapped("orders/paid", order, with_tax=True).body
        assert isinstance(body, Payment)
        assert [one.amount for one in body.lines] == [119_00, 100_00]


def test_a_product_without_an_id_is_a_line_all_the_same() -> None:
    assert paid(line_items=[line(None)]).lines == (Line("", 100_00, 1),)


IN_EUROS: Json = {
    "presentment_currency": "EUR",
    "total_price_set": sets("119.00", "100.50", "EUR"),
    "total_tax_set": sets("19.00", "16.05", "EUR"),
    "line_items": [line(price_set=sets("119.00", "100.50", "EUR"))],
}


def test_an_order_is_read_in_the_money_that_was_paid() -> None:
    payment = paid(**IN_EUROS)
    assert (payment.gross, payment.base, payment.currency) == (100_50, 84_45, "eur")
    assert payment.lines == (Line("632910392", 84_45, 1),)
    whole = mapped("refunds/create", objects.refund(transaction("100.50", currency="EUR"))).body
    assert isinstance(whole, Refund)
    assert (whole.amount, whole.currency) == (payment.gross, payment.currency)


@pytest.mark.parametrize(
    ("gone", "amount"),
    [
        ([transaction("10.05", currency="EUR")], 10_05),
        # A tenth in the shop's dollars is a tenth of what was paid in euros.
        ([transaction("11.90", currency="USD")], 10_05),
        ([transaction("11.90", currency="USD"), transaction("10.05", currency="EUR")], 20_10),
        # 10.00 × 100.50 ÷ 119.00 is 8.4453…
        ([transaction("10.00", currency="USD")], 8_45),
    ],
)
def test_a_total_in_the_shop_s_money_is_taken_by_the_order_s_rate(
    gone: list[Json], amount: int
) -> None:
    order = objects.order(**IN_EUROS, refunds=[objects.refund(*gone)])
    assert mapped("orders/updated", order).body == RefundTotal(amount, "eur")


def test_one_currency_in_sets_is_the_plain_one() -> None:
    """Every order of today has sets; most are in one currency, not all parts of them then."""
    assert paid(total_price_set=sets("119.00", "119.00", "USD")) == paid()
