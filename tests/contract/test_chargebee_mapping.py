"""What each Chargebee event means: invoices once paid, credit notes, bounces, people."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.conversions.providers import chargebee
from app.conversions.providers.mapping import (
    Alias,
    Contact,
    Ignored,
    Mapped,
    Meaning,
    Senseless,
    fingerprint,
)
from app.core.events import Body, Churn, Dispute, Line, Payment, Refund, Tie
from tests.contract import chargebee_objects as objects
from tests.contract.chargebee_objects import AT, Json, event

NOW = datetime.fromtimestamp(AT, UTC)
TOKEN = "AQ" * 30
CUST, OWN = Alias("chargebee:", "cust_1"), Alias("own", "u-1")
JO = Contact((CUST,), email="jo@example.com", name="Jo Brown")
INVOICE, SUBSCRIPTION = "chargebee::invoice:1042", "chargebee::subscription:sub_1"
SALES = ("payment_succeeded", "invoice_generated", "invoice_updated")
NOTES = ("credit_note_created", "credit_note_updated", "payment_refunded")


def means(payload: Json, *, live: bool = True, with_tax: bool = False) -> Meaning:
    body = objects.encoded(payload)
    return chargebee.read(body, live=live, received_at=NOW, with_tax=with_tax)


def mapped(payload: Json, *, with_tax: bool = False) -> Mapped:
    meaning = means(payload, with_tax=with_tax)
    assert isinstance(meaning, Mapped), meaning
    return meaning


def paid(*, with_tax: bool = False, **fields: Any) -> Payment:
    sold = event("payment_succeeded", invoice=objects.invoice(**fields))
    body = mapped(sold, with_tax=with_tax).body
    assert isinstance(body, Payment), body
    return body


def noted(event_type: str, **fields: Any) -> Body | None:
    meaning = means(event(event_type, credit_note=objects.credit_note(**fields)))
    if isinstance(meaning, Mapped):
        assert meaning.payments == (INVOICE,)
        return meaning.body
    assert isinstance(meaning, Ignored)
    return None


@pytest.mark.parametrize("kind", SALES)
def test_a_paid_invoice_is_a_sale_whichever_event_tells_it(kind: str) -> None:
    customer = objects.customer(meta_data={"click_id": TOKEN}, cf_finderfee_customer_id="u-1")
    thing = objects.invoice(paid_at=AT - 5)
    got = mapped(event(kind, invoice=thing, customer=customer))
    assert got.body == Payment(
        authority=3,
        gross=12_000,
        base=10_000,
        currency="usd",
        lines=(Line("team-USD-monthly", 10_000, 1),),
        subscription=SUBSCRIPTION,
    )
    assert (got.payments, got.click_ids, got.country) == ((INVOICE,), (TOKEN,), "DE")
    assert got.contact == replace(JO, aliases=(CUST, OWN))
    assert got.occurred_at == NOW - timedelta(seconds=5)


@pytest.mark.parametrize("status", ["posted", "payment_due", "not_paid", "voided", "pending"])
def test_an_unpaid_invoice_is_nothing(status: str) -> None:
    thing = objects.invoice(status=status, amount_paid=6_000)
    for kind in SALES:
        assert isinstance(means(event(kind, invoice=thing)), Ignored)
    assert isinstance(means(event("payment_succeeded", transaction=objects.transaction())), Ignored)


@pytest.mark.parametrize(
    ("amount_paid", "total", "tax", "base"),
    [
        (12_000, 12_000, 2_000, 10_000),
        (6_000, 12_000, 2_000, 5_000),  # the rest came from credits
        (12_000, 12_000, 0, 12_000),
        (1, 3, 1, 1),  # 0.67
        (1, 4, 2, 0),  # 0.5 goes to even
        (100, 100, 100, 0),
    ],
)
def test_base_is_the_untaxed_part_of_what_was_paid(
    amount_paid: int, total: int, tax: int, base: int
) -> None:
    fields: Any = {"amount_paid": amount_paid, "total": total, "tax": tax}
    got = paid(**fields)
    assert (got.gross, got.base) == (amount_paid, base)
    assert sum(part.amount for part in got.lines) == base
    assert paid(**fields, with_tax=True).base == amount_paid


def test_lines_share_the_base_by_what_they_cost_after_discounts() -> None:
    lines = [
        objects.line(9_000, product="team", quantity=10, discount=1_000),
        objects.line(2_000, product="help"),
        objects.line(-1_000, product="team"),
    ]
    got = paid(lines=lines, total=10_800, tax=1_800, amount_paid=10_800)
    assert [(part.product_id, part.amount) for part in got.lines] == [
        ("team", 8_000),
        ("help", 2_000),
        ("team", -1_000),
    ]
    assert (got.base, got.quantity, got.lines_complete) == (9_000, 11, True)


def test_lines_that_include_their_tax_are_weighed_without_it() -> None:
    lines = [
        objects.line(6_000, product="team", tax=1_000),
        objects.line(5_000, product="book"),
    ]
    got = paid(lines=lines, total=11_000, tax=1_000, amount_paid=11_000, price_type="tax_inclusive")
    assert [part.amount for part in got.lines] == [5_000, 5_000]


def test_a_long_invoice_is_decided_on_its_total() -> None:
    thing = {**objects.invoice(), "line_items_next_offset": "300"}
    body = mapped(event("invoice_updated", invoice=thing)).body
    assert isinstance(body, Payment)
    assert (body.lines, body.lines_complete, body.base) == ((), False, 10_000)


@pytest.mark.parametrize(
    ("currency", "gross"), [("USD", 12_000), ("JPY", 12_000), ("KRW", 12_000), ("KWD", 120_000)]
)
def test_amounts_are_brought_to_iso_minor_units(currency: str, gross: int) -> None:
    """Chargebee has two decimals for every currency that has any."""
    got = paid(currency=currency)
    assert (got.currency, got.gross, got.base) == (currency.lower(), gross, gross * 10 // 12)


def test_nothing_collected_is_no_sale_but_keeps_its_touch() -> None:
    customer = objects.customer(cf_click_id=TOKEN)
    for total in (0, 12_000):
        thing = objects.invoice(total=total, tax=0, amount_paid=0, discounts=[objects.coupon()])
        got = mapped(event("invoice_generated", invoice=thing, customer=customer))
        assert (got.kind, got.body, got.click_ids) == ("tie", Tie(), (TOKEN,))
        assert got.codes == ("SPRING", "chargebee:SPRING")


def test_a_consolidated_invoice_has_the_subscription_that_all_its_lines_have() -> None:
    one = [objects.line(), objects.line()]
    two = [objects.line(), objects.line(subscription="sub_2")]
    assert paid(subscription=None, lines=one).subscription == SUBSCRIPTION
    assert paid(subscription=None, lines=two).subscription == ""


def test_coupons_are_codes_by_id_and_as_typed() -> None:
    credits_ = {"entity_type": "prorated_credits", "entity_id": "x", "amount": 5}
    discounts = [objects.coupon(), objects.coupon("PARTNERS", set_code="ANA-10"), credits_]
    thing = objects.invoice(discounts=discounts)
    codes = ("SPRING", "chargebee:SPRING", "ANA-10", "chargebee:PARTNERS")
    assert mapped(event("payment_succeeded", invoice=thing)).codes == codes
    coupons = [{"coupon_id": "PARTNERS", "coupon_code": "ANA-10"}]
    trial = objects.subscription(status="in_trial", coupons=coupons, coupon="SPRING")
    got = mapped(event("subscription_created", subscription=trial))
    assert set(got.codes) == set(codes)


REFUND = Refund("chargebee::credit_note:CN-1", 3_000, "usd", counts=True)
LOST = Dispute("chargebee::credit_note:CN-1", 3_000, "usd", "lost")


@pytest.mark.parametrize(
    ("fields", "body"),
    [
        ({}, REFUND),
        ({"amount_refunded": 0, "status": "refund_due"}, replace(REFUND, amount=0)),
        ({"amount_refunded": 1_000, "status": "refund_due"}, replace(REFUND, amount=1_000)),
        ({"status": "voided"}, replace(REFUND, counts=False)),
        ({"currency": "KWD"}, replace(REFUND, amount=30_000, currency="kwd")),
        ({"kind": "adjustment", "status": "adjusted"}, None),
        ({"kind": "store"}, None),
        ({"invoice": None}, None),
        ({"reason": "chargeback"}, LOST),
        ({"reason": "chargeback", "amount_refunded": 0}, LOST),
        ({"reason": "chargeback", "status": "voided"}, replace(LOST, state="won")),
    ],
)
@pytest.mark.parametrize("kind", NOTES)
def test_a_credit_note_means_what_went_back(kind: str, fields: Any, body: Body | None) -> None:
    assert noted(kind, **fields) == body


def test_a_deleted_note_counts_no_more() -> None:
    thing = {**objects.credit_note(), "deleted": True}
    body = mapped(event("credit_note_deleted", credit_note=thing)).body
    assert body == replace(REFUND, counts=False)


def test_two_states_of_one_second_keep_their_order() -> None:
    """Events have seconds; a note's version has milliseconds."""
    made = objects.credit_note(amount_refunded=0, version_ms=AT * 1_000 + 1)
    refunded = objects.credit_note(version_ms=AT * 1_000 + 250)
    first = mapped(event("credit_note_created", credit_note=made))
    second = mapped(event("payment_refunded", credit_note=refunded))
    assert second.occurred_at - first.occurred_at == timedelta(milliseconds=249)
    plain = objects.credit_note(version_ms=None)
    assert mapped(event("credit_note_created", credit_note=plain, at=AT - 9)).occurred_at == (
        NOW - timedelta(seconds=9)
    )


