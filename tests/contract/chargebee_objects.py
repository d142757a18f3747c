"""Chargebee events as they arrive, for every test that needs one.

Shaped after the samples of Chargebee's API documents (version 2, product catalog 2.0), with the
fields that matter and enough of the others to be lifelike. `event` wraps resources, `encoded` makes
the bytes, `authorized` the header that goes along.
"""

from base64 import b64encode
from typing import Any
from uuid import uuid4

import orjson

Json = dict[str, Any]

AT = 1_764_000_000
"""24 November 2025, 16:00 UTC; what is not dated otherwise happens then."""


def event(kind: str, *, id: str | None = None, at: int = AT, **content: Json) -> Json:  # noqa: A002
    """content: the resources by kind. id: given none, one of its own."""
    return {
        "id": id or f"ev_{uuid4().hex[:17]}",
        "occurred_at": at,
        "source": "scheduled_job",
        "object": "event",
        "api_version": "v2",
        "content": {name: {**thing, "object": name} for name, thing in content.items()},
        "event_type": kind,
        "webhook_status": "not_configured",
    }


def encoded(payload: Json) -> bytes:
    return orjson.dumps(payload)


def authorized(secret: str) -> str:
    """The header's text for `user:password`."""
    return f"Basic {b64encode(secret.encode()).decode()}"


def line(
    amount: int = 10_000,
    *,
    product: str = "team-USD-monthly",
    quantity: int = 1,
    discount: int = 0,
    tax: int = 0,
    subscription: str | None = "sub_1",
) -> Json:
    """amount: before discount; with the tax in it where the invoice includes taxes."""
    return {
        "id": f"li_{uuid4().hex[:12]}",
        "subscription_id": subscription,
        "entity_type": "plan_item_price",
        "entity_id": product,
        "unit_amount": amount // max(1, quantity),
        "quantity": quantity,
        "amount": amount,
        "discount_amount": discount,
        "item_level_discount_amount": 0,
        "is_taxed": bool(tax),
        "tax_amount": tax,
        "description": "Team",
        "object": "line_item",
    }


def invoice(
    id: str = "1042",  # noqa: A002
    *,
    total: int = 12_000,
    tax: int = 2_000,
    amount_paid: int = 12_000,
    currency: str = "USD",
    status: str = "paid",
    price_type: str = "tax_exclusive",
    customer: str = "cust_1",
    subscription: str | None = "sub_1",
    lines: list[Json] | None = None,
    discounts: list[Json] | None = None,
    paid_at: int | None = AT,
) -> Json:
    """total: after discounts, with tax."""
    return {
        "id": id,
        "customer_id": customer,
        "subscription_id": subscription,
        "recurring": True,
        "status": status,
        "price_type": price_type,
        "date": AT - 60,
        "paid_at": paid_at,
        "currency_code": currency,
        "exchange_rate": 1.0,
        "sub_total": total - tax,
        "tax": tax,
        "total": total,
        "amount_paid": amount_paid,
        "amount_adjusted": 0,
        "credits_applied": total - amount_paid,
        "amount_due": 0,
        "write_off_amount": 0,
        "line_items": [line()] if lines is None else lines,
        "discounts": discounts or [],
        "linked_payments": [],
        "billing_address": {"first_name": "Jo", "country": "DE", "object": "billing_address"},
        "resource_version": AT * 1_000,
        "deleted": False,
    }


def coupon(id: str = "SPRING", *, set_code: str | None = None) -> Json:  # noqa: A002
    """A discount of an invoice."""
    return {
        "object": "discount",
        "entity_type": "document_level_coupon",
        "entity_id": id,
        "coupon_set_code": set_code,
        "amount": 500,
    }


def credit_note(
    id: str = "CN-1",  # noqa: A002
    *,
    kind: str = "refundable",
    amount_refunded: int = 3_000,
    total: int = 3_000,
    status: str = "refunded",
    reason: str = "product_unsatisfactory",
    invoice: str | None = "1042",
    currency: str = "USD",
    version_ms: int | None = AT * 1_000,
) -> Json:
    return {
        "id": id,
        "customer_id": "cust_1",
        "subscription_id": "sub_1",
        "reference_invoice_id": invoice,
        "type": kind,
        "reason_code": reason,
        "create_reason_code": "Product Unsatisfactory",
        "status": status,
        "date": AT,
        "currency_code": currency,
        "total": total,
        "amount_allocated": 0,
        "amount_refunded": amount_refunded,
        "amount_available": total - amount_refunded,
        "resource_version": version_ms,
        "deleted": False,
    }


def transaction(
    id: str = "txn_1",  # noqa: A002
    *,
    kind: str = "payment",
    status: str = "success",
    amount: int = 12_000,
    invoices: tuple[str, ...] = ("1042",),
) -> Json:
    return {
        "id": id,
        "customer_id": "cust_1",
        "subscription_id": "sub_1",
        "payment_method": "card",
        "gateway": "stripe",
        "type": kind,
        "status": status,
        "date": AT,
        "amount": amount,
        "currency_code": "USD",
        "linked_invoices": [
            {"invoice_id": one, "applied_amount": amount, "invoice_status": "paid"}
            for one in invoices
        ],
        "resource_version": AT * 1_000,
        "deleted": False,
    }


def customer(id: str = "cust_1", **more: Any) -> Json:  # noqa: A002
    """more: `meta_data`, `cf_click_id` and the like."""
    return {
        "id": id,
        "first_name": "Jo",
        "last_name": "Brown",
        "email": "jo@example.com",
        "auto_collection": "on",
        "taxability": "taxable",
        "created_at": AT,
        "billing_address": {"country": "FR", "object": "billing_address"},
        "deleted": False,
        **more,
    }


def subscription(
    id: str = "sub_1",  # noqa: A002
    *,
    status: str = "active",
    cancelled_at: int | None = None,
    coupons: list[Json] | None = None,
    **more: Any,
) -> Json:
    return {
        "id": id,
        "customer_id": "cust_1",
        "status": status,
        "currency_code": "USD",
        "started_at": AT,
        "cancelled_at": cancelled_at,
        "coupons": coupons or [],
        "subscription_items": [{"item_price_id": "team-USD-monthly", "quantity": 1}],
        "deleted": False,
        **more,
    }
