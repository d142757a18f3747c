"""What Shopify's messages mean: a table, what is kept of them, and which mode they are of."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import orjson
import pytest

from app.conversions.providers.mapping import Alias, Mapped
from app.core.events import (
    Churn,
    Dispute,
    Line,
    Named,
    Payment,
    Refund,
    RefundTotal,
    Subscribed,
)
from tests.contract import shopify_objects as objects
from tests.contract.meanings import reason
from tests.contract.shopify_objects import NOW, Json, mapped, means, transaction

FIXTURES = Path(__file__).parents[3] / "shared" / "fixtures" / "shopify"
TOKEN = "AQ" * 30
SPACE = "shopify:"
KEY = (f"{SPACE}:invoice:450789469",)
BOB = Alias(SPACE, "207119551")
SOLD_AT = datetime(2026, 3, 1, 10, 59, 59, tzinfo=UTC)
NOTED = [
    {"name": "colour", "value": "green"},
    {"name": "click_id", "value": TOKEN},
    {"name": "finderfee_customer_id", "value": "u-1"},
]
SUBSCRIPTION = f"{SPACE}:subscription:593791907"


def disputed(**fields: Any) -> Dispute:
    return Dispute(
        **{
            "dispute_id": f"{SPACE}:dispute:1052608616",
            "amount": 119_00,
            "currency": "usd",
            "state": "open",
            **fields,
        }
    )


REFUNDED = Refund(f"{SPACE}:refund:509562969", 30_00, "usd", counts=True)
MEANINGS: tuple[tuple[str, Json, str, object], ...] = (
    # An order: its body says whether it is paid, whichever topic tells it.
    ("orders/paid", objects.order(), "payment", None),
    ("orders/create", objects.order(), "payment", None),
    ("orders/updated", objects.order(), "payment", None),
    ("orders/create", objects.order(financial_status="pending"), "ignored", None),
    ("orders/paid", objects.order(financial_status="authorized"), "ignored", None),
    ("orders/updated", objects.order(financial_status="partially_paid"), "ignored", None),
    ("orders/cancelled", objects.order(financial_status="voided"), "ignored", None),
    ("orders/create", objects.order(financial_status="pending", note_attributes=NOTED), "named",
     Named()),
    ("orders/create", objects.order(financial_status="pending", discount_codes=[{"code": "ANA"}]),
     "named", Named()),
    ("orders/paid", objects.order(total_price="0.00", total_tax="0.00"), "ignored", None),
    ("orders/updated", objects.order(refunds=[objects.refund()]), "refund_total",
     RefundTotal(30_00, "usd")),
    ("orders/cancelled", objects.order(financial_status="refunded",
     refunds=[objects.refund(), objects.refund(transaction("89.00"))]), "refund_total",
     RefundTotal(119_00, "usd")),
    ("orders/updated", objects.order(refunds=[objects.refund(transaction(status="pending"))]),
     "payment", None),
    # A refund: the money that went back.
    ("refunds/create", objects.refund(), "refund", REFUNDED),
    ("refunds/create", objects.refund(transaction("10.00"), transaction("20.00", id=2)), "refund",
     REFUNDED),
    ("refunds/create", objects.refund(transaction(), transaction("5.00", status="failure")),
     "refund", REFUNDED),
    ("refunds/create", objects.refund(transaction(status="pending")), "ignored", None),
    ("refunds/create", objects.refund(transaction(kind="void")), "ignored", None),
    ("refunds/create", objects.refund(transactions=[]), "ignored", None),
    # Disputes of Shopify Payments.
    ("disputes/create", objects.dispute(), "dispute", disputed()),
    ("disputes/update", objects.dispute(status="under_review"), "dispute", disputed()),
    ("disputes/update", objects.dispute(status="won"), "dispute", disputed(state="won")),
    ("disputes/update", objects.dispute(status="charge_refunded"), "dispute",
     disputed(state="won")),
    ("disputes/update", objects.dispute(status="lost"), "dispute", disputed(state="lost")),
    ("disputes/update", objects.dispute(status="accepted", amount="50"), "dispute",
     disputed(state="lost", amount=50_00)),
    ("disputes/create", objects.dispute(type="inquiry"), "ignored", None),
    ("disputes/create", objects.dispute(order_id=None), "ignored", None),
    # Subscriptions, and what they bill.
    ("subscription_contracts/create", objects.contract(), "subscribed", Subscribed(SUBSCRIPTION)),
    ("subscription_contracts/create", objects.contract(origin_order_id=None), "ignored", None),
    ("subscription_contracts/update", objects.contract(status="cancelled"), "churn",
     Churn(SUBSCRIPTION)),
    ("subscription_contracts/update", objects.contract(status="expired"), "churn",
     Churn(SUBSCRIPTION)),
    ("subscription_contracts/update", objects.contract(status="paused"), "subscribed",
     Subscribed(SUBSCRIPTION)),
    ("subscription_billing_attempts/success", objects.billing(), "subscribed",
     Subscribed(SUBSCRIPTION)),
    ("subscription_billing_attempts/success", objects.billing(order_id=None), "ignored", None),
    # Customers.
    ("customers/update", objects.customer(), "ignored", None),
    ("customers/create", objects.customer(metafields=[{"key": "click_id", "value": TOKEN}]),
     "named", Named()),
    # What every app must subscribe to, and what we know nothing of.
    ("customers/redact", {"shop_id": 1, "customer": {"id": 1}}, "ignored", None),
    ("customers/data_request", {"shop_id": 1}, "ignored", None),
    ("shop/redact", {"shop_id": 1}, "ignored", None),
    ("app/uninstalled", {}, "ignored", None),
    ("orders/fulfilled", objects.order(), "ignored", None),
    ("subscription_billing_attempts/failure", objects.billing(), "ignored", None),
)  # fmt: skip


@pytest.mark.parametrize(("topic", "payload", "kind", "body"), MEANINGS)
def test_a_message_means(topic: str, payload: Json, kind: str, body: object) -> None:
    meaning = means(topic, payload)
    assert meaning.type == topic
    if kind == "ignored":
        assert reason(meaning) == "event_ignored"
        return
    assert isinstance(meaning, Mapped), meaning
    assert meaning.kind == kind
    assert body is None or meaning.body == body


def test_a_paid_order_is_a_sale() -> None:
    order = objects.order(
        note_attributes=NOTED,
        discount_codes=[{"code": "ana-10", "amount": "10.00"}, {"code": "ANA"}],
        landing_site=f"/shoes?x=1&click_id={'BQ' * 30}&y=2",
    )
    assert mapped("orders/paid", order) == Mapped(
        external_id="2026-03-01T11:00:02Z:orders/paid:e-1",
        kind="payment",
        occurred_at=SOLD_AT,
        body=Payment(
            authority=3,
            gross=119_00,
            base=100_00,
            currency="usd",
            lines=(Line("632910392", 100_00, 1),),
        ),
        click_ids=("BQ" * 30, TOKEN),
        codes=("ana-10", "ANA"),
        payments=KEY,
        country="DE",
        contact=mapped("orders/paid", order).contact,
        type="orders/paid",
    )
    contact = mapped("orders/paid", order).contact
    assert contact.aliases == (BOB, Alias("own", "u-1"))
    assert (contact.email, contact.name) == ("bob@example.com", "Bob Norman")


def test_a_code_counts_when_it_was_used_not_when_the_order_was_refunded() -> None:
    coded = objects.order(discount_codes=[{"code": "ANA"}], note_attributes=NOTED)
    told = mapped("orders/updated", {**coded, "refunds": [objects.refund()]})
    assert (told.codes, told.click_ids) == ((), (TOKEN,))


def test_a_guest_is_known_by_the_order_alone() -> None:
    guest = mapped("orders/paid", objects.order(customer=None, email="", contact_email=None))
    assert guest.contact.aliases == (Alias(SPACE, "order-450789469"),)
    assert (guest.contact.email, guest.contact.name) == ("", "")


def test_states_of_one_order_are_told_apart_by_their_time() -> None:
    earlier = mapped("orders/updated", objects.order(updated_at="2026-03-01T11:59:58+01:00"))
    later = mapped("orders/paid", objects.order())
    assert earlier.occurred_at == later.occurred_at == SOLD_AT
    assert earlier.external_id < later.external_id


@pytest.mark.parametrize(
    ("topic", "payload", "sent", "tested"),
    [
        ("orders/paid", objects.order(test=True), {}, True),
        ("orders/paid", objects.order(), {}, False),
        ("orders/paid", objects.order(), {"X-Shopify-Test": "true"}, True),
        ("refunds/create", objects.refund(transaction(test=True)), {}, True),
        ("refunds/create", objects.refund(), {}, False),
        ("disputes/create", objects.dispute(), {}, None),
        ("disputes/create", objects.dispute(), {"X-Shopify-Test": "true"}, True),
        ("disputes/create", objects.dispute(), {"X-Shopify-Test": "false"}, None),
    ],
)
def test_tests_are_kept_apart(
    topic: str, payload: Json, sent: dict[str, str], tested: Literal[True, False] | None
) -> None:
    """What doesn't say what it is of is taken by both: it says something of a known order only."""
    for live in (True, False):
        meaning = means(topic, payload, live=live, sent=objects.headers(topic, more=sent))
        taken = tested is None or tested != live
        assert isinstance(meaning, Mapped) == taken
        assert taken or reason(meaning) == "other_mode"


