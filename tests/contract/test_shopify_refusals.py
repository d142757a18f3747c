"""What Shopify signed but nobody documents: never a crash, always a place and a problem."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.conversions.providers import shopify
from app.conversions.providers.mapping import Senseless
from app.conversions.providers.registry import PROVIDERS
from tests.contract import shopify_objects as objects
from tests.contract.meanings import reason
from tests.contract.oddities import sound
from tests.contract.shopify_objects import NOW, Json, line, means, sets, transaction

NOTED = [{"name": "click_id", "value": "AQ" * 30}, {"name": "finderfee_customer_id", "value": "u"}]
SAMPLES: tuple[tuple[str, Json], ...] = (
    ("orders/paid", objects.order(
        note_attributes=NOTED,
        discount_codes=[{"code": "ANA"}],
        line_items=[line(1, "20.00", discount_allocations=[{"amount": "5.00"}]), line(2)],
        refunds=[],
    )),
    ("orders/paid", objects.order(
        total_price_set=sets("119.00", "100.50", "EUR"),
        total_tax_set=sets("19.00", "16.05", "EUR"),
        line_items=[line(price_set=sets("119.00", "100.50", "EUR"))],
    )),
    ("orders/updated", objects.order(refunds=[objects.refund()])),
    ("refunds/create", objects.refund()),
    ("disputes/create", objects.dispute()),
    ("subscription_contracts/update", objects.contract(status="cancelled")),
    ("subscription_billing_attempts/success", objects.billing()),
    ("customers/update", objects.customer(metafields=[{"key": "click_id", "value": "AQ" * 30}])),
)  # fmt: skip


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (b"", "body: not JSON"),
        (b"\xff\xfe{}", "body: not JSON"),
        (b'{"id": NaN}', "body: not JSON"),
        (b"[" * 3_000 + b"]" * 3_000, "body: not JSON"),
        (b"[]", "body: not a JSON object"),
        (b"{}", "id: missing"),
        (b'{"id": 1, "id": 1.0}', "id: not a whole number"),
        (b'{"id": 123456789012345678901234567890}', "id: not a whole number"),
        (b'{"id": -1}', "id: not a whole number"),
        (b'{"id": true}', "id: not a whole number"),
        ('{"id": "\u0661"}'.encode(), "id: not a whole number"),
        (b'{"id": 1}', "currency: missing"),
    ],
)
def test_a_body_that_is_no_order_is_kept_dead(body: bytes, place: str) -> None:
    meaning = means("orders/paid", body)
    assert isinstance(meaning, Senseless)
    assert reason(meaning) == place
    assert meaning.external_id == "orders/paid:e-1"


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"currency": "XXX"}, "currency: not a currency that we know"),
        ({"currency": "usd"}, "currency: not a currency that we know"),
        ({"total_price": 119.0}, "total_price: not a decimal number in text"),
        ({"total_price": "1e3"}, "total_price: not a decimal number in text"),
        ({"total_price": "119,00"}, "total_price: not a decimal number in text"),
        ({"total_price": "119.001"}, "total_price: a fraction of the smallest unit of usd"),
        ({"total_price": "-1.00"}, "total_price: not between 0 and 10000000000000 minor units"),
        ({"total_price": "100000000000.01"},
         "total_price: not between 0 and 10000000000000 minor units"),
        ({"total_tax": "119.01"}, "total_tax: not between 0 and 10000000000000 minor units"),
        ({"processed_at": "2026-03-01"}, "processed_at: not an RFC 3339 time"),
        ({"processed_at": "0001-01-01T00:00:00Z"}, "processed_at: not an RFC 3339 time"),
        ({"processed_at": "2026-03-01T12:05:01Z"},
         "processed_at: more than 5 minutes in the future"),
        ({"processed_at": None, "created_at": None}, "processed_at: missing"),
        ({"line_items": {}}, "line_items: not a list"),
        ({"line_items": [1]}, "line_items[0]: not an object"),
        ({"line_items": [line(quantity=-1)]},
         "line_items[0].quantity: not between 0 and 10000000000000"),
        ({"discount_codes": [{"code": "\0"}]},
         "discount_codes[0].code: contains a NUL character"),
        ({"email": "\0"}, "email: contains a NUL character"),
        ({"total_price_set": sets("1", "1.00", "EUR")}, "total_tax_set: missing"),
        ({"total_price_set": sets("1", "1.00", "EUR"), "total_tax_set": sets("1", "1.00", "GBP")},
         "total_tax_set.presentment_money.currency_code: not the order's"),
        ({"refunds": [objects.refund(transaction(currency="GBP"))]},
         "refunds: in a currency that is not the order's"),
    ],
)  # fmt: skip
def test_an_order_that_is_wrong_says_where(fields: Json, place: str) -> None:
    assert reason(means("orders/paid", objects.order(**fields))) == place


@pytest.mark.parametrize(
    ("topic", "payload", "place"),
    [
        ("refunds/create", objects.refund(order_id=None), "order_id: missing"),
        ("refunds/create", objects.refund(transaction("-1.00")),
         "transactions[0].amount: negative"),
        ("refunds/create", objects.refund(transaction(), transaction(currency="EUR")),
         "transactions: in several currencies"),
        ("disputes/create", objects.dispute(status="thinking"), "status: not one that we know"),
        ("disputes/create", objects.dispute(amount=None), "amount: missing"),
        ("subscription_contracts/update", objects.contract(customer_id=None),
         "customer_id: missing"),
    ],
)  # fmt: skip
def test_others_say_where_too(topic: str, payload: Json, place: str) -> None:
    assert reason(means(topic, payload)) == place


@pytest.mark.parametrize(
    ("sent", "place"),
    [
        ({"X-Shopify-Topic": ""}, "x-shopify-topic: missing"),
        ({"X-Shopify-Topic": "or ders"}, "x-shopify-topic: not a topic"),
        ({"X-Shopify-Triggered-At": ""}, "x-shopify-triggered-at: missing"),
        ({"X-Shopify-Triggered-At": "soon"},
         "headers.x-shopify-triggered-at: not an RFC 3339 time"),
        ({"X-Shopify-Triggered-At": "2026-03-01T12:05:01Z"},
         "x-shopify-triggered-at: more than 5 minutes in the future"),
    ],
)  # fmt: skip
def test_headers_that_are_wrong_are_named(sent: dict[str, str], place: str) -> None:
    headers = objects.headers("disputes/create", more=sent)
    assert reason(means("disputes/create", objects.dispute(), sent=headers)) == place


def test_headers_that_nobody_sends_in_good_faith_are_not_kept() -> None:
    odd = {"X-Shopify-Topic": "orders/paid", "X-Shopify-Event-Id": "é", "X-Shopify-Test": "x" * 256}
    kept = PROVIDERS["shopify"].kept({**odd, "X-Shopify-Shop-Domain": "", "Cookie": "a=b"})
    assert kept == {"x-shopify-topic": "orders/paid"}
    assert PROVIDERS["stripe"].kept(odd) == {}


@settings(max_examples=200, deadline=None)
@given(st.binary(), st.sampled_from([*shopify.EVENT_TYPES, "shop/redact"]))
def test_any_bytes_have_a_meaning(body: bytes, topic: str) -> None:
    assert sound(means(topic, body), NOW)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.sampled_from(shopify.HEADERS), st.text()), st.sampled_from(SAMPLES))
def test_any_headers_have_a_meaning(sent: dict[str, str], sample: tuple[str, Json]) -> None:
    assert sound(means("", sample[1], sent=sent), NOW)
