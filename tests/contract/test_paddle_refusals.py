"""What Paddle signed but nobody documents: never a crash, always a place and a problem."""

import pytest

from app.conversions.providers import paddle
from app.conversions.providers.mapping import Mapped
from tests.contract import paddle_objects as objects
from tests.contract.meanings import refused, refused_unnamed
from tests.contract.oddities import MISSING, changed, place_named, place_path
from tests.contract.paddle_objects import NOW, notification
from tests.contract.paddle_reading import means

TOKEN = "AQ" * 30
CUSTOM = {"click_id": TOKEN, "finderfee_customer_id": "u-1"}
SALE = notification(
    "transaction.completed", objects.transaction(custom_data=CUSTOM, discount="dsc_1")
)
SAMPLES = (
    SALE,
    notification("adjustment.created", objects.adjustment()),
    notification("adjustment.updated", objects.adjustment(action="chargeback")),
    notification("customer.created", objects.customer(custom_data=CUSTOM)),
    notification("address.created", objects.address()),
    notification("subscription.created", objects.subscription(custom_data=CUSTOM)),
    notification("subscription.canceled", objects.subscription(canceled_at=NOW)),
)


@pytest.mark.parametrize(
    ("body", "place", "problem"),
    [
        (b"", "body", "not JSON"),
        (b"\xff\xfe{}", "body", "not JSON"),
        (b'{"event_id": NaN}', "body", "not JSON"),
        (b"[" * 3_000 + b"]" * 3_000, "body", "not JSON"),
        (b"[]", "body", "not a JSON object"),
        (b"{}", "event_id", "missing"),
        (b'{"event_id": 5}', "event_id", "not text"),
        (b'{"event_id": "a:b"}', "event_id", "not an id"),
        (b'{"event_id": "evt_1", "event_id": ""}', "event_id", "missing"),
    ],
)
def test_body_without_an_id_is_named_by_its_digest(body: bytes, place: str, problem: str) -> None:
    meaning = paddle.read(body, live=True, received_at=NOW)
    assert refused_unnamed(meaning, body) == (place, problem)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("event_type", MISSING),
        ("occurred_at", MISSING),
        ("occurred_at", 1_764_000_000),
        ("occurred_at", "2026-11-22T10:18:48"),
        ("occurred_at", "2026-11-22"),
        ("occurred_at", "2026-02-30T10:18:48Z"),
        ("occurred_at", "0001-01-01T00:00:00Z"),
        ("occurred_at", "9999-12-31T23:59:59.999999Z"),
        ("data", MISSING),
        ("data", []),
        ("data.id", MISSING),
        ("data.id", "txn 1"),
        ("data.customer_id", "ctm:1"),
        ("data.currency_code", MISSING),
        ("data.currency_code", "usd"),
        ("data.currency_code", "XXX"),
        ("data.details", "none"),
        ("data.details.totals.total", MISSING),
        ("data.details.totals.total", 12_000),
        ("data.details.totals.total", "120.00"),
        ("data.details.totals.total", "1e3"),
        ("data.details.totals.total", "+1"),
        ("data.details.totals.total", "١٢"),
        ("data.details.totals.total", "-1"),
        ("data.details.totals.total", str(10**13 + 1)),
        ("data.details.totals.tax", MISSING),
        ("data.details.totals.tax", "12001"),
        ("data.details.totals.grand_total", "12001"),
        ("data.details.line_items", {}),
        ("data.details.line_items.0", 5),
        ("data.details.line_items.0.quantity", "1"),
        ("data.details.line_items.0.totals.total", ""),
        ("data.details.line_items.0.product.id", 5),
        ("data.payments", {}),
        ("data.payments.0.captured_at", "soon"),
        ("data.custom_data.finderfee_customer_id", [1]),
        ("data.custom_data.finderfee_customer_id", "u\0"),
        ("data.discount_id", "d s c"),
        ("data.subscription_id", True),
    ],
)
def test_wrong_field_is_named_by_its_place(place: str, value: object) -> None:
    meaning = means(changed(SALE, place_path(place), value))
    assert place_named(refused(meaning)[0]) == place
    assert meaning.external_id == SALE["event_id"]


def test_the_far_future_is_refused() -> None:
    thing = objects.transaction()
    thing["payments"][0]["captured_at"] = "2026-11-22T10:23:49Z"
    _, problem = refused(means(notification("transaction.completed", thing)))
    assert problem == "more than 5 minutes in the future"


def test_what_we_do_not_keep_disturbs_nobody() -> None:
    thing = {**objects.transaction(), "invoice_number": "\0", "items": 1e308, "checkout": [[]]}
    assert isinstance(means(notification("transaction.completed", thing)), Mapped)
