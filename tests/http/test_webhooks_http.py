"""Webhooks, sources and events: what is not signed is not stored, what is senseless is dead."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.db.engine import Database
from app.ids import encode, uuid7
from app.limits import MAX_WEBHOOK_BYTES
from tests.contract import stripe_objects as objects
from tests.contract.stripe_objects import checkout_session, customer, refund
from tests.http.client import Api, make_program, read
from tests.http.selling import SECRET, Selling, open_selling, signature, verified

OTHER_SECRET = "whsec_another_0123456789"


@pytest.fixture
async def selling(api: Api, database: Database) -> AsyncIterator[Selling]:
    made = await open_selling(api, database)
    yield made
    await verified(made)


def sold(selling: Selling, **changes: Any) -> dict[str, Any]:
    """A paid session with our click, as a live workspace gets it."""
    session = checkout_session(client_reference_id=selling.click(), created=at(), **changes)
    return objects.event("checkout.session.completed", session, livemode=True, created=at())


def at() -> int:
    return int(time.time())


BODY = b'{"id": "evt_1", "object": "event"}'
WELL = signature(BODY).partition("v1=")[2]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Stripe-Signature": ""},
        {"Stripe-Signature": "nonsense"},
        {"Stripe-Signature": f"v1={WELL}"},
        {"Stripe-Signature": "t=1,v1="},
        {"Stripe-Signature": f"t=,v1={WELL}"},
        {"Stripe-Signature": f"t={at()},v1={WELL[:-1]}"},
        {"Stripe-Signature": f"t={at()},v0={WELL}"},
        {"Stripe-Signature": f"t={'9' * 400},v1={WELL}"},
        {b"Stripe-Signature": b"t=\xff\xfe,v1=\xff"},
        {"Stripe-Signature": signature(BODY, OTHER_SECRET)},
        {"Stripe-Signature": signature(BODY + b" ")},
        {"Stripe-Signature": signature(BODY, off_s=-301)},
        {"Stripe-Signature": signature(BODY, off_s=3_600)},
        {"Authorization": "Bearer x" * 9},
        {"Webhook-Signature": signature(BODY)},
    ],
)
async def test_a_bad_signature_stores_nothing(selling: Selling, headers: Any) -> None:
    response = await selling.post(BODY, headers)
    problem = read(response, 401)
    assert problem["code"] == "signature_invalid"
    assert "signing secret" in problem["detail"]
    assert (await selling.stored())["events"] == (await selling.stored())["event_bodies"] == 0


async def test_a_signature_belongs_to_its_bytes_and_its_source(
    selling: Selling, stranger: Api, database: Database
) -> None:
    body = objects.encoded(sold(selling))
    headers = {"Stripe-Signature": signature(body)}
    theirs = await open_selling(stranger, database)
    for changed in (body + b"\n", body[:-1], b"", b"\xff" + body):
        assert (await selling.post(changed, headers)).status_code == 401
    rolled = {"provider": "stripe", "signing_secrets": [OTHER_SECRET]}
    other = await selling.api.post("/sources", rolled)
    assert (await selling.post(body, headers, source=other["id"])).status_code == 401
    assert (await selling.stored())["events"] == 0
    assert (await theirs.stored())["events"] == 0
    assert (await selling.post(body, headers)).status_code == 200


async def test_a_source_that_is_none_takes_nothing(selling: Selling) -> None:
    headers = {"Stripe-Signature": signature(BODY)}
    for source in (encode("src", uuid7()), "src_x", selling.partner["id"], "a%00b"):
        response = await selling.post(BODY, headers, source=source)
        assert read(response, 404)["code"] == "not_found"
    await selling.api.delete(f"/sources/{selling.source['id']}")
    assert (await selling.post(BODY, headers)).status_code == 404
    assert (await selling.stored())["events"] == 0


async def test_a_body_over_two_million_bytes_is_refused(selling: Selling) -> None:
    body = b'{"id": "evt_1"}'.ljust(MAX_WEBHOOK_BYTES)
    headers = {"Stripe-Signature": signature(body)}
    problem = read(await selling.post(body + b" ", headers), 413)
    assert problem["errors"][0]["remedy"]
    assert (await selling.stored())["events"] == 0
    assert (await selling.post(body, headers)).status_code == 200


def spoiled(**changes: Any) -> dict[str, Any]:
    """A refund event with one thing wrong in its object."""
    return objects.event(
        "refund.created", {**refund(created=at()), **changes}, livemode=True, created=at()
    )


SENSELESS: list[tuple[bytes | dict[str, Any], str]] = [
    (b"", "body"),
    (b"nonsense", "body"),
    (b"[]", "body"),
    (b'{"a":' * 2_000 + b"1" + b"}" * 2_000, "body"),
    (b"{}", "id"),
    (b'{"id": "evt_1"}', "type"),
    (b'{"id": "evt_1", "type": 5}', "type"),
    (b'{"id": "evt_1", "type": "invoice.paid"}', "livemode"),
    (b'{"id": "evt_1", "type": "invoice.paid", "livemode": true}', "created"),
    (b'{"id": "evt_1", "type": "invoice.paid", "livemode": true, "created": 1}', "data.object"),
    (spoiled(amount=30.0), "data.object.amount"),
    (spoiled(amount="3000"), "data.object.amount"),
    (spoiled(amount=-1), "data.object.amount"),
    (spoiled(amount=10**13 + 1), "data.object.amount"),
    (spoiled(amount=None), "data.object.amount"),
    (spoiled(currency="xxx"), "data.object.currency"),
    (spoiled(currency=None), "data.object.currency"),
    (spoiled(id="re\x001"), "data.object.id"),
    (spoiled(payment_intent={"id": 7}), "data.object.payment_intent.id"),
    (objects.event("refund.created", refund(), livemode=True, created=2**33), "created"),
]


@pytest.mark.parametrize(("body", "place"), SENSELESS)
async def test_what_is_signed_but_senseless_is_kept_dead(
    selling: Selling, body: Any, place: str
) -> None:
    event = await selling.webhook(body)
    assert event["state"] == "dead"
    (reason,) = event["outcome"]["reasons"]
    assert (reason["code"], reason["params"]["place"]) == ("senseless", place)
    assert reason["text"].startswith(f"{place}: ")
    stored = await selling.stored()
    assert (stored["events"], stored["event_bodies"]) == (1, 1)
    assert stored["customers"] == stored["conversions"] == 0
    # It stays dead, and harmless, however often it is tried.
    again = await selling.api.post(f"/events/{event['id']}/replay", status=202)
    assert again["state"] == "dead"


async def test_what_means_nothing_to_us_is_ignored(selling: Selling) -> None:
    other_mode = objects.event("refund.created", refund())
    unknown = objects.event("plan.created", {"id": "plan_1"}, livemode=True)
    plain = objects.event("customer.updated", customer(), livemode=True)
    expected = ((other_mode, "other_mode"), (unknown, "event_ignored"), (plain, "event_ignored"))
    for body, code in expected:
        event = await selling.webhook(body)
        assert (event["state"], event["outcome"]["reasons"][0]["code"]) == ("ignored", code)
    assert (await selling.stored())["customers"] == 0


async def test_many_at_once_are_each_answered_for_themselves(selling: Selling) -> None:
    """One commit stores them; the bad ones don't spoil it, equal ones are stored once."""
    good = [objects.encoded(sold(selling, id=f"cs_{n}")) for n in range(10)]
    requests = [(body, signature(body)) for body in (*good, *good, b"{}")]
    requests += [(good[0], "t=1,v1=0"), (good[1], signature(good[2]))]
    answers = await asyncio.gather(
        *(selling.post(body, {"Stripe-Signature": header}) for body, header in requests)
    )
    assert [answer.status_code for answer in answers] == [200] * 21 + [401] * 2
    told = [answer.json() for answer in answers[:20]]
    assert len({one["event_id"] for one in told}) == 10
    assert sorted(one["duplicate"] for one in told) == [False] * 10 + [True] * 10
    assert (await selling.stored())["events"] == 11


