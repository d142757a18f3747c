"""The inbox as people see it: sources that change, what is stuck, contradictions, replays."""

import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from app.conversions.intake import inbox, replays
from app.conversions.intake.watch import watch_inbox
from app.core.reasons import because
from app.db.engine import Database
from tests.contract import stripe_objects as objects
from tests.contract.stripe_objects import checkout_session, refund
from tests.http.client import Api, make_program
from tests.http.selling import SECRET, Selling, open_selling, signature, verified

OTHER_SECRET = "whsec_another_0123456789"
SPAN = {"from": "2020-01-01T00:00:00Z", "to": "2100-01-01T00:00:00Z"}


@pytest.fixture
async def selling(api: Api, database: Database) -> AsyncIterator[Selling]:
    made = await open_selling(api, database)
    yield made
    await verified(made)


def sold(selling: Selling, name: str = "cs_1", **changes: Any) -> dict[str, Any]:
    session = checkout_session(client_reference_id=selling.click(), created=at(), **changes)
    session["id"], session["payment_intent"] = name, f"pi_{name}"
    return objects.event("checkout.session.completed", session, livemode=True, created=at())


def at() -> int:
    return int(time.time())


async def posted(selling: Selling, body: dict[str, Any], secret: str = SECRET) -> int:
    raw = objects.encoded(body)
    response = await selling.post(raw, {"Stripe-Signature": signature(raw, secret)})
    return response.status_code


async def change(selling: Selling, statement: str, **named: Any) -> None:
    async with selling.database.tx() as tx:
        own = text(f"{statement} AND workspace_id = :workspace")
        await tx.execute(own.bindparams(workspace=selling.workspace, **named))


async def settled(selling: Selling) -> None:
    while await inbox.settle(selling.database, selling.workspace):
        continue


async def test_a_secret_is_rolled_without_a_gap(selling: Selling) -> None:
    path = f"/sources/{selling.source['id']}"
    both = await selling.api.patch(path, {"signing_secrets": [SECRET, OTHER_SECRET]})
    assert both["signing_secrets"] == 2
    assert [await posted(selling, sold(selling), s) for s in (SECRET, OTHER_SECRET)] == [200, 200]
    answer = await selling.api.send("PATCH", path, json={"signing_secrets": [OTHER_SECRET]})
    assert answer.json() == {**both, "signing_secrets": 1}
    assert OTHER_SECRET not in answer.text
    assert [await posted(selling, sold(selling), s) for s in (SECRET, OTHER_SECRET)] == [401, 200]


async def test_what_is_absent_stays_and_what_is_wrong_changes_nothing(selling: Selling) -> None:
    path = f"/sources/{selling.source['id']}"
    changed = await selling.api.patch(path, {"with_tax": True, "api_key": "rk_live_0123456789"})
    assert (changed["with_tax"], changed["has_api_key"]) == (True, True)
    refused: tuple[dict[str, Any], ...] = (
        {"signing_secrets": []}, {"signing_secrets": ["no prefix but long enough"]},
        {"api_key": "pk_live_0123456789"}, {"api_key": "rk_live_\n0123456789"},
        {"with_tax": 1}, {"provider": "paddle"},
    )  # fmt: skip
    for wrong in refused:
        await selling.api.patch(path, wrong, status=422)
    unknown = {"program_ids": ["prog_01h45ytscbebyvny4gc8cr8ma2"]}
    await selling.api.patch(path, unknown, status=404)
    assert await selling.api.patch(path, {}) == changed
    forgotten = await selling.api.patch(path, {"api_key": None})
    assert forgotten == {**changed, "has_api_key": False}


async def test_tax_and_programs_change_what_comes_and_not_what_came(selling: Selling) -> None:
    """Each event is verified by what its source was on its day (see `verified`)."""
    first = sold(selling, "cs_1")
    assert earned(await selling.webhook(first)) == [2_000]
    path = f"/sources/{selling.source['id']}"
    await selling.api.patch(path, {"with_tax": True})
    assert earned(await selling.webhook(sold(selling, "cs_2", customer="cus_2"))) == [2_400]
    # The first one again is the first one, although it would be read with tax now.
    again = await selling.webhook(first)
    assert (earned(again), again["conflicts"]) == ([2_000], 0)
    other = await make_program(selling.api)
    await selling.api.patch(path, {"program_ids": [other["id"]]})
    assert earned(await selling.webhook(sold(selling, "cs_3", customer="cus_3"))) == []


def earned(event: Any) -> list[int]:
    return [c["amount"] for c in event["outcome"]["commissions"]]


