"""Shopify: which topics to ask for, whether a request is theirs, and what it means.

The signature covers the body alone: no time and none of the headers. A request that somebody
recorded could be sent again later, under another id; it would say the same of the same order.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Final

from app.conversions.providers import shopify_orders, shopify_people
from app.conversions.providers.mapping import NO_HEADERS, Ignored, Mapped, Meaning, body_digest
from app.conversions.providers.reading import ignored, of_other_mode, senseless
from app.conversions.providers.shapes import Node, ShapeError, root
from app.conversions.providers.shopify_shapes import (
    DELIVERY_ID,
    EVENT_ID,
    HEADERS,
    TEST,
    TOPIC,
    Message,
)

_SIGNATURE: Final = "x-shopify-hmac-sha256"
_ID: Final = re.compile(r"[!-9;-~]{1,128}")
_TOPIC: Final = re.compile(r"[a-z0-9_/.-]{1,100}")
_SECRET: Final = re.compile(r"[!-~]{16,}")

_READERS: Final[Mapping[str, Callable[[Message], Mapped | Ignored]]] = MappingProxyType(
    {
        "orders/create": shopify_orders.order,
        "orders/paid": shopify_orders.order,
        "orders/updated": shopify_orders.order,
        "orders/cancelled": shopify_orders.order,
        "refunds/create": shopify_orders.refund,
        "disputes/create": shopify_people.dispute,
        "disputes/update": shopify_people.dispute,
        "subscription_contracts/create": shopify_people.contract,
        "subscription_contracts/update": shopify_people.contract,
        "subscription_billing_attempts/success": shopify_people.billing,
        "customers/create": shopify_people.customer,
        "customers/update": shopify_people.customer,
    }
)

EVENT_TYPES: Final = tuple(_READERS)
"""What to switch on at the provider."""

__all__ = ["EVENT_TYPES", "HEADERS", "is_secret", "read", "verify"]


def verify(
    headers: Mapping[str, str],
    body: bytes,
    secrets: Sequence[str],
    *,
    now: datetime,  # noqa: ARG001 (Shopify signs no time)
) -> bool:
    """Whether one of the secrets signed this body. Several, while a secret is being rolled."""
    sent = next((text for name, text in headers.items() if name.lower() == _SIGNATURE), "")
    return any(_signed_with(secret, sent, body) for secret in secrets)


def is_secret(text: str) -> bool:
    return _SECRET.fullmatch(text) is not None


def read(
    body: bytes,
    *,
    live: bool,
    received_at: datetime,
    with_tax: bool = False,
    headers: Mapping[str, str] = NO_HEADERS,
) -> Meaning:
    """What a stored message means. Never raises: what is not Shopify's is Senseless.

    live: the workspace's mode; test orders are ignored in a live one, real ones in a test one.
    with_tax: whether commissions are worked out on amounts with their tax.
    """
    topic = headers.get(TOPIC, "").lower()
    known = topic if _TOPIC.fullmatch(topic) else ""
    external_id = _external_id(known, body, headers)
    if not known:
        return senseless(external_id, ShapeError(TOPIC, "not a topic" if topic else "missing"))
    reader = _READERS.get(known)
    if reader is None:
        return ignored(external_id, known)
    try:
        thing = root(body)
        if (tested := _is_test(thing, headers)) is not None and tested == live:
            return of_other_mode(external_id, known, livemode=not tested)
        return reader(
            Message(
                external_id=external_id,
                topic=known,
                headers=headers,
                received_at=received_at,
                thing=thing,
                with_tax=with_tax,
            )
        )
    except ShapeError as wrong:
        return senseless(external_id, wrong, known)


def _external_id(topic: str, body: bytes, headers: Mapping[str, str]) -> str:
    """Topic and event id: one event may be told under several topics, and each under several
    subscriptions. Without that id the delivery's, which is the same when it is tried again.
    """
    for name in (EVENT_ID, DELIVERY_ID):
        if _ID.fullmatch(found := headers.get(name, "")):
            return f"{topic}:{found}"
    return body_digest(body)


def _is_test(thing: Node, headers: Mapping[str, str]) -> bool | None:
    """What a message is of that says neither (a customer, a dispute) belongs to both modes."""
    if headers.get(TEST, "").lower() == "true":
        return True
    return shopify_orders.is_test(thing)


def _signed_with(secret: str, sent: str, body: bytes) -> bool:
    try:
        made = base64.b64encode(hmac.digest(secret.encode(), body, hashlib.sha256))
        return bool(secret) and hmac.compare_digest(made, sent.encode("ascii"))
    except UnicodeError:
        return False