def test_an_event_is_named_by_its_headers() -> None:
    plain = objects.headers("refunds/create")
    delivered = {n: t for n, t in plain.items() if n != "X-Shopify-Event-Id"}
    bare = {n: t for n, t in delivered.items() if n != "X-Shopify-Webhook-Id"}
    ids = [means("", objects.refund(), sent=sent).external_id for sent in (plain, delivered, bare)]
    assert ids[:2] == ["refunds/create:e-1", "refunds/create:delivery-of-e-1"]
    assert ids[2].startswith("sha256:")


def test_what_bears_no_time_is_dated_by_shopify_s_clock() -> None:
    at = NOW.replace(microsecond=123456)
    for topic, payload in (
        ("disputes/create", objects.dispute()),
        ("subscription_contracts/create", objects.contract()),
    ):
        assert mapped(topic, payload).occurred_at == at


def test_the_shop_s_domain_makes_no_other_sale() -> None:
    """It stands in a header, which nobody signs, and a shop may take another one."""
    paid = objects.headers("orders/paid")
    moved = {**paid, "X-Shopify-Shop-Domain": "other.myshopify.com"}
    first, again = (means("orders/paid", objects.order(), sent=sent) for sent in (paid, moved))
    assert isinstance(first, Mapped)
    assert (again, first.payments) == (first, KEY)