async def test_a_contradiction_is_kept_beside_what_it_contradicts(selling: Selling) -> None:
    first = sold(selling)
    event = await selling.webhook(first)
    assert event["conflicting"] == []
    other = {**first, "data": {"object": {**first["data"]["object"], "amount_total": 9_000}}}
    for _ in range(2):
        again = await selling.webhook(other)
    assert (again["id"], again["conflicts"], again["outcome"]) == (event["id"], 2, event["outcome"])
    (otherwise,) = again["conflicting"]
    assert otherwise["times"] == 2
    bodies = [one["understood"]["body"] for one in (again["said"], otherwise)]
    assert [body["gross"] for body in bodies] == [12_000, 9_000]
    assert otherwise["customers"] == again["said"]["customers"] != []
    listed = await selling.api.get("/events?conflicting=true")
    assert [one["id"] for one in listed["data"]] == [event["id"]]
    assert (await selling.api.get("/events?conflicting=false"))["data"] == []
    # A person is handed it, and it goes with the person.
    export = await selling.api.get(f"/customers/{event['customer_id']}/export")
    assert sorted(one["state"] for one in export["events"]) == ["applied", "conflicting"]
    await selling.api.post(f"/customers/{event['customer_id']}/erase", status=200)
    assert (await selling.stored())["event_bodies"] == 0
    assert (await selling.api.get(f"/events/{event['id']}"))["conflicting"][0]["customers"] == []


async def test_what_waits_too_long_is_reported_once_and_taken_up_all_the_same(
    selling: Selling,
) -> None:
    then = at() - 9 * 86_400
    back = refund(created=then, payment_intent="pi_cs_1", charge=None, amount=3_000)
    parked = await selling.webhook(
        objects.event("refund.created", back, livemode=True, created=then)
    )
    path = f"/events/{parked['id']}"
    term = timedelta(days=7)
    assert (parked["state"], parked["overdue_at"]) == ("parked", None)
    await watch_inbox(selling.database, parked=term)
    assert (await selling.api.get("/events?overdue=true"))["data"] == []
    await change(selling, "UPDATE events SET received_at = now() - interval '8 days' WHERE true")
    assert await watch_inbox(selling.database, parked=term) == 1
    assert await watch_inbox(selling.database, parked=term) == 0
    (listed,) = (await selling.api.get("/events?overdue=true"))["data"]
    reasons = [reason["code"] for reason in listed["outcome"]["reasons"]]
    assert (listed["id"], reasons) == (parked["id"], ["waiting_for_sale", "parent_missing"])
    assert listed["overdue_at"] in listed["outcome"]["reasons"][1]["text"]
    sale = await selling.webhook(sold(selling))
    assert sale["outcome"]["commissions"][0]["reversed"] == 500
    found = await selling.api.get(path)
    assert (found["state"], found["overdue_at"] is None) == ("applied", False)
    assert "parent_missing" not in [r["code"] for r in found["outcome"]["reasons"]]
    assert (await selling.api.get("/events?overdue=true"))["data"] == []


async def unread(selling: Selling, *bodies: dict[str, Any], state: str) -> None:
    """Webhooks as an older reader left them: they meant nothing to it."""
    for body in bodies:
        assert await posted(selling, body) == 200
    await change(
        selling,
        "UPDATE events SET state = :state, mapped = NULL, fingerprint = 'older', occurred_at = NULL"
        " WHERE decision_no IS NULL",
        state=state,
    )


async def replayed(selling: Selling, state: str, **span: str) -> Any:
    told = await selling.api.post("/events/replay", {**SPAN, "state": state, **span}, status=202)
    while await replays.go_on(selling.database, selling.api.app.state.secret_keys):
        await settled(selling)
    return await selling.api.get(f"/events/replays/{told['id']}")


async def test_a_range_is_read_by_todays_reader(
    selling: Selling, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replays, "CHUNK", 2)
    people = [sold(selling, f"cs_{n}", customer=f"cus_{n}") for n in range(5)]
    await unread(selling, *people, state="ignored")
    unknown = objects.event("plan.created", {"id": "plan_1"}, livemode=True)
    await selling.webhook(unknown)
    before = datetime.now(UTC) - timedelta(hours=1)
    early = await replayed(selling, "ignored", to=before.isoformat())
    assert (early["matched"], early["looked_at"], early["put_back"]) == (0, 0, 0)
    for state in ("dead", "applied", "parked", "received"):
        idle = await replayed(selling, state)
        assert (idle["put_back"], idle["finished_at"] is None) == (0, False)
    done = await replayed(selling, "ignored")
    assert (done["matched"], done["looked_at"], done["put_back"]) == (6, 6, 5)
    assert done["finished_at"] is not None
    assert (await selling.stored())["conversions"] == 5
    again = await replayed(selling, "ignored")
    assert (again["matched"], again["put_back"]) == (1, 0)
    assert (await selling.stored())["conversions"] == 5
    listed = await selling.api.get("/events/replays")
    assert [one["id"] for one in listed["data"]][:2] == [again["id"], done["id"]]


