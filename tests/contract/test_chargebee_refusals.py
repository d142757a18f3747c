"""What came with the right password but nobody documents: never a crash, always a place."""

from datetime import UTC, datetime
from typing import Any

import pytest

from app.conversions.providers import chargebee
from app.conversions.providers.mapping import Mapped, Meaning
from tests.contract import chargebee_objects as objects
from tests.contract.chargebee_objects import AT, Json, event
from tests.contract.meanings import refused, refused_unnamed
from tests.contract.oddities import MISSING, changed, place_named, place_path

NOW = datetime.fromtimestamp(AT, UTC)
PEOPLE: Any = {
    "customer": objects.customer(meta_data={"click_id": "AQ" * 30, "finderfee_customer_id": "u"}),
    "subscription": objects.subscription(cf_click_id="AQ" * 30, coupons=[{"coupon_id": "A"}]),
}
INVOICE = objects.invoice(discounts=[objects.coupon(set_code="ANA")])
SALE = event("payment_succeeded", invoice=INVOICE, **PEOPLE)
SAMPLES = (
    SALE,
    event("credit_note_created", credit_note=objects.credit_note()),
    event("payment_refunded", credit_note=objects.credit_note(reason="chargeback")),
    event("transaction_created", transaction=objects.transaction(kind="payment_reversal")),
    event("customer_changed", customer=PEOPLE["customer"]),
    event("subscription_created", **PEOPLE),
    event("subscription_cancelled", subscription=objects.subscription(cancelled_at=AT)),
)


def means(payload: Json) -> Meaning:
    return chargebee.read(objects.encoded(payload), live=True, received_at=NOW)


@pytest.mark.parametrize(
    ("body", "place", "problem"),
    [
        (b"", "body", "not JSON"),
        (b"\xff\xfe{}", "body", "not JSON"),
        (b"[" * 3_000 + b"]" * 3_000, "body", "not JSON"),
        (b"null", "body", "not a JSON object"),
        (b"{}", "id", "missing"),
        (b'{"id": 5}', "id", "not text"),
        (b'{"id": "ev 1"}', "id", "not an id"),
        (b'{"id": "ev_1", "id": ""}', "id", "missing"),
    ],
)
def test_body_without_an_id_is_named_by_its_digest(body: bytes, place: str, problem: str) -> None:
    meaning = chargebee.read(body, live=True, received_at=NOW)
    assert refused_unnamed(meaning, body) == (place, problem)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("event_type", MISSING),
        ("api_version", "v3"),
        ("occurred_at", MISSING),
        ("occurred_at", str(AT)),
        ("occurred_at", -1),
        ("content", MISSING),
        ("content", []),
        ("content.invoice", "1042"),
        ("content.invoice.id", MISSING),
        ("content.invoice.id", 1042),
        ("content.invoice.id", "é" * 101),
        ("content.invoice.status", 1),
        ("content.invoice.currency_code", MISSING),
        ("content.invoice.currency_code", "usd"),
        ("content.invoice.amount_paid", 12_000.0),
        ("content.invoice.amount_paid", "12000"),
        ("content.invoice.amount_paid", -1),
        ("content.invoice.amount_paid", 10**13 + 1),
        ("content.invoice.total", MISSING),
        ("content.invoice.total", 0),
        ("content.invoice.tax", 12_001),
        ("content.invoice.paid_at", "now"),
        ("content.invoice.paid_at", AT + 301),
        ("content.invoice.line_items", {}),
        ("content.invoice.line_items.0", 5),
        ("content.invoice.line_items.0.amount", MISSING),
        ("content.invoice.line_items.0.quantity", -1),
        ("content.invoice.line_items.0.entity_id", 5),
        ("content.invoice.discounts.0.entity_id", "A\0"),
        ("content.customer", []),
        ("content.customer.email", "jo\0@example.com"),
        ("content.customer.first_name", "j" * 501),
        ("content.customer.meta_data.finderfee_customer_id", [1]),
    ],
)
def test_wrong_field_is_named_by_its_place(place: str, value: object) -> None:
    meaning = means(changed(SALE, place_path(place), value))
    assert place_named(refused(meaning)[0]) == place
    assert meaning.external_id == SALE["id"]


def test_the_far_future_is_refused() -> None:
    note = objects.credit_note(version_ms=(AT + 301) * 1_000)
    place, _ = refused(means(event("credit_note_created", credit_note=note)))
    assert place == "content.credit_note.resource_version"


def test_what_we_do_not_keep_disturbs_nobody() -> None:
    thing = {**objects.invoice(), "po_number": "\0", "exchange_rate": 1e308, "notes": [[]]}
    assert isinstance(means(event("payment_succeeded", invoice=thing)), Mapped)
