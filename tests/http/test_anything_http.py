"""Whatever JSON own servers or a signed webhook send: an answer, a decision, books that verify."""

import copy
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import orjson
import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.db.engine import Database
from tests.contract import stripe_invoices as invoices
from tests.contract import stripe_objects as objects
from tests.contract import stripe_reversals as reversals
from tests.http.client import new_workspace
from tests.http.selling import Selling, open_selling, verified

TRACK: dict[str, dict[str, Any]] = {
    "lead": {
        "customer_external_id": "u",
        "event_name": "x",
        "customer_aliases": [{"namespace": "own", "external_id": "v"}],
        "click_ids": ["x"],
        "customer_email": "a@example.com",
        "customer_country": "DE",
        "metadata": {"a": 1},
    },
    "sale": {
        "customer_external_id": "u",
        "amount": 1_000,
        "currency": "usd",
        "invoice_id": "I",
        "lines": [{"product_id": "p", "amount": 1_000, "quantity": 2}],
        "subscription_id": "s",
        "occurred_at": "2026-01-31T12:00:00Z",
    },
    "refund": {
        "invoice_id": "I",
        "amount_refunded": 10,
        "currency": "usd",
        "refund_id": "R",
        "occurred_at": "2026-01-31T12:00:00Z",
    },
}
STRIPE: dict[str, Callable[[], dict[str, Any]]] = {
    "checkout.session.completed": objects.checkout_session,
    "customer.created": lambda: objects.customer(metadata={"finderfee_customer_id": "u"}),
    "customer.subscription.deleted": objects.subscription,
    "invoice.paid": invoices.invoice,
    "invoice_payment.paid": invoices.invoice_payment,
    "payment_intent.succeeded": lambda: objects.payment_intent(metadata={"click_id": "x"}),
    "charge.succeeded": objects.charge,
    "charge.refunded": lambda: objects.charge(amount_refunded=1_000),
    "refund.created": objects.refund,
    "charge.dispute.created": reversals.dispute,
    "charge.dispute.closed": lambda: reversals.dispute(status="lost"),
    "credit_note.created": reversals.credit_note,
    "customer.discount.created": reversals.discount,
}
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([0, 1, -1, 10**13, 10**13 + 1, 2**63, 2**64, 1.5, 1e300])
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.sampled_from(["", "u", "\0", "usd", "jpy", "kwd", "DE", "x" * 300, "0001-01-01T00:00:00Z"])
)
ANYTHING = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)
EXPECTED = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
"""One workspace takes all examples of a test: what they leave has to verify together."""


@pytest.fixture
async def selling(app: FastAPI, database: Database) -> AsyncIterator[Selling]:
    made = await open_selling(await new_workspace(app, database), database)
    yield made
    await verified(made)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of everything in a document."""
    if path:
        yield path
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from places(inner, (*path, name))
    if isinstance(value, list):
        for number, inner in enumerate(value):
            yield from places(inner, (*path, number))


@st.composite
def spoiled(draw: st.DrawFn, document: dict[str, Any]) -> dict[str, Any]:
    """The document with something else in one to three of its places."""
    made = copy.deepcopy(document)
    for _ in range(draw(st.integers(1, 3))):
        *way, last = draw(st.sampled_from(list(places(made))))
        holder: Any = made
        for step in way:
            holder = holder[step]
        holder[last] = draw(ANYTHING)
    return made


def encoded(document: dict[str, Any]) -> bytes | None:
    try:
        return orjson.dumps(document)
    except TypeError:
        return None  # integers and texts that JSON libraries don't write


@settings(max_examples=150, deadline=None, suppress_health_check=EXPECTED)
@given(what=st.sampled_from(list(TRACK)), draw=st.data())
async def test_track_answers_anything(selling: Selling, what: str, draw: st.DataObject) -> None:
    body = encoded(draw.draw(spoiled(TRACK[what])))
    if body is None:
        return
    response = await selling.api.send("POST", f"/track/{what}", content=body)
    assert response.status_code in {200, 400, 404, 409, 422}, response.text
    if response.status_code != 200:
        problem = response.json()
        assert problem["code"] == "conflicting_event" or problem["errors"][0]["remedy"]


@settings(max_examples=200, deadline=None, suppress_health_check=EXPECTED)
@given(kind=st.sampled_from(list(STRIPE)), draw=st.data())
async def test_a_signed_webhook_is_decided_whatever_it_says(
    selling: Selling, kind: str, draw: st.DataObject
) -> None:
    whole = objects.event(kind, STRIPE[kind](), livemode=True, created=int(time.time()))
    body = encoded(draw.draw(spoiled(whole)))
    if body is None:
        return
    event = await selling.webhook(body)
    assert event["state"] in {"applied", "parked", "ignored", "dead"}
    assert event["attempts"] == 0
