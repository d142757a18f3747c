"""What each Paddle notification means: sales, credits, refunds, disputes, people, who leaves."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from app.conversions.providers.mapping import (
    Alias,
    Contact,
    Ignored,
    Mapped,
    fingerprint,
)
from app.core.events import Body, Churn, Dispute, Line, Named, Payment, Refund, Tie
from tests.contract import paddle_objects as objects
from tests.contract.paddle_objects import NOW, notification
from tests.contract.paddle_reading import mapped, means

TOKEN = "AQ" * 30
CTM, OWN = Alias("paddle:", "ctm_1"), Alias("own", "u-1")
INVOICE, SUBSCRIPTION = "paddle::invoice:txn_1", "paddle::subscription:sub_1"


def completed(*, with_tax: bool = False, **fields: Any) -> Payment:
    sold = notification("transaction.completed", objects.transaction(**fields))
    body = mapped(sold, with_tax=with_tax).body
    assert isinstance(body, Payment), body
    return body


def adjusted(kind: str = "adjustment.created", **fields: Any) -> Body | None:
    meaning = means(notification(kind, objects.adjustment(**fields)))
    if isinstance(meaning, Mapped):
        assert meaning.payments == (INVOICE,)
        assert meaning.contact == Contact((CTM,))
        return meaning.body
    assert isinstance(meaning, Ignored)
    return None


def test_a_completed_transaction_is_the_sale() -> None:
    custom = {"click_id": TOKEN, "finderfee_customer_id": "u-1", "plan": ["any", 1]}
    thing = objects.transaction(custom_data=custom, discount="dsc_1")
    got = mapped(notification("transaction.completed", thing, at=NOW + timedelta(seconds=3)))
    assert got.body == Payment(
        authority=3,
        gross=12_000,
        base=10_000,
        currency="usd",
        lines=(Line("pro_team", 10_000, 1),),
        subscription=SUBSCRIPTION,
    )
    assert (got.payments, got.click_ids) == ((INVOICE,), (TOKEN,))
    assert got.contact == Contact((CTM, OWN))
    assert got.codes == ("paddle:dsc_1",)
    assert got.occurred_at == NOW


def test_a_paid_transaction_is_the_same_sale_and_its_figures_yield() -> None:
    thing = objects.transaction(subscription=None, status="paid")
    early = mapped(notification("transaction.paid", thing))
    late = mapped(notification("transaction.completed", objects.transaction()))
    assert (early.payments, early.occurred_at) == (late.payments, late.occurred_at)
    assert isinstance(early.body, Payment)
    assert isinstance(late.body, Payment)
    assert early.body.authority < late.body.authority


@pytest.mark.parametrize(
    ("total", "tax", "credit", "base"),
    [
        (12_000, 2_000, 0, 10_000),
        (12_000, 2_000, 9_000, 2_500),  # Paddle's own example: grand_total_tax is 500
        (12_000, 0, 0, 12_000),
        (3, 1, 2, 1),  # 0.67
        (4, 2, 3, 0),  # 0.5 goes to even
        (100, 100, 0, 0),
        (10**13, 1, 0, 10**13 - 1),
    ],
)
def test_base_is_the_untaxed_part_of_what_was_paid(
    total: int, tax: int, credit: int, base: int
) -> None:
    sold: Any = {"total": total, "tax": tax, "credit": credit, "lines": [objects.line(10, 2)]}
    got = completed(**sold)
    assert (got.gross, got.base) == (total - credit, base)
    assert sum(part.amount for part in got.lines) == base
    assert completed(**sold, with_tax=True).base == total - credit


def test_an_older_transaction_without_a_grand_total_says_the_same() -> None:
    thing = objects.transaction(credit=9_000)
    del thing["details"]["totals"]["grand_total"]
    body = mapped(notification("transaction.completed", thing)).body
    assert body == completed(credit=9_000)


def test_lines_share_the_base_by_what_they_cost_after_discounts() -> None:
    lines = [
        objects.line(9_600, 1_600, product="pro_team", quantity=10, discount=2_000),
        objects.line(2_400, 400, product="pro_help"),
    ]
    got = completed(lines=lines, credit=6_000)
    assert got.lines == (Line("pro_team", 4_000, 10), Line("pro_help", 1_000, 1))
    assert (got.base, got.quantity, got.lines_complete) == (5_000, 11, True)
    assert completed(lines=[]).lines_complete is False


@pytest.mark.parametrize(("currency", "amount"), [("JPY", 12_000), ("KRW", 12_000), ("VND", 9)])
def test_currencies_without_minor_units_are_counted_whole(currency: str, amount: int) -> None:
    got = completed(currency=currency, total=amount, tax=0)
    assert (got.currency, got.gross) == (currency.lower(), amount)


def test_a_trial_or_a_sale_out_of_credits_is_no_sale_but_keeps_its_touch() -> None:
    custom = {"click_id": TOKEN}
    nothing: tuple[Any, ...] = ({"total": 0, "tax": 0}, {"credit": 12_000})
    for fields in nothing:
        thing = objects.transaction(custom_data=custom, discount="dsc_1", **fields)
        got = mapped(notification("transaction.completed", thing))
        assert (got.kind, got.body, got.payments) == ("tie", Tie(), (INVOICE,))
        assert (got.click_ids, got.codes) == ((TOKEN,), ("paddle:dsc_1",))


def test_a_sale_is_dated_by_its_last_capture() -> None:
    """An invoice is billed weeks before its money comes."""
    thing = objects.transaction()
    week = timedelta(days=7)
    thing["billed_at"] = objects.stamp(NOW - week)
    assert mapped(notification("transaction.completed", thing)).occurred_at == NOW
    voided = {"status": "canceled", "captured_at": objects.stamp(NOW + timedelta(minutes=1))}
    thing["payments"].append(voided)
    assert mapped(notification("transaction.completed", thing)).occurred_at == NOW
    thing["payments"] = [voided]
    assert mapped(notification("transaction.completed", thing)).occurred_at == NOW - week
    thing["billed_at"] = None
    sold = notification("transaction.completed", thing, at=NOW - timedelta(hours=1))
    assert mapped(sold).occurred_at == NOW - timedelta(hours=1)


def test_a_transaction_without_customer_is_keyed_by_itself() -> None:
    sold = notification("transaction.completed", objects.transaction(customer=None))
    assert mapped(sold).contact.aliases == (Alias("paddle:", "txn_1"),)


REFUND = Refund("paddle::adjustment:adj_1", 3_000, "usd", counts=True)
OPEN = Dispute("paddle::dispute:txn_1", 3_000, "usd", "open")
LOST, WON = replace(OPEN, state="lost"), replace(OPEN, state="won")
PENDING = Refund("paddle::adjustment:adj_1", 3_000, "usd", counts=False)


@pytest.mark.parametrize(
    ("action", "status", "body"),
    [
        ("refund", "pending_approval", PENDING),
        ("refund", "approved", REFUND),
        ("refund", "rejected", PENDING),
        ("credit", "approved", None),
        ("credit_reverse", "approved", None),
        ("chargeback_warning", "approved", None),
        ("chargeback_warning_reverse", "approved", None),
        ("chargeback", "approved", LOST),
        ("chargeback", "pending_approval", OPEN),
        ("chargeback", "reversed", WON),
        ("chargeback_reverse", "approved", WON),
        ("chargeback_reverse", "rejected", None),
        ("tax_holiday", "approved", None),
    ],
)
def test_an_adjustment_means_what_its_action_and_status_say(
    action: str, status: str, body: Body | None
) -> None:
    for kind in ("adjustment.created", "adjustment.updated"):
        assert adjusted(kind, action=action, status=status) == body


def test_a_refund_of_tax_alone_takes_nothing_back_unless_tax_earns() -> None:
    thing = objects.adjustment(total=2_000)
    thing["totals"] |= {"subtotal": "0", "tax": "2000"}
    told = notification("adjustment.created", thing)
    assert isinstance(means(told), Ignored)
    body = mapped(told, with_tax=True).body
    assert body == replace(REFUND, amount=2_000)


def test_refunds_are_dated_by_their_event() -> None:
    told = notification("adjustment.updated", objects.adjustment(), at=NOW - timedelta(hours=1))
    assert mapped(told).occurred_at == NOW - timedelta(hours=1)


def test_people_are_named_by_the_messages_that_know_them() -> None:
    got = mapped(notification("customer.created", objects.customer(custom_data={"click_id": "x"})))
    assert (got.kind, got.body, got.click_ids) == ("named", Named(), ("x",))
    assert got.contact == Contact((CTM,), email="jo@example.com", name="Jo Brown")
    assert mapped(notification("customer.updated", objects.customer())).contact == got.contact
    where = mapped(notification("address.created", objects.address("DE")))
    assert (where.country, where.contact) == ("DE", Contact((CTM,)))
    for country in (None, "XX", "de"):
        assert isinstance(means(notification("address.updated", objects.address(country))), Ignored)


def test_a_subscription_tells_its_touch_and_its_end() -> None:
    plain = notification("subscription.updated", objects.subscription())
    assert isinstance(means(plain), Ignored)
    custom = {"click_id": TOKEN, "finderfee_customer_id": "u-1"}
    thing = objects.subscription(custom_data=custom, status="trialing", discount="dsc_1")
    got = mapped(notification("subscription.created", thing))
    assert (got.kind, got.click_ids, got.codes) == ("named", (TOKEN,), ("paddle:dsc_1",))
    assert got.contact == Contact((CTM, OWN))
    ended = objects.subscription(status="canceled", canceled_at=NOW - timedelta(days=1))
    gone = mapped(notification("subscription.canceled", ended))
    assert (gone.body, gone.occurred_at) == (Churn(SUBSCRIPTION), NOW - timedelta(days=1))
    assert gone.contact == Contact((CTM,))


@pytest.mark.parametrize(
    ("custom", "clicks", "owns"),
    [
        (None, (), ()),
        ([{"click_id": TOKEN}], (), ()),
        ("click_id", (), ()),
        ({"click_id": 5}, ("not-text",), ()),
        ({"finderfee_customer_id": 17}, (), ("17",)),
        ({"finderfee_customer_id": ""}, (), ()),
        ({"utm": {"click_id": TOKEN}}, (), ()),
    ],
)
def test_custom_data_may_be_anything(custom: Any, clicks: Any, owns: Any) -> None:
    got = mapped(notification("transaction.completed", objects.transaction(custom_data=custom)))
    assert got.click_ids == clicks
    assert got.contact.aliases[1:] == tuple(Alias("own", own) for own in owns)


def test_what_the_simulator_sends_counts_in_no_live_workspace() -> None:
    sold = notification("transaction.completed", objects.transaction())
    for simulated in ({"event_id": "ntfsimevt_1"}, {"notification_id": "ntfsimntf_1"}):
        meaning = means(sold | simulated)
        assert isinstance(meaning, Ignored)
        assert meaning.reason.code == "other_mode"
        assert isinstance(means(sold | simulated, live=False), Mapped)


def test_the_same_event_is_the_same_whatever_notification_brings_it() -> None:
    sold = notification("transaction.completed", objects.transaction(), id="evt_1")
    again = sold | {"notification_id": "ntf_2"}
    assert fingerprint(means(again)) == fingerprint(means(sold))
    other = notification("transaction.completed", objects.transaction(total=12_001), id="evt_1")
    assert fingerprint(means(other)) != fingerprint(means(sold))
