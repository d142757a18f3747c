"""Chargebee: which events to ask for, whether a request is theirs, and what its body means.

A test site is another site than the live one, with webhooks of its own; most events don't say
which it is, so a test site's webhook belongs to a source of a test workspace.
Source: apidocs.chargebee.com, events (API version 2), and Chargebee's Python library.
"""

import hmac
from base64 import b64decode
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from types import MappingProxyType
from typing import Final

from app.conversions.providers import chargebee_notes, chargebee_people, chargebee_sales
from app.conversions.providers.chargebee_shapes import Occurrence
from app.conversions.providers.mapping import Ignored, Mapped, Meaning
from app.conversions.providers.reading import ignored, of_other_mode, read_message
from app.conversions.providers.shapes import Node

_HEADER: Final = "authorization"
_SCHEME: Final = "basic"

_READERS: Final[Mapping[str, Callable[[Occurrence], Mapped | Ignored]]] = MappingProxyType(
    {
        "payment_succeeded": chargebee_sales.invoice,
        "invoice_generated": chargebee_sales.invoice,
        "invoice_generated_with_backdating": chargebee_sales.invoice,
        "invoice_updated": chargebee_sales.invoice,
        "transaction_created": chargebee_sales.transaction,
        "transaction_updated": chargebee_sales.transaction,
        "credit_note_created": chargebee_notes.credit_note,
        "credit_note_created_with_backdating": chargebee_notes.credit_note,
        "credit_note_updated": chargebee_notes.credit_note,
        "credit_note_deleted": chargebee_notes.credit_note,
        "payment_refunded": chargebee_notes.credit_note,
        "customer_created": chargebee_people.customer,
        "customer_changed": chargebee_people.customer,
        "subscription_created": chargebee_people.subscription,
        "subscription_created_with_backdating": chargebee_people.subscription,
        "subscription_started": chargebee_people.subscription,
        "subscription_activated": chargebee_people.subscription,
        "subscription_changed": chargebee_people.subscription,
        "subscription_renewed": chargebee_people.subscription,
        "subscription_cancelled": chargebee_people.subscription_cancelled,
        "subscription_canceled_with_backdating": chargebee_people.subscription_cancelled,
    }
)

EVENT_TYPES: Final = tuple(_READERS)
"""What to switch on at the provider."""


def is_secret(secret: str) -> bool:
    """`user:password`, neither empty."""
    user, colon, password = secret.partition(":")
    return bool(user and colon and password)


def verify(
    headers: Mapping[str, str],
    body: bytes,  # noqa: ARG001 - it is not signed
    secrets: Sequence[str],
    *,
    now: datetime,  # noqa: ARG001 - as above
) -> bool:
    """Whether the request brings the user and password of one of the secrets, in UTF-8.

    Chargebee signs nothing (this is HTTP basic authentication), so neither bytes nor time of a
    request are proven; the event's id is what stops a repetition.
    """
    header = next((text for name, text in headers.items() if name.lower() == _HEADER), "")
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != _SCHEME:
        return False
    try:
        sent = b64decode(encoded, validate=True)
    except ValueError:
        return False
    known = [secret.encode(errors="surrogatepass") for secret in secrets if is_secret(secret)]
    return any(hmac.compare_digest(sent, secret) for secret in known)


def read(body: bytes, *, live: bool, received_at: datetime, with_tax: bool = False) -> Meaning:
    """What a stored body means. Never raises: what is not Chargebee's is Senseless.

    live: the workspace's mode; what tells of a test site is ignored in a live one. with_tax:
    whether commissions are worked out on amounts with their tax.
    """
    return read_message(
        body,
        id_name="id",
        type_name="event_type",
        types=_READERS,
        read_event=partial(_read_event, live=live, received_at=received_at, with_tax=with_tax),
    )


def _read_event(
    message: Node, external_id: str, *, live: bool, received_at: datetime, with_tax: bool
) -> Meaning:
    event_type = message.needed_id("event_type")
    if live and _of_test_site(message, external_id):
        return of_other_mode(external_id, event_type, livemode=False)
    reader = _READERS.get(event_type)
    if reader is None:
        return ignored(external_id, event_type)
    if message.text("api_version") not in ("", "v2"):
        raise message.wrong("api_version", "not v2, which is to be chosen for this webhook")
    occurred_at = message.instant("occurred_at")
    if occurred_at is None:
        raise message.wrong("occurred_at", "missing")
    if "content" not in message:
        raise message.wrong("content", "missing")
    return reader(
        Occurrence(
            external_id=external_id,
            type=event_type,
            occurred_at=occurred_at,
            received_at=received_at,
            content=message.node("content"),
            with_tax=with_tax,
        )
    )


def _of_test_site(message: Node, external_id: str) -> bool:
    """A site named `…-test`, or an id as test sites make them: sure signs, but often absent."""
    sites = (message.fields.get(name) for name in ("site", "site_id", "site_name"))
    named = any(isinstance(site, str) and site.endswith("-test") for site in sites)
    return named or "__test__" in external_id