async def test_dead_letters_tell_why_and_are_tried_again(selling: Selling) -> None:
    assert await posted(selling, sold(selling)) == 200
    reason = because("decision_failed", error="KeyError", attempts=8)
    await change(
        selling,
        "UPDATE events SET state = 'dead', attempts = 8, reasons = CAST(:reasons AS jsonb)"
        " WHERE true",
        reasons=f'[{{"code": "{reason.code}", "params": {{"error": "KeyError", "attempts": 8}}}}]',
    )
    (dead,) = (await selling.api.get("/events?state=dead"))["data"]
    assert (dead["attempts"], dead["outcome"]["reasons"][0]["code"]) == (8, "decision_failed")
    assert (await replayed(selling, "dead"))["put_back"] == 1
    event = await selling.api.get(f"/events/{dead['id']}")
    assert (event["state"], event["attempts"], earned(event)) == ("applied", 0, [2_000])


async def test_what_waits_for_another_try_is_tried_at_once(selling: Selling) -> None:
    assert await posted(selling, sold(selling)) == 200
    await change(
        selling,
        "UPDATE events SET attempts = 5, next_attempt_at = now() + interval '1 hour' WHERE true",
    )
    await settled(selling)
    assert (await selling.stored())["conversions"] == 0
    assert (await replayed(selling, "received"))["put_back"] == 1
    assert (await selling.stored())["conversions"] == 1


async def test_what_an_older_reader_ignored_is_taken_up_when_it_comes_again(
    selling: Selling,
) -> None:
    body = sold(selling)
    await unread(selling, body, state="ignored")
    event = await selling.webhook(body)
    assert (event["state"], event["conflicts"], earned(event)) == ("applied", 0, [2_000])
    # Under an id that meant nothing another message may come; the first one's bytes count.
    other = sold(selling, "cs_2", customer="cus_2")
    await unread(selling, other, state="dead")
    changed = {**other, "data": {"object": {**other["data"]["object"], "amount_total": 9_000}}}
    event = await selling.webhook(changed)
    assert (event["state"], event["conflicts"], earned(event)) == ("applied", 1, [2_000])


@pytest.mark.parametrize(
    "wrong",
    [
        {"state": "gone"}, {"from": SPAN["to"]}, {"from": "yesterday"}, {"to": None}, {"x": 1},
    ],
)  # fmt: skip
async def test_a_wrong_range_is_refused(selling: Selling, wrong: dict[str, Any]) -> None:
    problem = await selling.api.post("/events/replay", {**SPAN, "state": "dead", **wrong}, 422)
    assert problem["errors"][0]["place"].startswith("body")


HOSTILE = [
    (b'"amount":3000', b'"amount":1,"amount":3000'),
    (b'"amount":3000', b'"amount":' + b"9" * 4_000),
    (b'"amount":3000', b'"amount":18446744073709551617'),
    (b'"amount":3000', b'"amount":3e3'),
    (b'"amount":3000', b'"amount":1e999'),
    (b'"amount":3000', b'"amount":NaN'),
    (b'"metadata":{}', b'"metadata":{"a":"\\u0000"}'),
    (b'"metadata":{}', b'"metadata":{"a":"\\ud800"}'),
    (b'"metadata":{}', b'"metadata":' + b'{"a":' * 900 + b"1" + b"}" * 900),
    (b'"metadata":{}', b'"metadata":' + b"[" * 100_000 + b"]" * 100_000),
    (b'"metadata":{}', b'"metadata":[{}]'),
    (b'"type":"refund.created"', b'"type":"' + b"x" * 1_900_000 + b'"'),
    (b'"type":"refund.created"', b'"type":"\\u0000"'),
    (b'{"id":"evt_', b'\xef\xbb\xbf{"id":"evt_'),
    (b'{"id":"evt_', b'{"id":"' + "é".encode() * 10_000),
    (b'{"id":"evt_', b'{"id":[],"id":"evt_'),
]


@pytest.mark.parametrize(("plain", "hostile"), HOSTILE)
async def test_signed_bytes_of_any_kind_are_kept_and_harmless(
    selling: Selling, plain: bytes, hostile: bytes
) -> None:
    thing = refund(created=at())
    body = objects.encoded(objects.event("refund.created", thing, livemode=True, created=at()))
    assert plain in body
    spoiled = body.replace(plain, hostile, 1)
    event = await selling.webhook(spoiled)
    assert event["state"] in {"dead", "ignored", "parked"}
    assert event["outcome"]["reasons"]
    async with selling.database.read() as read:
        kept = await read.scalar(
            text("SELECT body FROM event_bodies WHERE workspace_id = :workspace").bindparams(
                workspace=selling.workspace
            )
        )
    assert kept == spoiled
    again = await selling.webhook(spoiled)
    assert (again["id"], again["conflicts"]) == (event["id"], 0)
    await selling.api.post(f"/events/{event['id']}/replay", status=202)
    await settled(selling)
    assert (await selling.stored())["events"] == 1
