"""What messages in our own schema mean, and that the published schema says what they may hold."""

from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.conversions.providers import standard, track
from app.conversions.providers.mapping import Alias, Contact, Mapped, Senseless
from app.conversions.providers.standard_schema import MESSAGES, json_schema, schema_text
from app.core.events import Churn, Dispute, Lead, Line, Named, Payment, Refund, RefundTotal
from tests.contract import standard_objects as objects
from tests.contract.meanings import reason
from tests.contract.oddities import sound
from tests.contract.standard_objects import NOW, TOKEN, Json, mapped, means

PUBLISHED = Path(__file__).parents[2] / "docs" / "standard-webhooks.schema.json"
INVOICE = ("own::invoice:INV-1",)
USER = Contact((Alias("own", "user-17"),))
CRM = [{"namespace": "crm", "external_id": "c-1"}]
LINES = [{"product_id": "p1", "amount": 60_00, "quantity": 2}, {"product_id": "p2", "amount": 4000}]

MEANINGS: tuple[tuple[Json, str, str, object], ...] = (
    (objects.lead(), "lead", "lead:", Lead("lead")),
    (objects.lead(event_name="demo", click_id=TOKEN), "lead", "lead:", Lead("demo")),
    (objects.sale(), "payment", "sale:INV-1",
     Payment(3, 100_00, 100_00, "usd", subscription="own::subscription:S-1")),
    (objects.sale(lines=LINES, subscription_id=None), "payment", "sale:INV-1",
     Payment(3, 100_00, 100_00, "usd", quantity=3,
             lines=(Line("p1", 60_00, 2), Line("p2", 40_00, 1)))),
    (objects.refund(), "refund_total", "refund_total:INV-1:3000:2026-03-01T12:00:00+00:00",
     RefundTotal(30_00, "usd")),
    (objects.refund(refund_id="R-1"), "refund", "refund:R-1",
     Refund("own::refund:R-1", 30_00, "usd", counts=True)),
    (objects.dispute(), "dispute", "message:msg_1",
     Dispute("own::dispute:D-1", 100_00, "usd", "open")),
    (objects.dispute(state="lost", amount=1), "dispute", "message:msg_1",
     Dispute("own::dispute:D-1", 1, "usd", "lost")),
    (objects.cancellation(), "churn", "message:msg_1", Churn("own::subscription:S-1")),
    (objects.customer(customer_aliases=CRM), "named", "message:msg_1", Named()),
)  # fmt: skip


@pytest.mark.parametrize(("payload", "kind", "external_id", "body"), MEANINGS)
def test_a_message_means(payload: Json, kind: str, external_id: str, body: object) -> None:
    meaning = mapped(payload)
    assert (meaning.kind, meaning.body, meaning.occurred_at) == (kind, body, NOW)
    assert meaning.type == payload["type"]
    if kind == "lead":
        assert meaning.external_id.startswith(external_id)
    else:
        assert meaning.external_id == external_id
    assert meaning.payments == (INVOICE if "invoice_id" in payload["data"] else ())


def test_a_sale_is_the_one_that_track_would_tell() -> None:
    """So the same sale by both ways is one payment."""
    told = track.sale(
        track.TrackSale(
            customer_external_id="user-17",
            amount=100_00,
            currency="usd",
            invoice_id="INV-1",
            subscription_id="S-1",
            received_at=NOW,
        )
    )
    assert mapped(objects.sale()) == replace(told, type="sale")


def test_a_customer_is_known_by_all_that_is_said() -> None:
    told = mapped(
        objects.customer(
            customer_aliases=CRM,
            click_ids=[TOKEN, TOKEN, "no token"],
            code="ana10",
            referrer={"customer_external_id": "user-3"},
            customer_email="bob@example.com",
            customer_name="Bob",
            customer_country="DE",
        )
    )
    assert told.contact == Contact((*USER.aliases, Alias("crm", "c-1")), "bob@example.com", "Bob")
    assert told.click_ids == (TOKEN, "no token")
    assert (told.codes, told.referrers) == (("ana10",), (Alias("own", "user-3"),))
    assert told.country == "DE"
    assert mapped(objects.cancellation()).contact == USER