async def test_a_session_is_decided_and_told(selling: Selling) -> None:
    body = sold(selling)
    event = await selling.webhook(body)
    assert (event["state"], event["type"], event["external_id"]) == (
        "applied",
        "checkout.session.completed",
        body["id"],
    )
    assert event["source_id"] == selling.source["id"]
    assert [c["amount"] for c in event["outcome"]["commissions"]] == [2_000]
    replayed = await selling.api.post(f"/events/{event['id']}/replay", status=202)
    assert replayed == event


async def test_a_source_limits_which_programs_earn(selling: Selling) -> None:
    other = await make_program(selling.api)
    limited = {"provider": "stripe", "signing_secrets": [SECRET], "program_ids": [other["id"]]}
    selling.source = await selling.api.post("/sources", limited)
    event = await selling.webhook(sold(selling))
    reasons = [reason["code"] for reason in event["outcome"]["reasons"]]
    assert reasons == ["program_filtered", "no_eligible_touch"]


async def test_a_secret_goes_in_and_never_comes_out(selling: Selling) -> None:
    body = objects.encoded(sold(selling))
    two = {"provider": "stripe", "signing_secrets": [OTHER_SECRET, SECRET]}
    made = await selling.api.send("POST", "/sources", json=two)
    shown = made.json()
    assert "checkout.session.completed" in shown["event_types"]
    assert shown["webhook_url"].endswith(f"/v1/webhooks/{shown['id']}")
    for secret in (OTHER_SECRET, SECRET):
        answer = await selling.post(
            body, {"Stripe-Signature": signature(body, secret)}, source=shown["id"]
        )
        assert answer.status_code == 200
    listed = await selling.api.send("GET", "/sources")
    got = await selling.api.send("GET", f"/sources/{shown['id']}")
    assert not [a for a in (made, listed, got) if SECRET in a.text or OTHER_SECRET in a.text]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("provider", "stripes"),
        ("provider", "paypal"),
        ("signing_secrets", []),
        ("signing_secrets", SECRET),
        ("signing_secrets", ["whsec_short"]),
        ("signing_secrets", ["no prefix but long enough"]),
        ("signing_secrets", [SECRET] * 6),
        ("program_ids", ["prog_1"]),
        ("secret", SECRET),
    ],
)
async def test_a_wrong_source_is_refused_in_its_place(
    selling: Selling, field: str, value: Any
) -> None:
    body = {"provider": "stripe", "signing_secrets": [SECRET], field: value}
    problem = await selling.api.post("/sources", body, status=422)
    assert all(error["place"].startswith(f"body/{field}") for error in problem["errors"])
    assert all(error["remedy"] for error in problem["errors"])
    assert len((await selling.api.get("/sources"))["data"]) == 1
