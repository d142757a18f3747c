"""Stripe payloads as they arrive, for every test that needs one.

Shaped after Stripe's published fixtures, with the fields that matter and enough of the others to be
lifelike; invoices are in `stripe_invoices`. `event` wraps an object, `encoded` makes the bytes,
`signed` the header that goes along.
"""

from typing import Any
from uuid import uuid4

import orjson
from stripe import WebhookSignature

Json = dict[str, Any]

AT = 1_764_000_000
"""24 November 2025, 16:00 UTC; what is not dated otherwise happens then."""

NEW_API, OLD_API = "2026-10-28.endive", "2022-08-01"


def event(
    kind: str,
    thing: Json,
    *,
    id: str | None = None,  # noqa: A002 - Stripe's own name
    created: int = AT,
    livemode: bool = False,
    account: str | None = None,
    api_version: str = NEW_API,
    pending_webhooks: int = 1,
) -> Json:
    """account: the connected account whose object it is. id: given none, one of its own."""
    envelope: Json = {
        "id": id or f"evt_{uuid4().hex[:24]}",
        "object": "event",
        "api_version": api_version,
        "created": created,
        "data": {"object": thing},
        "livemode": livemode,
        "pending_webhooks": pending_webhooks,
        "request": {"id": None, "idempotency_key": None},
        "type": kind,
    }
    return envelope if account is None else {**envelope, "account": account}


def encoded(payload: Json) -> bytes:
    return orjson.dumps(payload)


def signed(body: bytes, secret: str, at: int) -> dict[str, str]:
    """The header that Stripe sends with a body, by Stripe's own library."""
    header = WebhookSignature.generate_signature_header(body.decode(), secret, timestamp=at)
    return {"Stripe-Signature": header, "Content-Type": "application/json; charset=utf-8"}


def address(country: str | None) -> Json:
    return {
        "city": None,
        "country": country,
        "line1": None,
        "line2": None,
        "postal_code": None,
        "state": None,
    }


def customer(
    id: str = "cus_1",  # noqa: A002
    *,
    country: str | None = None,
    metadata: Json | None = None,
    created: int = AT,
) -> Json:
    return {
        "id": id,
        "object": "customer",
        "address": address(country),
        "balance": 0,
        "created": created,
        "currency": "usd",
        "customer_account": None,
        "email": "jenny@example.com",
        "livemode": False,
        "metadata": metadata or {},
        "name": "Jenny Rosen",
        "shipping": None,
    }


def checkout_session(
    id: str = "cs_test_1",  # noqa: A002
    *,
    mode: str = "payment",
    customer: str | None = "cus_1",
    payment_intent: str | None = "pi_1",
    invoice: str | None = None,
    subscription: str | None = None,
    amount_total: int | None = 12_000,
    amount_tax: int = 2_000,
    currency: str = "usd",
    payment_status: str = "paid",
    client_reference_id: str | None = None,
    country: str | None = "DE",
    metadata: Json | None = None,
    created: int = AT,
) -> Json:
    return {
        "id": id,
        "object": "checkout.session",
        "amount_subtotal": None if amount_total is None else amount_total - amount_tax,
        "amount_total": amount_total,
        "client_reference_id": client_reference_id,
        "created": created,
        "currency": currency,
        "customer": customer,
        "customer_account": None,
        "customer_details": {
            "address": address(country),
            "email": "jenny@example.com",
            "name": "Jenny Rosen",
            "phone": None,
            "tax_exempt": "none",
            "tax_ids": [],
        },
        "customer_email": None,
        "expires_at": created + 86_400,
        "invoice": invoice,
        "livemode": False,
        "metadata": metadata or {},
        "mode": mode,
        "payment_intent": payment_intent,
        "payment_status": payment_status,
        "status": "complete",
        "subscription": subscription,
        "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": amount_tax},
        "url": None,
    }


def payment_intent(
    id: str = "pi_1",  # noqa: A002
    *,
    customer: str | None = "cus_1",
    amount_received: int = 12_000,
    currency: str = "usd",
    latest_charge: str | Json | None = "ch_1",
    metadata: Json | None = None,
    created: int = AT,
) -> Json:
    return {
        "id": id,
        "object": "payment_intent",
        "amount": amount_received,
        "amount_received": amount_received,
        "created": created,
        "currency": currency,
        "customer": customer,
        "latest_charge": latest_charge,
        "livemode": False,
        "metadata": metadata or {},
        "receipt_email": None,
        "status": "succeeded",
    }


def charge(
    id: str = "ch_1",  # noqa: A002
    *,
    customer: str | None = "cus_1",
    payment_intent: str | Json | None = "pi_1",
    amount: int = 12_000,
    amount_refunded: int = 0,
    currency: str = "usd",
    created: int = AT,
) -> Json:
    return {
        "id": id,
        "object": "charge",
        "amount": amount,
        "amount_captured": amount,
        "amount_refunded": amount_refunded,
        "billing_details": {"address": address(None), "email": None, "name": "Jenny Rosen"},
        "created": created,
        "currency": currency,
        "customer": customer,
        "livemode": False,
        "metadata": {},
        "paid": True,
        "payment_intent": payment_intent,
        "refunded": amount_refunded == amount,
        "status": "succeeded",
    }


def refund(
    id: str = "re_1",  # noqa: A002
    *,
    amount: int = 3_000,
    currency: str = "usd",
    status: str | None = "succeeded",
    charge: str | None = "ch_1",
    payment_intent: str | None = "pi_1",
    created: int = AT,
) -> Json:
    return {
        "id": id,
        "object": "refund",
        "amount": amount,
        "charge": charge,
        "created": created,
        "currency": currency,
        "metadata": {},
        "payment_intent": payment_intent,
        "reason": None,
        "status": status,
    }


def subscription(
    id: str = "sub_1",  # noqa: A002
    *,
    customer: str | None = "cus_1",
    metadata: Json | None = None,
    ended_at: int | None = None,
    created: int = AT,
) -> Json:
    return {
        "id": id,
        "object": "subscription",
        "canceled_at": ended_at,
        "created": created,
        "currency": "usd",
        "customer": customer,
        "ended_at": ended_at,
        "latest_invoice": "in_1",
        "livemode": False,
        "metadata": metadata or {},
        "start_date": created,
        "status": "canceled" if ended_at else "active",
    }