@pytest.mark.parametrize("kind", ["transaction_created", "transaction_updated"])
def test_a_bounced_payment_gives_its_invoice_s_money_back(kind: str) -> None:
    thing = objects.transaction(kind="payment_reversal")
    got = mapped(event(kind, transaction=thing))
    assert got.body == Refund("chargebee::transaction:txn_1", 12_000, "usd", counts=True)
    assert got.payments == (INVOICE,)
    for other in (
        objects.transaction(),
        objects.transaction(kind="refund"),
        objects.transaction(kind="payment_reversal", status="in_progress"),
        objects.transaction(kind="payment_reversal", invoices=()),
        objects.transaction(kind="payment_reversal", invoices=("1", "2")),
    ):
        assert isinstance(means(event(kind, transaction=other)), Ignored)


@pytest.mark.parametrize(
    ("customer", "subscription", "clicks", "owns"),
    [
        ({"meta_data": {"click_id": TOKEN, "finderfee_customer_id": 17}}, {}, (TOKEN,), ("17",)),
        ({"cf_click_id": TOKEN, "cf_finderfee_customer_id": "u-1"}, {}, (TOKEN,), ("u-1",)),
        ({}, {"cf_click_id": TOKEN}, (TOKEN,), ()),
        ({"cf_click_id": "a"}, {"meta_data": {"click_id": "b"}}, ("a", "b"), ()),
        ({"meta_data": "text", "cf_click_id": ""}, {"meta_data": [TOKEN]}, (), ()),
        ({"cf_click_id": 5}, {}, ("not-text",), ()),
    ],
)
def test_touches_ride_in_metadata_and_custom_fields(
    customer: Json, subscription: Json, clicks: Any, owns: Any
) -> None:
    content: Any = {
        "customer": objects.customer(**customer),
        "subscription": objects.subscription(**subscription),
    }
    got = mapped(event("payment_succeeded", invoice=objects.invoice(), **content))
    assert got.click_ids == clicks
    assert got.contact.aliases == (CUST, *(Alias("own", own) for own in owns))
    for kind in ("subscription_created", "subscription_activated", "customer_changed"):
        named = means(event(kind, **content))
        assert isinstance(named, Mapped if clicks or owns else Ignored)


