"""Signed Stripe webhooks, made before a clock runs: each a new customer's first invoice.

The buyer clicked a partner's link two hours before, so every one becomes a commission.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

import orjson
from sqlalchemy import insert

from app.core import click_token
from app.db.tables import Source
from app.ids import encode
from app.secret_keys import SecretKeys
from bench.clicks import CLICK_KEYS, SECRET
from tests import making
from tests.contract import stripe_invoices
from tests.contract.stripe_objects import encoded, event, signed
from tests.making import Shop, ago

SIGNING_SECRET = "whsec_for_benchmarks"


@dataclass(frozen=True, slots=True)
class Webhook:
    """signature: the header's value."""

    target: str
    signature: str
    body: bytes

    @property
    def line(self) -> str:
        """As `webhooks.lua` reads it."""
        return f"{self.target}\t{self.signature}\t{self.body.decode()}\n"

    @property
    def request(self) -> bytes:
        head = (
            f"POST {self.target} HTTP/1.1\r\nHost: api.example\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(self.body)}\r\n"
            f"Stripe-Signature: {self.signature}\r\n\r\n"
        )
        return head.encode() + self.body


async def make_source(shop: Shop) -> UUID:
    """A Stripe source of the shop, sealed with the benchmarks' secret key."""
    source = uuid4()
    sealed = SecretKeys([SECRET]).seal(orjson.dumps([SIGNING_SECRET]), owner=source.bytes)
    async with shop.database.tx() as tx:
        await tx.execute(
            insert(Source).values(
                id=source, workspace_id=shop.workspace, provider="stripe", sealed_secrets=sealed
            )
        )
    return source


def make_webhooks(shop: Shop, source: UUID, count: int) -> Iterator[Webhook]:
    """Signed now, so they have to be sent within five minutes."""
    target, now, partners = (
        f"/v1/webhooks/{encode('src', source)}",
        int(time.time()),
        list(shop.links),
    )
    for number in range(count):
        unique = uuid4().hex[:20]
        click = _click(shop, partners[number % len(partners)])
        bill = stripe_invoices.invoice(
            f"in_{unique}",
            customer=f"cus_{unique}",
            subscription=f"sub_{unique}",
            subscription_metadata={"click_id": click},
            created=now,
            paid_at=now,
        )
        body = encoded(event("invoice.paid", bill, created=now))
        signature = signed(body, SIGNING_SECRET, now)["Stripe-Signature"]
        yield Webhook(target, signature, body)


def write(folder: Path, number: int, webhooks: Iterator[Webhook]) -> None:
    """For wrk's round of this number."""
    with (folder / f"webhooks-{number}").open("w") as file:
        file.writelines(webhook.line for webhook in webhooks)


def _click(shop: Shop, partner: str) -> str:
    """A token under the benchmarks' key, where `tests.making` signs with its own."""
    token = click_token.verify(shop.click(partner, ago(hours=2)), making.CLICK_KEYS)
    assert token is not None
    return click_token.sign(token, CLICK_KEYS)
