"""Paddle (Billing): which events to ask for, whether a request is theirs, what its body means.

Sandbox and live are separate accounts, with destinations and secrets of their own, and their
notifications don't say which of the two they are: a sandbox's destination belongs to a source of a
test workspace. Only what the simulator sends is told by its ids, and never counts in a live one.
Sources: developer.paddle.com (webhooks, entities) and Paddle's Python SDK.
"""

import hmac
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from types import MappingProxyType
from typing import Final

from app.conversions.providers import paddle_adjustments, paddle_people, paddle_sales
from app.conversions.providers.mapping import Ignored, Mapped, Meaning
from app.conversions.providers.paddle_shapes import Notification
from app.conversions.providers.reading import ignored, of_other_mode, read_message
from app.conversions.providers.shapes import Node

TOLERANCE_S: Final = 300
_HEADER: Final = "paddle-signature"
_STAMP: Final = re.compile(r"[0-9]{1,12}")
_SIGNATURE: Final = re.compile(r"[0-9a-f]{64}")
_SIMULATED: Final = ("ntfsimevt_", "ntfsimntf_")

_READERS: Final[Mapping[str, Callable[[Notification], Mapped | Ignored]]] = MappingProxyType(
    {
        "transaction.completed": paddle_sales.completed,
        "transaction.paid": paddle_sales.paid,
        "adjustment.created": paddle_adjustments.adjustment,
        "adjustment.updated": paddle_adjustments.adjustment,
        "customer.created": paddle_people.customer,
        "customer.updated": paddle_people.customer,
        "customer.imported": paddle_people.customer,
        "address.created": paddle_people.address,
        "address.updated": paddle_people.address,
        "address.imported": paddle_people.address,
        "subscription.created": paddle_people.subscription,
        "subscription.activated": paddle_people.subscription,
        "subscription.trialing": paddle_people.subscription,
        "subscription.updated": paddle_people.subscription,
        "subscription.imported": paddle_people.subscription,
        "subscription.canceled": paddle_people.subscription_canceled,
    }
)

EVENT_TYPES: Final = tuple(_READERS)
"""What to switch on at the provider."""


def verify(
    headers: Mapping[str, str], body: bytes, secrets: Sequence[str], *, now: datetime
) -> bool:
    """Whether one of the secrets signed this body within 300 s of now, before or after.

    The header is `ts=…;h1=…`, with several `h1` while a secret is rotated; an `h1` is the
    HMAC-SHA256 of `ts:body` in hex. Other schemes beside it are Paddle's to add, and count nothing.
    """
    header = next((text for name, text in headers.items() if name.lower() == _HEADER), "")
    pairs = [part.split("=") for part in header.split(";")]
    if any(len(pair) != 2 for pair in pairs):
        return False
    stamps = [value for name, value in pairs if name == "ts"]
    signatures = [value for name, value in pairs if name == "h1"]
    if len(stamps) != 1 or not _STAMP.fullmatch(stamps[0]):
        return False
    if abs(now.timestamp() - int(stamps[0])) > TOLERANCE_S:
        return False
    if not all(_SIGNATURE.fullmatch(signature) for signature in signatures):
        return False
    expected = [_signed(secret, stamps[0], body) for secret in secrets if secret]
    return any(hmac.compare_digest(one, two) for one in expected for two in signatures)


def read(body: bytes, *, live: bool, received_at: datetime, with_tax: bool = False) -> Meaning:
    """What a stored body means. Never raises: what is not Paddle's is Senseless.

    live: the workspace's mode; see above for what tells the other one. with_tax: whether
    commissions are worked out on amounts with their tax.
    """
    return read_message(
        body,
        id_name="event_id",
        type_name="event_type",
        types=_READERS,
        read_event=partial(_read_event, live=live, received_at=received_at, with_tax=with_tax),
    )


def _signed(secret: str, stamp: str, body: bytes) -> str:
    """In hex."""
    key = secret.encode(errors="surrogatepass")
    return hmac.digest(key, stamp.encode() + b":" + body, "sha256").hex()


def _read_event(
    message: Node, external_id: str, *, live: bool, received_at: datetime, with_tax: bool
) -> Meaning:
    event_type = message.needed_id("event_type")
    if live and any(map(str.startswith, (external_id, message.id("notification_id")), _SIMULATED)):
        return of_other_mode(external_id, event_type, livemode=False)
    reader = _READERS.get(event_type)
    if reader is None:
        return ignored(external_id, event_type)
    occurred_at = message.moment("occurred_at")
    if occurred_at is None:
        raise message.wrong("occurred_at", "missing")
    if "data" not in message:
        raise message.wrong("data", "missing")
    return reader(
        Notification(
            external_id=external_id,
            type=event_type,
            occurred_at=occurred_at,
            received_at=received_at,
            thing=message.node("data"),
            with_tax=with_tax,
        )
    )
