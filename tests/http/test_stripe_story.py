"""A subscriber's life told by Stripe, through the real API: the same cents in every order."""

from collections import Counter
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.db.engine import Database
from tests.contract import stripe_invoices as bills
from tests.contract import stripe_objects as objects
from tests.contract.steps import shuffled, tell_in_turn
from tests.contract.stripe_older import older
from tests.contract.stripe_story import StripeSubscriber
from tests.http.client import Api
from tests.http.selling import Selling, open_selling, signature, verified

ORDERS = 24
"""So many subscribers live the same story, each told in an order of its own."""
SINCE = datetime.now(UTC).replace(microsecond=0) - timedelta(days=100)


@pytest.fixture
async def selling(api: Api, database: Database) -> AsyncIterator[Selling]:
    made = await open_selling(api, database)
    yield made
    await verified(made)


def subscriber(selling: Selling, number: int) -> StripeSubscriber:
    """Who clicked an hour before the trial."""
    return StripeSubscriber(number, selling.click(SINCE - timedelta(hours=1)), SINCE)


@pytest.mark.parametrize("version", ["newest", "older"])
async def test_every_step_of_the_story_to_the_cent(selling: Selling, version: str) -> None:
    for step in subscriber(selling, 0).story():
        for event in _in_version(version, step.messages):
            assert (await selling.webhook(event))["state"] in {"applied", "ignored"}, step.name
        assert await selling.balance() == step.balance, step.name

    upgrade, renewal, sale = (await selling.api.get("/commissions"))["data"]
    shown = [
        {name: one[name] for name in ("status", "amount", "reversed", "held", "base")}
        for one in (sale, renewal, upgrade)
    ]
    assert shown == [
        {"status": "pending", "amount": 20_00, "reversed": 2_00, "held": 0, "base": 100_00},
        {"status": "pending", "amount": 20_00, "reversed": 5_04, "held": 0, "base": 100_00},
        {"status": "void", "amount": 14_00, "reversed": 14_00, "held": 0, "base": 70_00},
    ]
    moves = (await selling.api.get(f"/commissions/{upgrade['id']}"))["adjustments"]
    assert [(m["code"], m["amount"]) for m in moves] == [
        ("award", 14_00),
        ("held", 14_00),
        ("reversal", 14_00),
    ]
    conversions = (await selling.api.get("/conversions"))["data"]
    told = [(c["kind"], c["amount"], c["refunded"]) for c in reversed(conversions)]
    assert told == [
        ("sale", 100_00, 11_90),
        ("renewal", 100_00, 30_00),
        ("renewal", 70_00, 83_30),
    ]


async def test_what_is_held_says_so_over_http(selling: Selling) -> None:
    for event in subscriber(selling, 0).events(until="second dispute"):
        await selling.webhook(event)
    held = (await selling.api.get("/commissions?status=held"))["data"]
    # Of 18.00 that are left of the first sale, 8.40 are stopped.
    assert [(c["amount"], c["reversed"], c["held"]) for c in held] == [
        (14_00, 0, 14_00),
        (20_00, 2_00, 8_40),
    ]
    conversion = await selling.api.get(f"/conversions/{held[1]['conversion_id']}")
    assert [reason["text"] for reason in conversion["reasons"]][-2:] == [
        "11.90 USD of 119.00 USD was refunded.",
        "A dispute over 50.00 USD of 119.00 USD is open; what was earned on it is held.",
    ]
    accounts = (await selling.api.get("/ledger/accounts"))["data"]
    assert {a["role"]: a["balance"] for a in accounts} == {
        "expense": -46_96,
        "pending": 24_56,
        "held": 22_40,
    }


async def test_any_order_ends_in_the_same_cents(selling: Selling) -> None:
    """One in two stories stops with both disputes open, one in three is told by an older API
    version; some events come twice.
    """
    people = [subscriber(selling, number) for number in range(ORDERS)]
    told: list[Any] = []
    for one in people:
        events = one.events(until="" if one.number % 2 else "evidence")
        events = _in_version("newest" if one.number % 3 else "older", events)
        told.append(shuffled(events, one.number, twice=3))

    async def post(event: Any) -> None:
        body = objects.encoded(event)
        response = await selling.post(body, {"Stripe-Signature": signature(body)})
        assert response.status_code == 200, response.text

    await tell_in_turn(told, post, selling.settle)

    half = ORDERS // 2
    assert await selling.balance() == {
        "pending": half * (32_96 + 24_56),
        "held": half * 22_40,
    }
    for state in ("parked", "dead"):
        assert not await selling.api.all(f"/events?state={state}")
    stand = Counter(
        (c["status"], c["amount"], c["reversed"], c["held"])
        for c in await selling.api.all("/commissions")
    )
    assert stand == {
        ("pending", 20_00, 2_00, 0): half,
        ("pending", 20_00, 5_04, 0): 2 * half,
        ("void", 14_00, 14_00, 0): half,
        ("held", 20_00, 2_00, 8_40): half,
        ("held", 14_00, 0, 14_00): half,
    }


def _in_version(version: str, events: Iterable[Any]) -> list[Any]:
    if version == "newest":
        return list(events)
    return [then for event in events if (then := older(event)) is not None]


@pytest.mark.parametrize("session_first", [True, False])
async def test_a_promotion_code_earns_without_a_click(
    selling: Selling, *, session_first: bool
) -> None:
    """Only the session tells the code, and only the invoice tells the sale."""
    made = {
        "program_id": selling.program["id"],
        "partner_id": selling.partner["id"],
        "code": "FALL20",
        "provider_ids": ["stripe:promo_1"],
    }
    await selling.api.post("/codes", made)
    # A code is somebody's from when it is made.
    now = int(datetime.now(UTC).timestamp()) + 1
    session = objects.checkout_session(
        mode="subscription", payment_intent=None, invoice="in_1", subscription="sub_1", created=now
    )
    session["discounts"] = [{"coupon": "Z4OV52SU", "promotion_code": "promo_1"}]
    told = [
        objects.event("checkout.session.completed", session, created=now, livemode=True),
        objects.event("invoice.paid", bills.invoice(paid_at=now), created=now, livemode=True),
    ]
    for event in told if session_first else reversed(told):
        assert (await selling.webhook(event))["state"] == "applied"
    (commission,) = (await selling.api.get("/commissions"))["data"]
    assert (commission["amount"], commission["status"]) == (20_00, "pending")
    whole = await selling.api.get(f"/commissions/{commission['id']}")
    assert "FALL20" in whole["explanation"][0]["text"]