def test_a_cancelled_subscription_is_churn_when_it_ended() -> None:
    thing = objects.subscription(status="cancelled", cancelled_at=AT - 86_400)
    content: Any = {"subscription": thing, "customer": objects.customer()}
    got = mapped(event("subscription_cancelled", **content))
    assert (got.body, got.contact) == (Churn(SUBSCRIPTION), JO)
    assert (got.occurred_at, got.country) == (NOW - timedelta(days=1), "FR")


def test_merchants_choose_ids_so_any_text_is_one() -> None:
    thing = objects.invoice("INV 7:ä", customer="jo@example.com")
    got = mapped(event("payment_succeeded", invoice=thing))
    assert got.payments == ("chargebee::invoice:INV%207%3A%C3%A4",)
    assert got.contact.aliases == (Alias("chargebee:", "jo@example.com"),)


def test_test_sites_count_in_no_live_workspace() -> None:
    sold = event("payment_succeeded", invoice=objects.invoice())
    for told in ({"site_id": "acme-test"}, {"site": "acme-test"}, {"id": "ev___test__5SK0bLNF"}):
        meaning = means(sold | told)
        assert isinstance(meaning, Ignored)
        assert meaning.reason.code == "other_mode"
        assert isinstance(means(sold | told, live=False), Mapped)
    assert isinstance(means(sold | {"site_id": "acme"}), Mapped)


def test_another_api_version_is_told_and_unknown_types_are_kept() -> None:
    old = event("payment_succeeded", invoice=objects.invoice()) | {"api_version": "v1"}
    meaning = means(old)
    assert isinstance(meaning, Senseless)
    assert meaning.reason.params["place"] == "api_version"
    assert isinstance(means(event("quote_created", quote={"id": "1"})), Ignored)


def test_the_same_event_is_the_same_whatever_its_delivery_says() -> None:
    sold = event("payment_succeeded", invoice=objects.invoice(), id="ev_1")
    again = sold | {"webhook_status": "re_scheduled"}
    assert fingerprint(means(again)) == fingerprint(means(sold))
    other = event("payment_succeeded", invoice=objects.invoice(amount_paid=9), id="ev_1")
    assert fingerprint(means(other)) != fingerprint(means(sold))
