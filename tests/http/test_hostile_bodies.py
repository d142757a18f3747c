"""Signed bodies of any kind, by every provider: kept as they came, harmless, or refused whole."""

import base64
import hashlib
import hmac
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text

from app.conversions.providers.registry import PROVIDERS
from app.db.engine import Database
from app.limits import MAX_WEBHOOK_BYTES
from tests.contract import (
    chargebee_objects,
    paddle_objects,
    shopify_objects,
    standard_objects,
    stripe_objects,
)
from tests.contract.stripe_invoices import invoice
from tests.http.client import Api
from tests.http.selling import SECRET, Selling, open_selling, verified

PADDLE, CHARGEBEE = "pdl_ntfset_0123456789", "chargebee:0123456789"


@dataclass(frozen=True)
class Sender:
    """A provider's side. body: a sale of its own each time. amount: the bytes that tell how much.
    base: what that is without tax. event_id: where the message's own id is, if the body has it.
    """

    secret: str
    body: Callable[[], bytes]
    headers: Callable[[bytes], Mapping[str, str]]
    amount: bytes
    base: int
    event_id: bytes = b""


def standard_headers(body: bytes) -> dict[str, str]:
    """As the library signs, which takes nothing but text."""
    message, at = f"msg_{uuid4().hex}", str(int(time.time()))
    key = base64.b64decode(standard_objects.SECRET.removeprefix("whsec_"))
    mac = hmac.digest(key, f"{message}.{at}.".encode() + body, hashlib.sha256)
    signed = f"v1,{base64.b64encode(mac).decode()}"
    return {"webhook-id": message, "webhook-timestamp": at, "webhook-signature": signed}


def stripe_headers(body: bytes) -> dict[str, str]:
    """As the library signs, which takes nothing but text."""
    at = str(int(time.time()))
    mac = hmac.digest(SECRET.encode(), f"{at}.".encode() + body, hashlib.sha256)
    return {"Stripe-Signature": f"t={at},v1={mac.hex()}"}


def stripe_body() -> bytes:
    said = stripe_objects.event("invoice.paid", invoice(), livemode=True, created=int(time.time()))
    return stripe_objects.encoded({**said, "id": f"evt_{uuid4().hex}"})


def paddle_body() -> bytes:
    said = paddle_objects.notification("transaction.completed", paddle_objects.transaction())
    return paddle_objects.encoded(said)


SENDERS = {
    "stripe": Sender(
        SECRET,
        stripe_body,
        stripe_headers,
        b'"amount_paid":12000',
        10_000,
        b'"id":"evt_',
    ),
    "paddle": Sender(
        PADDLE,
        paddle_body,
        lambda body: {
            "Paddle-Signature": paddle_objects.signed(body, PADDLE, at=datetime.now(UTC))
        },
        b'"grand_total":"12000"',
        10_000,
        b'"event_id":"evt_',
    ),
    "chargebee": Sender(
        CHARGEBEE,
        lambda: chargebee_objects.encoded(
            chargebee_objects.event("payment_succeeded", invoice=chargebee_objects.invoice())
        ),
        lambda _body: {"Authorization": chargebee_objects.authorized(CHARGEBEE)},
        b'"amount_paid":12000',
        10_000,
        b'"id":"ev_',
    ),
    "shopify": Sender(
        shopify_objects.SECRET,
        lambda: shopify_objects.encoded(shopify_objects.order()),
        lambda body: {
            **shopify_objects.headers("orders/paid", uuid4().hex),
            "X-Shopify-Hmac-Sha256": shopify_objects.signature(body),
        },
        b'"total_price":"119.00"',
        10_000,
    ),
    "standard": Sender(
        standard_objects.SECRET,
        lambda: standard_objects.encoded(standard_objects.sale()),
        standard_headers,
        b'"amount":10000',
        10_000,
    ),
}
WHOLE = (
    b"", b" ", b"nonsense", b"null", b"1", b'"x"', b"[]", b"{}", b"[{}]", b"\0", b"\xff\xfe{}",
    b"\xef\xbb\xbf{}", b"{'a': 1}", b'{"a": 1,}', b'{"a": NaN}',
    b'{"\\ud800": 1}', b'{"\\u0000": 1}',
    b'{"a":' * 2_000 + b"1" + b"}" * 2_000, b"[" * 100_000, b"[" * 100_000 + b"]" * 100_000,
    b'{"id":"' + b"x" * 1_900_000 + b'"}', "é".encode("latin-1"),
)  # fmt: skip
AMOUNTS = (
    b"9" * 4_000, b"18446744073709551617", b"9223372036854775808", b"-1", b"-9223372036854775809",
    b"12000.0", b"0.5", b"1.2e4", b"1e999", b"-0.0", b"NaN", b"Infinity", b"null", b"true", b"[]",
    b"{}", b"[12000]", b'""', b'"x"', b'"1e3"', b'"-1"', b'"NaN"', b'"12_000"', b'"0x10"',
    b'" 12000"', b'"\\u0000"', b'"\xff"', '"１２０００"'.encode(), b'"' + b"9" * 4_000 + b'"',
)  # fmt: skip
STRANGE = (
    b'"zz":"\\u0000"', b'"zz":"\\ud800"', b'"\\u0000":1', b'"zz":' + b"9" * 4_000, b'"zz":1e999',
    b'"zz":' + b'{"a":' * 900 + b"1" + b"}" * 900, b'"zz":' + b"[" * 50_000 + b"]" * 50_000,
    b'"zz":"' + b"x" * 1_500_000 + b'"', b'"zz":1,"zz":{}', b'"id":[],"type":{}',
    b'"event_id":7,"event_type":7', b'"data":[],"content":[]', b'"livemode":"no","test":"no"',
)  # fmt: skip
"""At the beginning of a body that means something; what stands twice counts as it stands last."""