@pytest.mark.skipif(not FIXTURES.is_dir(), reason="the published fixtures are not here")
@pytest.mark.parametrize(
    ("name", "topic", "fields", "kind", "body"),
    [
        # Authorized only; it has a code on it.
        ("order", "orders/paid", {}, "named", Named()),
        # 409.94 less 11.94 of tax, over three lines of 199.00.
        ("order", "orders/paid", {"financial_status": "paid"}, "payment", Payment(
            3, 409_94, 398_00, "usd", quantity=3,
            lines=tuple(Line("632910392", part, 1) for part in (132_67, 132_67, 132_66)))),
        ("refund", "refunds/create", {}, "refund", replace(REFUNDED, amount=209_00)),
        ("dispute", "disputes/update", {}, "ignored", None),
        ("dispute", "disputes/update", {"order_id": 450789469}, "dispute",
         disputed(amount=100_00, state="won")),
        ("transaction", "order_transactions/create", {}, "ignored", None),
        ("discount_codes", "discounts/create", {}, "ignored", None),
    ],
)  # fmt: skip
def test_published_payloads_mean(
    name: str, topic: str, fields: Json, kind: str, body: object
) -> None:
    published = orjson.loads((FIXTURES / f"{name}.json").read_bytes())[name]
    payload = {**published, **fields} if isinstance(published, dict) else {"list": published}
    meaning = means(topic, payload)
    if kind == "ignored":
        assert reason(meaning) == "event_ignored"
        return
    assert isinstance(meaning, Mapped), meaning
    assert (meaning.kind, meaning.body) == (kind, body)
    assert meaning.codes == (("TENOFF",) if name == "order" else ())


@pytest.mark.skipif(not FIXTURES.is_dir(), reason="the published fixtures are not here")
def test_no_published_payload_is_left_out() -> None:
    told = {"order", "refund", "dispute", "transaction", "discount_codes"}
    assert {path.stem for path in FIXTURES.glob("*.json")} == told
