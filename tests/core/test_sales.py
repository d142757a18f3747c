"""One payment under many names, and how much of it went back."""

from datetime import timedelta
from itertools import permutations
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from app.core.events import Body, Event, Named, Payment, Refund, RefundTotal, Tie
from app.core.money import share
from app.core.sales import Sale, group, key_rank, refunded
from tests.core.made_worlds import START

INVOICE, INTENT, SESSION, CHARGE = (
    f"src::{kind}:1" for kind in ("invoice", "payment_intent", "session", "charge")
)


def event(
    body: Body, *payments: str, kind: str = "payment", second: int = 0, name: str = "e1"
) -> Event:
    at = START + timedelta(seconds=second)
    return Event(UUID(int=1), "src", name, kind, at, at, body, payments=payments)  # type: ignore[arg-type]


def paid(authority: int, gross: int = 100_00) -> Payment:
    return Payment(authority=authority, gross=gross, base=gross, currency="eur")


def refund(amount: int, *, refund_id: str = "r1", counts: bool = True, second: int = 0) -> Event:
    body = Refund(refund_id, amount, "eur", counts=counts)
    name = f"{refund_id}{amount}{counts}{second}"
    return event(body, CHARGE, kind="refund", second=second, name=name)


def total(amount: int, *, second: int = 0, dated: bool = True) -> Event:
    body = RefundTotal(amount, "eur", dated=dated)
    return event(body, CHARGE, kind="refund_total", second=second, name=f"t{amount}{second}")


def back(*events: Event, gross: int = 100_00) -> int:
    """What is refunded, the same in every order of arrival."""
    answers = set()
    for order in permutations(events):
        in_order = sorted(order, key=lambda e: e.order)
        (sale,) = group([event(paid(3, gross), INVOICE, CHARGE), *in_order])
        answers.add(refunded(sale, gross=gross, currency="eur"))
    (answer,) = answers
    return answer


def test_ids_that_name_each_other_are_one_sale_named_by_its_invoice() -> None:
    messages = (
        event(paid(2), SESSION, INTENT, name="session"),
        event(Tie(), INTENT, CHARGE, kind="tie", name="charge"),
        event(Tie(), INVOICE, CHARGE, kind="tie", name="tie"),
        event(paid(3), INVOICE, name="invoice"),
    )
    for order in permutations(messages):
        (sale,) = group(order)
        assert sale.keys == (INVOICE, INTENT, CHARGE, SESSION)
        assert len(sale.payments) == 2


def test_ids_that_nothing_ties_are_two_sales() -> None:
    assert len(group([event(paid(3), INVOICE), event(paid(2), SESSION, name="e2")])) == 2


def test_the_invoices_figures_win_then_the_sessions_then_the_latest() -> None:
    invoice = event(paid(3, 1), INVOICE, name="a")
    session = event(paid(2, 2), INVOICE, second=5, name="b")
    intent = event(paid(1, 3), INVOICE, second=9, name="c")
    later = event(paid(2, 4), INVOICE, second=6, name="d")
    for messages, gross in (
        ((invoice, session, intent), 1),
        ((session, intent), 2),
        ((session, later, intent), 4),
    ):
        for order in permutations(messages):
            (sale,) = group(order)
            assert sale.told_by[1].gross == gross


def test_an_invoice_names_a_sale_before_all_others() -> None:
    other = "src::order:1"
    keys = (SESSION, other, CHARGE, INVOICE, INTENT)
    assert sorted(keys, key=key_rank) == [INVOICE, INTENT, CHARGE, SESSION, other]


def test_refund_objects_sum_each_in_its_newest_state() -> None:
    assert back(refund(30_00), refund(20_00, refund_id="r2")) == 50_00
    assert back(refund(30_00), refund(30_00, second=1)) == 30_00
    assert back(refund(30_00), refund(30_00, counts=False, second=1)) == 0
    # Pending again after a failure is the provider's word, too.
    assert back(refund(30_00, counts=False), refund(30_00, second=1)) == 30_00


def test_of_two_states_in_one_second_the_failed_one_is_the_later() -> None:
    assert back(refund(30_00), refund(30_00, counts=False)) == 0


def test_the_newest_total_wins_and_objects_and_total_count_once() -> None:
    assert back(total(30_00), total(50_00, second=1)) == 50_00
    assert back(total(50_00), total(30_00, second=1)) == 30_00
    assert back(total(30_00), refund(30_00)) == 30_00
    assert back(total(30_00), refund(30_00), refund(20_00, refund_id="r2", second=1)) == 50_00


