"""Every object that Stripe publishes as an example means what we say, and breaks nothing."""

from pathlib import Path

import orjson
import pytest

from app.conversions.providers import stripe
from app.conversions.providers.mapping import Ignored, Mapped, Meaning
from app.core.events import Payment, Refund
from tests.contract.oddities import sound
from tests.contract.stripe_objects import Json, encoded, event
from tests.contract.stripe_reading import NOW, mapped, means

FIXTURES = Path(__file__).parents[3] / "shared" / "fixtures" / "stripe"
pytestmark = pytest.mark.skipif(not FIXTURES.is_dir(), reason="the published fixtures are not here")

MEANINGS = (
    ("account", "account.updated", "ignored", ()),
    ("charge", "charge.succeeded", "ignored", ()),
    ("charge", "charge.refunded", "refund_total", ("charge",)),
    ("checkout.session", "checkout.session.completed", "tie", ("session", "payment_intent")),
    ("coupon", "coupon.created", "ignored", ()),
    ("credit_note", "credit_note.created", "refund", ("invoice",)),
    ("credit_note", "credit_note.updated", "refund", ("invoice",)),
    ("credit_note", "credit_note.voided", "refund", ("invoice",)),
    ("customer", "customer.created", "ignored", ()),
    ("customer", "customer.updated", "ignored", ()),
    ("dispute", "charge.dispute.created", "ignored", ()),
    ("dispute", "charge.dispute.updated", "ignored", ()),
    ("dispute", "charge.dispute.closed", "ignored", ()),
    ("dispute", "charge.dispute.funds_withdrawn", "ignored", ()),
    ("dispute", "charge.dispute.funds_reinstated", "ignored", ()),
    ("invoice", "invoice.paid", "tie", ("invoice",)),
    ("invoice", "invoice.payment_succeeded", "ignored", ()),
    ("invoice_payment", "invoice_payment.paid", "ignored", ()),
    ("payment_intent", "payment_intent.succeeded", "ignored", ()),
    ("payout", "payout.paid", "ignored", ()),
    ("price", "price.created", "ignored", ()),
    ("product", "product.created", "ignored", ()),
    ("promotion_code", "promotion_code.created", "ignored", ()),
    ("refund", "refund.created", "refund", ("charge",)),
    ("refund", "refund.updated", "refund", ("charge",)),
    ("refund", "charge.refund.updated", "refund", ("charge",)),
    ("subscription", "customer.subscription.created", "ignored", ()),
    ("subscription", "customer.subscription.updated", "ignored", ()),
    ("subscription", "customer.subscription.deleted", "churn", ()),
    ("transfer", "transfer.created", "ignored", ()),
    ("transfer_reversal", "transfer.reversed", "ignored", ()),
)
"""File, type of the event around it, what it means, and the types of payments that it names."""


def published(name: str) -> Json:
    thing: Json = orjson.loads((FIXTURES / f"{name}.json").read_bytes())
    return thing


def word(meaning: Meaning) -> str:
    return meaning.kind if isinstance(meaning, Mapped) else type(meaning).__name__.lower()


@pytest.mark.parametrize(("name", "kind", "meaning", "payments"), MEANINGS)
def test_published_object_means_what_we_say(
    name: str, kind: str, meaning: str, payments: tuple[str, ...]
) -> None:
    got = means(event(kind, published(name)))
    assert word(got) == meaning
    named = got.payments if isinstance(got, Mapped) else ()
    assert tuple(key.split(":")[2] for key in named) == payments


def test_every_published_object_is_told() -> None:
    told = {name for name, *_ in MEANINGS} | {"event"}
    assert {path.stem for path in FIXTURES.glob("*.json")} == told


def test_published_event_is_read_as_it_stands() -> None:
    whole = published("event")
    assert word(stripe.read(encoded(whole), live=whole["livemode"], received_at=NOW)) == "ignored"
    other = stripe.read(encoded(whole), live=not whole["livemode"], received_at=NOW)
    assert isinstance(other, Ignored)
    assert other.reason.code == "other_mode"


def test_any_object_under_any_type_is_survived() -> None:
    things = [published(path.stem) for path in FIXTURES.glob("*.json")]
    for kind in (*stripe.EVENT_TYPES, "invoice.payment_succeeded"):
        for thing in things:
            assert sound(means(event(kind, thing)), NOW)


def test_published_invoice_is_a_sale_once_paid() -> None:
    thing = published("invoice") | {"amount_paid": 1_000, "status": "paid"}
    body = mapped(event("invoice.paid", thing)).body
    assert isinstance(body, Payment)
    assert (body.gross, body.base, body.lines[0].amount) == (1_000, 1_000, 1_000)
    assert body.subscription == "stripe::subscription:subscription"


def test_published_dispute_counts_once_it_is_no_inquiry() -> None:
    thing = published("dispute") | {"status": "needs_response"}
    assert word(means(event("charge.dispute.created", thing))) == "dispute"


def test_published_credit_note_leaves_nothing_to_its_refunds() -> None:
    """Its figures are made up: the refunds are more than the note."""
    body = mapped(event("credit_note.created", published("credit_note"))).body
    assert isinstance(body, Refund)
    assert (body.amount, body.counts) == (0, True)
