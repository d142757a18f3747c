"""Messages in our own event schema, signed by the library of Standard Webhooks."""

from datetime import UTC, datetime
from typing import Any

import orjson
from standardwebhooks import Webhook

from app.conversions.providers import standard
from app.conversions.providers.mapping import Mapped, Meaning

Json = dict[str, Any]

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
TOKEN = "AQ" * 30


def message(kind: str, /, at: datetime = NOW, **data: Any) -> Json:
    return {"type": kind, "timestamp": f"{at:%Y-%m-%dT%H:%M:%S}Z", "data": data}


def lead(**data: Any) -> Json:
    return message("lead", **{"customer_external_id": "user-17", **data})


def sale(**data: Any) -> Json:
    usual = {
        "customer_external_id": "user-17",
        "amount": 100_00,
        "currency": "usd",
        "invoice_id": "INV-1",
        "subscription_id": "S-1",
    }
    return message("sale", **{**usual, **data})


def refund(**data: Any) -> Json:
    usual = {"invoice_id": "INV-1", "amount_refunded": 30_00, "currency": "usd"}
    return message("refund", **{**usual, **data})


def dispute(**data: Any) -> Json:
    usual = {
        "dispute_id": "D-1",
        "invoice_id": "INV-1",
        "amount": 100_00,
        "currency": "usd",
        "state": "open",
    }
    return message("dispute", **{**usual, **data})


def cancellation(**data: Any) -> Json:
    usual = {"subscription_id": "S-1", "customer_external_id": "user-17"}
    return message("subscription.canceled", **{**usual, **data})


def customer(**data: Any) -> Json:
    return message("customer", **{"customer_external_id": "user-17", **data})


def encoded(payload: Json) -> bytes:
    return orjson.dumps(payload)


def signed(
    body: bytes, message_id: str = "msg_1", *, at: datetime = NOW, secret: str = SECRET
) -> dict[str, str]:
    """The three headers."""
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign(message_id, at, body.decode()),
    }


def means(payload: Json | bytes, *, live: bool = True, message_id: str = "msg_1") -> Meaning:
    body = payload if isinstance(payload, bytes) else encoded(payload)
    headers = {"webhook-id": message_id}
    return standard.read(body, live=live, received_at=NOW, headers=headers)


def mapped(payload: Json, **how: Any) -> Mapped:
    meaning = means(payload, **how)
    assert isinstance(meaning, Mapped), meaning
    return meaning