def test_when_it_happened() -> None:
    """`data.occurred_at` if it is told, else the message's timestamp; nanoseconds are cut."""
    earlier = "2026-02-01T00:00:00+01:00"
    assert mapped(objects.sale(occurred_at=earlier)).occurred_at.isoformat() == (
        "2026-01-31T23:00:00+00:00"
    )
    precise = {**objects.sale(), "timestamp": "2026-03-01T12:00:00.123456789Z"}
    assert mapped(precise).occurred_at == NOW.replace(microsecond=123456)


def test_a_message_of_the_other_mode_is_kept_apart() -> None:
    for live in (True, False):
        said = {**objects.sale(), "livemode": live}
        assert isinstance(means(said, live=live), Mapped)
        assert reason(means(said, live=not live)) == "other_mode"
        assert isinstance(means(objects.sale(), live=live), Mapped)


def test_an_unknown_type_is_ignored() -> None:
    meaning = means(objects.message("invoice.viewed", anything=1))
    assert (reason(meaning), meaning.type) == ("event_ignored", "invoice.viewed")
    assert meaning.external_id == "message:msg_1"


@pytest.mark.parametrize("message_id", ["", "é", "a b", "x" * 256])
def test_without_an_id_the_bytes_name_it(message_id: str) -> None:
    assert means(objects.dispute(), message_id=message_id).external_id.startswith("sha256:")


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (b"", "body: not JSON"),
        (b"\xff{}", "body: not JSON"),
        (b"[" * 3_000 + b"]" * 3_000, "body: not JSON"),
        (b"[]", "body: not a JSON object"),
        (b"{}", "type: missing"),
        (b'{"type": 5}', "type: not a word"),
        (b'{"type": "<b>"}', "type: not a word"),
        (b'{"type": "sale", "data": {"\\u0000": [1]}}', "body: holds a NUL character"),
        (b'{"type": "sale", "data": [["\\u0000"]]}', "body: holds a NUL character"),
        (b'{"type": "lead"}', "timestamp: Field required"),
    ],
)
def test_a_body_that_is_no_message_is_kept_dead(body: bytes, place: str) -> None:
    meaning = means(body)
    assert isinstance(meaning, Senseless)
    assert reason(meaning) == place


@pytest.mark.parametrize(
    ("payload", "place"),
    [
        (objects.sale(amount="10000"), "data.amount"),
        (objects.sale(amount=10.0), "data.amount"),
        (objects.sale(amount=0), "data.amount"),
        (objects.sale(amount=10**13 + 1), "data.amount"),
        (objects.sale(currency="USD"), "data.currency"),
        (objects.sale(clickid=TOKEN), "data.clickid"),
        (objects.sale(**{"Bob <bob@example.com>": 1}), "data.?"),
        (objects.sale(lines=LINES[:1]), "data"),
        (objects.sale(occurred_at="2026-03-01T12:05:01Z"), "data.occurred_at"),
        (objects.lead(customer_country="Germany"), "data.customer_country"),
        (objects.dispute(state="thinking"), "data.state"),
        (objects.refund(invoice_id=None), "data.invoice_id"),
        ({**objects.sale(), "timestamp": 1_700_000_000}, "timestamp"),
        ({**objects.sale(), "timestamp": "2026-03-01T12:05:01Z"}, "timestamp"),
        ({**objects.sale(), "livemode": "maybe"}, "livemode"),
        ({**objects.sale(), "extra": 1}, "extra"),
    ],
)
def test_a_message_that_is_wrong_says_where(payload: Json, place: str) -> None:
    meaning = means(payload)
    assert isinstance(meaning, Senseless)
    assert meaning.reason.params["place"] == place
    assert meaning.reason.params["problem"]
    assert "bob@" not in str(meaning.reason.params)


def test_the_published_schema_is_the_reader_s() -> None:
    """Written by `python -m app.conversions.providers.standard_schema`."""
    assert PUBLISHED.read_text() == schema_text()
    told = {
        orjson.dumps(one["properties"]["type"]["const"]).decode().strip('"')
        for name, one in json_schema()["$defs"].items()
        if name.endswith("Message")
    }
    assert told == set(MESSAGES) == set(standard.EVENT_TYPES)


SAMPLES = tuple(payload for payload, *_ in MEANINGS)


@settings(max_examples=200, deadline=None)
@given(st.binary(), st.text())
def test_any_bytes_have_a_meaning(body: bytes, message_id: str) -> None:
    assert sound(means(body, message_id=message_id), NOW)
