"""Shopify's payloads as its webhooks send them, and their headers, signed as Shopify signs."""

import base64
import hashlib
import hmac
from datetime import UTC, datetime
from typing import Any

import orjson

from app.conversions.providers import shopify
from app.conversions.providers.mapping import Mapped, Meaning

Json = dict[str, Any]

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SHOP = "acme.myshopify.com"
SECRET = "0123456789abcdef0123456789abcdef"
ORDER, CUSTOMER = 450789469, 207119551


def line(product: int | None = 632910392, price: str = "119.00", **fields: Any) -> Json:
    return {
        "id": 466157049,
        "product_id": product,
        "variant_id": 39072856,
        "title": "IPod Nano",
        "price": price,
        "quantity": 1,
        "total_discount": "0.00",
        "discount_allocations": [],
        "tax_lines": [],
        **fields,
    }


def order(**fields: Any) -> Json:
    """119.00 USD, 19.00 of it tax that prices include, paid an hour before NOW."""
    return {
        "id": ORDER,
        "admin_graphql_api_id": f"gid://shopify/Order/{ORDER}",
        "created_at": "2026-03-01T06:00:00-05:00",
        "processed_at": "2026-03-01T05:59:59-05:00",
        "updated_at": "2026-03-01T06:00:02-05:00",
        "cancelled_at": None,
        "currency": "USD",
        "presentment_currency": "USD",
        "email": "bob@example.com",
        "contact_email": "bob@example.com",
        "financial_status": "paid",
        "test": False,
        "taxes_included": True,
        "total_price": "119.00",
        "total_tax": "19.00",
        "total_discounts": "0.00",
        "landing_site": "/?source=abc",
        "note_attributes": [],
        "discount_codes": [],
        "line_items": [line(tax_lines=[{"title": "VAT", "price": "19.00", "rate": 0.19}])],
        "refunds": [],
        "billing_address": {"country": "Germany", "country_code": "DE"},
        "shipping_address": None,
        "customer": {
            "id": CUSTOMER,
            "email": "bob@example.com",
            "first_name": "Bob",
            "last_name": "Norman",
            "default_address": {"country_code": "US"},
        },
        **fields,
    }


def transaction(amount: str = "30.00", **fields: Any) -> Json:
    return {
        "id": 179259969,
        "order_id": ORDER,
        "kind": "refund",
        "status": "success",
        "amount": amount,
        "currency": "USD",
        "test": False,
        **fields,
    }


def refund(*transactions: Json, **fields: Any) -> Json:
    return {
        "id": 509562969,
        "order_id": ORDER,
        "created_at": "2026-03-01T06:30:00-05:00",
        "processed_at": "2026-03-01T06:30:00-05:00",
        "note": None,
        "refund_line_items": [],
        "order_adjustments": [],
        "transactions": list(transactions or (transaction(),)),
        **fields,
    }


def dispute(**fields: Any) -> Json:
    return {
        "id": 1052608616,
        "order_id": ORDER,
        "type": "chargeback",
        "amount": "119.00",
        "currency": "USD",
        "reason": "fraudulent",
        "status": "needs_response",
        "initiated_at": "2026-03-01T06:40:00-05:00",
        "finalized_on": None,
        **fields,
    }


def contract(**fields: Any) -> Json:
    return {
        "id": 593791907,
        "admin_graphql_api_id": "gid://shopify/SubscriptionContract/593791907",
        "customer_id": CUSTOMER,
        "origin_order_id": ORDER,
        "status": "active",
        "currency_code": "USD",
        "revision_id": 1,
        **fields,
    }


def billing(**fields: Any) -> Json:
    return {
        "id": 1,
        "order_id": ORDER,
        "subscription_contract_id": 593791907,
        "ready": True,
        "error_code": None,
        **fields,
    }


def customer(**fields: Any) -> Json:
    return {
        "id": CUSTOMER,
        "email": "bob@example.com",
        "first_name": "Bob",
        "last_name": "Norman",
        "created_at": "2026-03-01T05:00:00-05:00",
        "updated_at": "2026-03-01T06:00:00-05:00",
        "default_address": {"country_code": "US"},
        **fields,
    }


def sets(shop: str, presented: str, currency: str) -> Json:
    """An amount in the shop's dollars and in the buyer's money."""
    return {
        "shop_money": {"amount": shop, "currency_code": "USD"},
        "presentment_money": {"amount": presented, "currency_code": currency},
    }


def encoded(payload: Json) -> bytes:
    return orjson.dumps(payload)


def signature(body: bytes, secret: str = SECRET) -> str:
    return base64.b64encode(hmac.digest(secret.encode(), body, hashlib.sha256)).decode()


def headers(
    topic: str, event_id: str = "e-1", *, at: datetime = NOW, more: dict[str, str] | None = None
) -> Json:
    """All that Shopify sends beside a body, the signature left out."""
    return {
        "X-Shopify-Topic": topic,
        "X-Shopify-Event-Id": event_id,
        "X-Shopify-Webhook-Id": f"delivery-of-{event_id}",
        "X-Shopify-Triggered-At": f"{at:%Y-%m-%dT%H:%M:%S}.123456789Z",
        "X-Shopify-Shop-Domain": SHOP,
        "X-Shopify-Api-Version": "2026-01",
        **(more or {}),
    }


def means(
    topic: str,
    payload: Json | bytes,
    *,
    live: bool = True,
    with_tax: bool = False,
    sent: Json | None = None,
) -> Meaning:
    """What a message means. sent: its headers, if not the usual ones."""
    kept = {name.lower(): text for name, text in (sent or headers(topic)).items()}
    body = payload if isinstance(payload, bytes) else encoded(payload)
    return shopify.read(body, live=live, received_at=NOW, with_tax=with_tax, headers=kept)


def mapped(topic: str, payload: Json, **how: Any) -> Mapped:
    meaning = means(topic, payload, **how)
    assert isinstance(meaning, Mapped), meaning
    return meaning
