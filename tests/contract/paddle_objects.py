"""Paddle notifications as they arrive, for every test that needs one.

Shaped after the entities in Paddle's Python SDK, with the fields that matter and enough of the
others to be lifelike. `notification` wraps an entity, `encoded` makes the bytes, `signed` the
header that goes along, by Paddle's own library.
"""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import orjson
from paddle_billing.Notifications.PaddleSignature import PaddleSignature

Json = dict[str, Any]

NOW = datetime(2026, 11, 22, 10, 18, 48, 294_633, UTC)
"""What is not dated otherwise happens then."""


def stamp(at: datetime) -> str:
    """As Paddle writes a time."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def notification(
    kind: str,
    thing: Json,
    *,
    id: str | None = None,  # noqa: A002 - Paddle's own name
    at: datetime = NOW,
) -> Json:
    """id: given none, one of its own."""
    return {
        "event_id": id or f"evt_{uuid4().hex[:26]}",
        "event_type": kind,
        "occurred_at": stamp(at),
        "notification_id": f"ntf_{(id or uuid4().hex)[:26]}",
        "data": thing,
    }


def encoded(payload: Json) -> bytes:
    return orjson.dumps(payload)


def signed(body: bytes, *secrets: str, at: datetime) -> str:
    """The header's text: one `h1` for each secret, by Paddle's own library."""
    seconds = int(at.timestamp())
    data = f"{seconds}:".encode() + body
    hashes = (PaddleSignature.calculate_hmac(secret, data).hexdigest() for secret in secrets)
    return ";".join([f"ts={seconds}", *(f"h1={one}" for one in hashes)])


def line(
    total: int, tax: int, *, product: str = "pro_team", quantity: int = 1, discount: int = 0
) -> Json:
    """total: after its discount, with its tax."""
    return {
        "id": f"txnitm_{product}",
        "price_id": f"pri_{product}",
        "quantity": quantity,
        "product": {
            "id": product,
            "name": "Team",
            "type": "standard",
            "tax_category": "saas",
            "custom_data": None,
            "status": "active",
            "created_at": stamp(NOW),
            "updated_at": stamp(NOW),
        },
        "proration": None,
        "tax_rate": "0.2",
        "unit_totals": {"subtotal": "1", "discount": "0", "tax": "0", "total": "1"},
        "totals": {
            "subtotal": str(total - tax + discount),
            "discount": str(discount),
            "tax": str(tax),
            "total": str(total),
        },
    }


def transaction(
    id: str = "txn_1",  # noqa: A002
    *,
    total: int = 12_000,
    tax: int = 2_000,
    credit: int = 0,
    currency: str = "USD",
    customer: str | None = "ctm_1",
    subscription: str | None = "sub_1",
    lines: list[Json] | None = None,
    discount: str | None = None,
    custom_data: Any = None,
    origin: str = "web",
    at: datetime = NOW,
    status: str = "completed",
) -> Json:
    """total: after discounts, with tax; credit: what earlier money pays of it."""
    grand_total = total - credit
    card = {"type": "visa", "last4": "3184", "expiry_month": 1, "expiry_year": 2030}
    captured = {
        "amount": str(grand_total),
        "status": "captured",
        "payment_attempt_id": "937640dd",
        "payment_method_id": "paymtd_1",
        "stored_payment_method_id": "281ff2ca",
        "created_at": stamp(at - timedelta(seconds=14)),
        "captured_at": stamp(at),
        "method_details": {"type": "card", "card": card},
    }
    declined = {**captured, "status": "error", "captured_at": None, "error_code": "declined"}
    return {
        "id": id,
        "status": status,
        "origin": origin,
        "customer_id": customer,
        "address_id": "add_1",
        "business_id": None,
        "custom_data": custom_data,
        "currency_code": currency,
        "subscription_id": subscription,
        "invoice_id": f"inv_{id}",
        "invoice_number": "325-10566",
        "collection_mode": "automatic",
        "discount_id": discount,
        "details": {
            "totals": {
                "subtotal": str(total - tax),
                "discount": "0",
                "tax": str(tax),
                "total": str(total),
                "credit": str(credit),
                "credit_to_balance": "0",
                "balance": "0",
                "grand_total": str(grand_total),
                "fee": "650",
                "earnings": "9350",
                "currency_code": currency,
            },
            "line_items": [line(total, tax)] if lines is None else lines,
            "tax_rates_used": [],
        },
        "payments": [captured, declined] if grand_total else [],
        "billed_at": stamp(at + timedelta(seconds=1)),
        "created_at": stamp(at - timedelta(minutes=6)),
        "updated_at": stamp(at + timedelta(seconds=2)),
    }


def adjustment(
    id: str = "adj_1",  # noqa: A002
    *,
    action: str = "refund",
    status: str = "approved",
    total: int = 3_000,
    currency: str = "USD",
    transaction: str = "txn_1",
) -> Json:
    return {
        "id": id,
        "action": action,
        "type": "partial",
        "transaction_id": transaction,
        "subscription_id": "sub_1",
        "customer_id": "ctm_1",
        "reason": "error",
        "status": status,
        "currency_code": currency,
        "credit_applied_to_balance": None,
        "items": [],
        "totals": {
            "subtotal": str(total * 5 // 6),
            "tax": str(total - total * 5 // 6),
            "total": str(total),
            "fee": "5",
            "earnings": "87",
            "currency_code": currency,
        },
        "created_at": stamp(NOW),
        "updated_at": stamp(NOW),
    }


def customer(id: str = "ctm_1", *, custom_data: Any = None) -> Json:  # noqa: A002
    return {
        "id": id,
        "name": "Jo Brown",
        "email": "jo@example.com",
        "locale": "en",
        "status": "active",
        "marketing_consent": False,
        "custom_data": custom_data,
        "import_meta": None,
        "created_at": stamp(NOW),
        "updated_at": stamp(NOW),
    }


def address(country: str | None = "DE") -> Json:
    return {
        "id": "add_1",
        "customer_id": "ctm_1",
        "description": None,
        "postal_code": "10115",
        "country_code": country,
        "status": "active",
        "custom_data": None,
        "created_at": stamp(NOW),
        "updated_at": stamp(NOW),
    }


def subscription(
    id: str = "sub_1",  # noqa: A002
    *,
    status: str = "active",
    custom_data: Any = None,
    discount: str | None = None,
    canceled_at: datetime | None = None,
) -> Json:
    return {
        "id": id,
        "status": status,
        "customer_id": "ctm_1",
        "address_id": "add_1",
        "currency_code": "USD",
        "items": [],
        "discount": discount and {"id": discount, "starts_at": None, "ends_at": None},
        "custom_data": custom_data,
        "billing_cycle": {"interval": "month", "frequency": 1},
        "started_at": stamp(NOW),
        "canceled_at": canceled_at and stamp(canceled_at),
        "collection_mode": "automatic",
        "created_at": stamp(NOW),
        "updated_at": stamp(NOW),
    }