def spoiled(sender: Sender) -> Iterator[bytes]:
    yield from WHOLE
    key, plain = sender.amount.split(b":", 1)
    for amount in AMOUNTS:
        yield sender.body().replace(sender.amount, key + b":" + amount)
    for odd in (b"1", b"null", b"[]", b'"x"'):
        yield sender.body().replace(sender.amount, b"%b:%b,%b:%b" % (key, odd, key, plain), 1)
    for strange in STRANGE:
        yield sender.body().replace(b"{", b"{" + strange + b",", 1)
    if sender.event_id:
        name = sender.event_id.split(b":")[0]
        for odd in (b"[],", b'"\\u0000",', b'"' + b"x" * 10_000 + b'",', b"7,"):
            yield sender.body().replace(sender.event_id, name + b":" + odd + sender.event_id, 1)
            yield sender.body().replace(sender.event_id, name + b":" + odd + b'"zz":"', 1)


@pytest.fixture(params=sorted(SENDERS))
async def sender(request: pytest.FixtureRequest) -> Sender:
    return SENDERS[request.param]


async def open_source(api: Api, database: Database, sender: Sender) -> tuple[Selling, str]:
    selling = await open_selling(api, database)
    (provider,) = (name for name, one in SENDERS.items() if one is sender)
    source = {"provider": provider, "signing_secrets": [sender.secret]}
    return selling, (await api.post("/sources", source))["id"]


def test_every_provider_is_here() -> None:
    assert SENDERS.keys() == PROVIDERS.keys()


async def test_signed_bodies_of_any_kind_are_kept_and_harmless(
    api: Api, database: Database, sender: Sender
) -> None:
    selling, source = await open_source(api, database, sender)
    kept: dict[str, bytes] = {}
    for body in (sender.body(), *spoiled(sender)):
        headers = sender.headers(body)
        response = await selling.post(body, headers, source=source)
        # Stripe's library and that of Standard Webhooks verify nothing that is no text.
        answers = {200} if is_text(body) else {200, 401}
        assert response.status_code in answers, (body[:200], response.text)
        if response.status_code == 200:
            event_id = response.json()["event_id"]
            kept.setdefault(event_id, body)
            again = await selling.post(body, headers, source=source)
            assert again.json() == {"event_id": event_id, "duplicate": True}
    assert len(kept) > len(AMOUNTS)
    await selling.settle()
    for event_id, body in kept.items():
        event = await api.get(f"/events/{event_id}")
        assert event["state"] in {"applied", "parked", "ignored", "dead"}, body[:200]
        assert event["attempts"] == 0, body[:200]
    assert await bodies(selling) >= set(kept.values())
    told = (await api.get("/conversions"))["data"]
    assert {one["amount"] for one in told} == {sender.base}
    await verified(selling)


async def test_more_than_two_million_bytes_are_refused_whole(
    api: Api, database: Database, sender: Sender
) -> None:
    selling, source = await open_source(api, database, sender)
    body = sender.body().ljust(MAX_WEBHOOK_BYTES)
    response = await selling.post(body + b" ", sender.headers(body + b" "), source=source)
    assert (response.status_code, (await selling.stored())["events"]) == (413, 0)
    response = await selling.post(body, sender.headers(body), source=source)
    assert (response.status_code, (await selling.stored())["events"]) == (200, 1)


def is_text(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


async def bodies(selling: Selling) -> set[bytes]:
    async with selling.database.read() as read:
        rows: Any = await read.all(
            text("SELECT body FROM event_bodies WHERE workspace_id = :workspace").bindparams(
                workspace=selling.workspace
            )
        )
    return {bytes(row.body) for row in rows}