def test_a_refund_that_failed_after_the_total_is_taken_off_it() -> None:
    seen, failed = refund(30_00), refund(30_00, counts=False, second=2)
    assert back(total(50_00, second=1), seen, failed) == 20_00
    assert back(total(50_00, second=2), seen, failed) == 20_00
    assert back(total(50_00, second=3), seen, failed) == 50_00


def test_without_a_date_the_largest_total_wins() -> None:
    assert back(total(50_00, dated=False), total(30_00, second=1, dated=False)) == 50_00


def test_a_refund_in_another_currency_counts_nothing() -> None:
    (sale,) = group([event(paid(3), INVOICE, CHARGE), refund(30_00)])
    assert refunded(sale, gross=100_00, currency="usd") == 0


amounts = st.integers(1, 100_00)
states = st.builds(
    refund,
    amounts,
    refund_id=st.sampled_from(("r1", "r2", "r3")),
    counts=st.booleans(),
    second=st.integers(0, 3),
)
totals = st.builds(total, amounts, second=st.integers(0, 3), dated=st.booleans())
told = st.lists(st.one_of(states, totals), max_size=6, unique_by=lambda e: e.external_id)


def sale_with(events: list[Event]) -> Sale:
    messages = [event(paid(3), INVOICE, CHARGE), *events]
    (sale,) = group(sorted(messages, key=lambda e: e.order))
    return sale


@given(told, st.integers(1, 100_00))
def test_refunded_is_never_below_zero_nor_over_the_gross(events: list[Event], gross: int) -> None:
    assert 0 <= refunded(sale_with(events), gross=gross, currency="eur") <= gross


@given(told, amounts)
def test_one_more_refund_never_lowers_what_is_refunded(events: list[Event], amount: int) -> None:
    more = refund(amount, refund_id="another", second=9)
    before = refunded(sale_with(events), gross=100_00, currency="eur")
    assert refunded(sale_with([*events, more]), gross=100_00, currency="eur") >= before


@given(st.lists(states, max_size=6, unique_by=lambda e: e.external_id), amounts)
def test_a_refund_that_fails_leaves_no_trace(events: list[Event], amount: int) -> None:
    made = refund(amount, refund_id="another", second=9)
    failed = refund(amount, refund_id="another", counts=False, second=9)
    before = refunded(sale_with(events), gross=100_00, currency="eur")
    assert refunded(sale_with([*events, made, failed]), gross=100_00, currency="eur") == before


@given(st.integers(0, 10**13), st.integers(1, 10**13), st.data())
def test_reversing_grows_with_the_refund_and_ends_at_the_amount(
    amount: int, gross: int, data: st.DataObject
) -> None:
    less = data.draw(st.integers(0, gross))
    more = data.draw(st.integers(less, gross))
    assert 0 <= share(amount, less, gross) <= share(amount, more, gross) <= amount
    assert share(amount, gross, gross) == amount
    # Rounded once: never further from the exact share than half a unit.
    assert abs(2 * share(amount, less, gross) * gross - 2 * amount * less) <= gross


def test_refunds_of_two_charges_of_one_invoice_sum() -> None:
    other = "src::charge:2"
    messages = [
        event(paid(3), INVOICE, name="invoice"),
        event(Tie(), INVOICE, CHARGE, kind="tie", name="one"),
        event(Tie(), INVOICE, other, kind="tie", name="two"),
        event(RefundTotal(10_00, "eur"), CHARGE, kind="refund_total", second=1, name="t1"),
        event(RefundTotal(25_00, "eur"), other, kind="refund_total", second=2, name="t2"),
        event(Refund("r1", 10_00, "eur", counts=True), CHARGE, kind="refund", second=1, name="r1"),
    ]
    for order in permutations(messages):
        (sale,) = group(sorted(order, key=lambda e: e.order))
        assert refunded(sale, gross=100_00, currency="eur") == 35_00
        assert refunded(sale, gross=30_00, currency="eur") == 30_00


def test_a_refund_and_a_total_that_name_one_charge_differently_are_one() -> None:
    messages = [
        event(paid(3), INVOICE, name="invoice"),
        event(Tie(), INVOICE, INTENT, kind="tie", name="one"),
        event(Refund("r1", 10_00, "eur", counts=True), INTENT, kind="refund", second=1, name="r1"),
        event(RefundTotal(10_00, "eur"), CHARGE, INTENT, kind="refund_total", second=2, name="t"),
    ]
    (sale,) = group(messages)
    assert refunded(sale, gross=100_00, currency="eur") == 10_00


def test_whatever_names_two_ids_ties_them() -> None:
    unpaid = event(Named(), SESSION, INTENT, INVOICE, kind="named", name="unpaid")
    messages = [unpaid, event(paid(1), INTENT, name="intent"), event(paid(3), INVOICE, name="inv")]
    (sale,) = group(messages)
    assert sale.keys[0] == INVOICE
