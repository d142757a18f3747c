"""Paddle's own payloads, as its Python SDK ships them: what each means, in a table."""

from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest

from app.conversions.providers import paddle
from app.conversions.providers.mapping import Mapped, Meaning
from app.core.events import Churn, Payment, Refund
from tests.contract.oddities import sound
from tests.contract.paddle_objects import NOW, notification
from tests.contract.paddle_reading import means

FIXTURES = Path(__file__).parents[3] / "shared" / "fixtures" / "paddle"
pytestmark = pytest.mark.skipif(not FIXTURES.is_dir(), reason="the published fixtures are not here")

PUBLISHED = {
    "adjustment.created": ("refund", "usd 100, which does not count while pending approval"),
    "adjustment.updated": ("refund", "usd 100, which does not count while pending approval"),
    "customer.created": ("named", "Jo Brown <jo@example.com>"),
    "customer.updated": ("named", "Jo Brown-Anderson <jo@example.com>"),
    "discount.created": ("ignored", "event_ignored"),
    "subscription.activated": ("ignored", "event_ignored"),
    "subscription.canceled": ("churn", "sub_01hv8x29kz0t586xy6zn1a62ny on 2024-04-12"),
    "subscription.created": ("named", "with code paddle:dsc_01hv6scyf7qdnzcdq01t2y8dx4"),
    "subscription.updated": ("ignored", "event_ignored"),
    "transaction.completed": ("payment", "usd 65215 with tax, 59900 without: 30000 10000 19900"),
    "transaction.paid": ("payment", "usd 65215 with tax, 59900 without: 30000 10000 19900"),
}


def told(meaning: Meaning) -> tuple[str, str]:
    """A meaning in words, for the table."""
    if not isinstance(meaning, Mapped):
        return type(meaning).__name__.lower(), meaning.reason.code
    match meaning.body:
        case Payment() as sale:
            lines = " ".join(str(line.amount) for line in sale.lines)
            words = f"{sale.currency} {sale.gross} with tax, {sale.base} without: {lines}"
        case Refund() as refund:
            words = f"{refund.currency} {refund.amount}"
            words += "" if refund.counts else ", which does not count while pending approval"
        case Churn() as churn:
            words = f"{churn.subscription.rpartition(':')[2]} on {meaning.occurred_at:%Y-%m-%d}"
        case _ if meaning.codes:
            words = f"with code {' '.join(meaning.codes)}"
        case _:
            words = f"{meaning.contact.name} <{meaning.contact.email}>"
    return meaning.kind, words


def test_published_payloads_mean_what_the_table_says() -> None:
    found = {path.stem: orjson.loads(path.read_bytes()) for path in FIXTURES.glob("*.json")}
    at = datetime(2024, 4, 16, tzinfo=UTC)
    meanings = {kind: means(notification(kind, thing, at=at)) for kind, thing in found.items()}
    assert {kind: told(meaning) for kind, meaning in meanings.items()} == PUBLISHED
    sales = [meanings["transaction.paid"], meanings["transaction.completed"]]
    assert len({meaning.occurred_at for meaning in sales if isinstance(meaning, Mapped)}) == 1


def test_published_entities_are_survived_under_every_type() -> None:
    for path in FIXTURES.glob("*.json"):
        for kind in paddle.EVENT_TYPES:
            assert sound(means(notification(kind, orjson.loads(path.read_bytes()))), NOW)
