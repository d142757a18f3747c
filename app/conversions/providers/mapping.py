"""What a payload means, before anybody knows whose workspace it concerns.

A provider's reader turns bytes into a Meaning and never fails: what it can't make sense of is a
value too. Personal data stays in Contact, so that the rest may become an Event.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final, get_args
from uuid import UUID

import orjson

from app.core.events import Body, DealTouch, Kind, RefundTotal
from app.core.reasons import Param, Reason

NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})
"""Of a message whose body says everything, as Stripe's do."""


@dataclass(frozen=True, slots=True)
class Alias:
    """One name of a customer, in plain: personal, never part of an Event."""

    namespace: str
    external_id: str


@dataclass(frozen=True, slots=True)
class Contact:
    """Who the message is about. No aliases: it names payments only, which tell whose it is.

    heard_from: how it came here, in the customer's own words.
    """

    aliases: tuple[Alias, ...]
    email: str = ""
    name: str = ""
    heard_from: str = ""


@dataclass(frozen=True, slots=True)
class Mapped:
    """A message that says something.

    click_ids: as they came; the caller verifies the tokens. payments: keys
    `provider:account:type:id`, those that the message says are one payment.
    codes: referral codes as the buyer typed them, or `provider:id` of a discount there.
    referrers: who referred the customer: a partner, or a customer by one of its names.
    deals: registered leads that turned out to be the customer.
    self_reported: who brought the customer in its own words: a partner, or a code as typed.
    country: ISO 3166-1 alpha-2 or empty. type: the sender's own word for the message.
    """

    external_id: str
    kind: Kind
    occurred_at: datetime
    body: Body
    click_ids: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    referrers: tuple[UUID | Alias, ...] = ()
    deals: tuple[DealTouch, ...] = ()
    self_reported: tuple[UUID | str, ...] = ()
    payments: tuple[str, ...] = ()
    country: str = ""
    contact: Contact = Contact(())
    program_ids: tuple[UUID, ...] = ()
    type: str = ""


@dataclass(frozen=True, slots=True)
class Ignored:
    """Understood, and nothing to us: kept, and read again when a later release knows it."""

    external_id: str
    reason: Reason
    type: str = ""


@dataclass(frozen=True, slots=True)
class Senseless:
    """Signed, but not what the provider documents: kept, and dead. reason: place and problem."""

    external_id: str
    reason: Reason
    type: str = ""


Meaning = Mapped | Ignored | Senseless


def fingerprint(meaning: Meaning) -> str:
    """SHA-256 (hex) of what may not differ under one key: kind, amounts, currency and customer.

    The customer is the first alias. Left out is what may be added or told otherwise without
    being another event: bytes, touches, lines, quantity, subscription, further aliases, country,
    names, and the time, which a sender may leave to us; only a dated refund total keeps it, since
    there the time decides which one is newest. Fields at their default are left out, so a field
    added later changes no stored fingerprint.
    """
    return hashlib.sha256(orjson.dumps(_essence(meaning), option=orjson.OPT_SORT_KEYS)).hexdigest()


def body_digest(body: bytes) -> str:
    """The external id of a message that has none of its own."""
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


def _essence(meaning: Meaning) -> dict[str, object]:
    if not isinstance(meaning, Mapped):
        params: dict[str, Param] = dict(meaning.reason.params)
        return {"id": meaning.external_id, "reason": meaning.reason.code, "params": params}
    body = meaning.body
    dated = isinstance(body, RefundTotal) and body.dated
    return {
        "id": meaning.external_id,
        "kind": meaning.kind,
        "body": _told(body),
        "customer": [(a.namespace, a.external_id) for a in meaning.contact.aliases[:1]],
        "payments": sorted(meaning.payments),
        "at": meaning.occurred_at.astimezone(UTC) if dated else None,
    }


def _told(body: Body) -> dict[str, object]:
    essentials = _ESSENTIALS[type(body)].items()
    return {name: v for name, default in essentials if (v := getattr(body, name)) != default}


_NOT_ESSENTIAL: Final = frozenset({"lines", "lines_complete", "quantity", "subscription"})
_ESSENTIALS: Final[Mapping[type, Mapping[str, object]]] = {
    body: {f.name: f.default for f in fields(body) if f.name not in _NOT_ESSENTIAL}
    for body in get_args(Body)
}
"""The fields that count, and their defaults."""
