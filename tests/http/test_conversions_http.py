"""`/v1/track/*` and what is read of it: exact answers, and whatever is wrong is refused whole."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi import FastAPI

from app.db import engine
from app.db.engine import Database
from app.ids import encode, uuid7
from app.limits import MAX_BODY_BYTES
from app.secret_keys import SecretKeys
from app.settings import Settings
from tests.http.client import Api, click_on, make_partner, make_program, new_workspace, read
from tests.http.selling import Selling, open_selling, verified

LEAD = {"customer_external_id": "user-17"}
SALE = {
    "customer_external_id": "user-17", "amount": 10_000, "currency": "usd", "invoice_id": "INV-1",
}  # fmt: skip
REFUND = {"invoice_id": "INV-1", "amount_refunded": 3_000, "currency": "usd"}
GOOD: dict[str, dict[str, Any]] = {"lead": LEAD, "sale": SALE, "refund": REFUND}
LINE = {"product_id": "p", "amount": 10_000}


@pytest.fixture
async def selling(api: Api, database: Database) -> AsyncIterator[Selling]:
    made = await open_selling(api, database)
    yield made
    await verified(made)


@pytest.fixture(scope="module")
async def refusing(app: FastAPI, database: Database) -> AsyncIterator[Selling]:
    """One workspace for everything that is refused: nothing of it may stay there."""
    made = await open_selling(await new_workspace(app, database), database)
    yield made
    assert not any((await made.stored()).values())


def now(**off: float) -> str:
    return (datetime.now(UTC) + timedelta(**off)).isoformat()


async def tell(selling: Selling, what: str, **changes: Any) -> Any:
    return await selling.api.post(f"/track/{what}", {**GOOD[what], **changes}, status=200)


def codes(answer: Any) -> list[str]:
    return [reason["code"] for reason in answer["outcome"]["reasons"]]


AMOUNTS = ["100", "10000.0", 100.0, 1.5, True, None, [1], {}, -1, 10**13 + 1, 10**18, 10**30]
WRONG: list[tuple[str, str, Any]] = [
    *[("sale", "amount", amount) for amount in (*AMOUNTS, 0)],
    *[("refund", "amount_refunded", amount) for amount in AMOUNTS],
    *[(what, "currency", c) for what in ("sale", "refund") for c in ("USD", "usdt", "", 840, None)],
    *[(what, "unknown", 1) for what in GOOD],
    *[(what, "occurred_at", at) for what in GOOD for at in ("2026-01-01", 5, "now")],
    *[("lead", "customer_external_id", one) for one in ("", 17, None, "x" * 256, ["user"])],
    *[("sale", "invoice_id", one) for one in ("", 17, "x" * 256)],
    ("refund", "refund_id", ""),
    ("lead", "event_name", ""),
    ("lead", "customer_email", "nobody"),
    ("lead", "customer_country", "de"),
    ("lead", "program_id", "part_01h45ytscbebyvny4gc8cr8ma2"),
    ("lead", "click_id", 5),
    ("lead", "click_id", "x" * 256),
    ("lead", "click_ids", ["x"] * 21),
    ("lead", "customer_aliases", [{"namespace": "stri pe", "external_id": "cus_1"}]),
    ("lead", "customer_aliases", [{"namespace": "stripe:"}]),
    ("lead", "metadata", {"a": {"b": 1}}),
    ("lead", "metadata", {"a": 1.5}),
    ("lead", "referrer", "user-1"),
    ("sale", "quantity", 0),
    ("sale", "quantity", 1.0),
    ("sale", "lines", [{**LINE, "amount": 10_000.0}]),
    ("sale", "lines", [{**LINE, "quantity": -1}]),
    ("sale", "lines", [{**LINE, "price": 1}]),
]


@pytest.mark.parametrize(("what", "field", "value"), WRONG)
async def test_a_wrong_field_is_refused_in_its_place(
    refusing: Selling, what: str, field: str, value: Any
) -> None:
    wrong = {**GOOD[what], field: value}
    problem = await refusing.api.post(f"/track/{what}", wrong, status=422)
    assert problem["code"] == "invalid_request"
    assert all(error["place"].startswith(f"body/{field}") for error in problem["errors"])
    assert all(error["problem"] and error["remedy"] for error in problem["errors"])
    assert (await refusing.stored())["events"] == 0


@pytest.mark.parametrize(
    ("what", "changes"),
    [
        ("lead", {"click_id": "a", "click_ids": ["b"]}),
        ("sale", {"lines": [{**LINE, "amount": 9_999}]}),
        ("sale", {"lines": [LINE], "product_id": "p"}),
    ],
)
async def test_fields_that_contradict_each_other_are_refused(
    refusing: Selling, what: str, changes: dict[str, Any]
) -> None:
    problem = await refusing.api.post(f"/track/{what}", {**GOOD[what], **changes}, status=422)
    (error,) = problem["errors"]
    assert error["place"] == "body"
    assert error["problem"]
    assert error["remedy"]
    assert (await refusing.stored())["events"] == 0


@pytest.mark.parametrize("what", GOOD)
async def test_every_needed_field_is_asked_for(refusing: Selling, what: str) -> None:
    problem = await refusing.api.post(f"/track/{what}", {}, status=422)
    assert [error["place"] for error in problem["errors"]] == [f"body/{n}" for n in GOOD[what]]


@pytest.mark.parametrize("what", GOOD)
async def test_whatever_is_not_our_json_is_refused(refusing: Selling, what: str) -> None:
    too_long = b'{"metadata": {"a": "' + b"x" * MAX_BODY_BYTES + b'"}}'
    for body, status in (
        (b"", 422), (b"{", 400), (b"\xff", 400), (b"[]", 422), (b"null", 422), (too_long, 413),
        (b'{"invoice_id": "\\u0000"}', 422), (b'{"a":' * 40 + b"1" + b"}" * 40, 400),
    ):  # fmt: skip
        response = await refusing.api.send("POST", f"/track/{what}", content=body)
        problem = read(response, status)
        assert problem["errors"][0]["place"].startswith("body"), body
        assert problem["errors"][0]["remedy"], body
    assert (await refusing.stored())["events"] == 0


async def test_a_time_ahead_of_ours_is_refused_past_five_minutes(selling: Selling) -> None:
    body = {**SALE, "occurred_at": now(minutes=6)}
    problem = await selling.api.post("/track/sale", body, status=422)
    assert problem["errors"][0]["place"] == "body/occurred_at"
    assert problem["errors"][0]["remedy"]
    assert (await selling.stored())["events"] == 0
    await tell(selling, "sale", occurred_at=now(minutes=4))


async def test_another_s_program_is_not_found(refusing: Selling, stranger: Api) -> None:
    for program in (await make_program(stranger))["id"], encode("prog", uuid7()):
        body = {**SALE, "program_id": program}
        problem = await refusing.api.post("/track/sale", body, status=404)
        assert problem["errors"][0]["place"] == "body/program_id"
    assert (await refusing.stored())["events"] == 0


async def test_only_a_key_that_may_write_tells_anything(refusing: Selling) -> None:
    reader = await refusing.api.with_scopes("conversions:read", "commissions:read")
    for what, body in GOOD.items():
        problem = await reader.post(f"/track/{what}", body, status=403)
        assert problem["code"] == "missing_scope"
    assert (await refusing.stored())["events"] == 0


async def test_nothing_is_stored_where_postgres_cannot_be_reached() -> None:
    from app.api import build  # noqa: PLC0415 (only this test builds an API of its own)

    pools = Database("postgresql://postgres@127.0.0.1:1/none")
    app = build(pools, Settings(), SecretKeys(["k" * 32]), lambda: True)
    webhook = f"/webhooks/{encode('src', uuid7())}"
    for path, body in (("/track/sale", SALE), (webhook, {})):
        response = await Api(app, "k" * 40).send("POST", path, json=body)
        assert read(response, 503)["code"] == "unavailable"
        assert int(response.headers["retry-after"]) > 0
    await pools.close()


async def test_a_busy_lane_refuses_all_at_once_and_stores_nothing(
    selling: Selling, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What waits together is refused together, not one time-out after the other."""
    monkeypatch.setattr(engine, "LANE_LOCK_TIMEOUT_MS", 200)
    sales = [{**SALE, "invoice_id": f"INV-{n}"} for n in range(12)]
    async with selling.database.lane(selling.workspace):
        began = time.monotonic()
        answers = await asyncio.gather(
            *(selling.api.send("POST", "/track/sale", json=sale) for sale in sales)
        )
        assert time.monotonic() - began < 1.5
    for answer in answers:
        assert read(answer, 503)["code"] == "busy"
        assert int(answer.headers["retry-after"]) > 0
    assert (await selling.stored())["events"] == 0
    for sale in sales:
        assert (await tell(selling, "sale", **sale))["duplicate"] is False


async def test_a_sale_with_a_click_is_paid_and_explained(selling: Selling) -> None:
    told = await tell(selling, "sale", click_id=selling.click(), amount=12_345)
    (commission,) = told["outcome"]["commissions"]
    assert (commission["amount"], commission["currency"]) == (2_469, "usd")
    assert commission["partner_id"] == selling.partner["id"]
    assert codes(told) == ["touch_counted", "attributed", "rule_paid"]
    again = await tell(selling, "sale", amount=12_345)
    assert again == {**told, "duplicate": True}


async def test_yen_have_no_cents(selling: Selling) -> None:
    told = await tell(selling, "sale", click_id=selling.click(), amount=999, currency="jpy")
    # 20 % of 999 yen is 199.8.
    assert told["outcome"]["commissions"][0]["amount"] == 200
    assert told["outcome"]["reasons"][-1]["text"].endswith("20 % of 999 JPY: 200 JPY.")


async def test_a_click_id_that_is_none_refuses_nothing(selling: Selling, stranger: Api) -> None:
    theirs = await make_partner(stranger, await make_program(stranger))
    tokens = ["nonsense", click_on(theirs["default_link"], stranger.app)]
    told = await tell(selling, "sale", click_ids=tokens)
    assert told["outcome"]["commissions"] == []
    assert codes(told) == ["token_invalid", "link_unknown", "no_eligible_touch"]
    assert all(id_ not in str(told) for id_ in (theirs["id"], theirs["default_link"]["id"]))


@pytest.mark.parametrize(
    ("what", "changes"),
    [
        ("sale", {"amount": 10_001}),
        ("sale", {"currency": "eur"}),
        ("sale", {"customer_external_id": "user-18"}),
        ("refund", {"amount_refunded": 3_001, "refund_id": "R1"}),
    ],
)
async def test_another_meaning_under_the_same_key_is_a_conflict(
    selling: Selling, what: str, changes: dict[str, Any]
) -> None:
    key = {"refund_id": "R1"} if what == "refund" else {}
    first = await tell(selling, what, **key)
    before = await selling.stored()
    body = {**GOOD[what], **key, **changes}
    problem = await selling.api.post(f"/track/{what}", body, status=409)
    assert problem["code"] == "conflicting_event"
    # Nothing comes of it, but what it said is kept, to compare.
    assert await selling.stored() == {**before, "event_bodies": before["event_bodies"] + 1}
    event = await selling.api.get(f"/events/{first['event_id']}")
    assert (event["conflicts"], event["outcome"]) == (1, first["outcome"])
    (other,) = event["conflicting"]
    assert (other["times"], other["understood"]["kind"]) == (1, event["said"]["understood"]["kind"])
    assert [other[n] for n in ("understood", "customers")] != [
        event["said"][n] for n in ("understood", "customers")
    ]
    (listed,) = (await selling.api.get("/events?conflicting=true"))["data"]
    assert listed["id"] == event["id"]


async def refunded(selling: Selling) -> int:
    ((sale,), _) = (await selling.api.get("/conversions?kind=sale")).values()
    assert isinstance(sale["refunded"], int)
    return sale["refunded"]


async def test_refunds_with_ids_sum_and_never_pass_the_gross(selling: Selling) -> None:
    await tell(selling, "sale", click_id=selling.click())
    await tell(selling, "refund", refund_id="R1")
    assert await refunded(selling) == 3_000
    told = await tell(selling, "refund", refund_id="R2", amount_refunded=2_000)
    assert await refunded(selling) == 5_000
    assert [c["reversed"] for c in told["outcome"]["commissions"]] == [1_000]
    told = await tell(selling, "refund", refund_id="R3", amount_refunded=10**13)
    assert await refunded(selling) == 10_000
    assert [c["status"] for c in told["outcome"]["commissions"]] == ["void"]


async def test_refunds_without_ids_are_totals(selling: Selling) -> None:
    await tell(selling, "sale")
    for amount, total in ((3_000, 3_000), (1_000, 3_000), (4_000, 4_000)):
        await tell(selling, "refund", amount_refunded=amount)
        assert await refunded(selling) == total


async def test_of_dated_totals_the_latest_counts(selling: Selling) -> None:
    await tell(selling, "sale", occurred_at=now(hours=-9))
    for hours, amount, total in ((-5, 3_000, 3_000), (-1, 1_000, 1_000), (-3, 9_000, 1_000)):
        await tell(selling, "refund", amount_refunded=amount, occurred_at=now(hours=hours))
        assert await refunded(selling) == total


async def test_a_refund_in_another_currency_moves_nothing(selling: Selling) -> None:
    await tell(selling, "sale", click_id=selling.click())
    told = await tell(selling, "refund", currency="eur")
    assert codes(told)[-1] == "refund_currency_differs"
    assert [c["reversed"] for c in told["outcome"]["commissions"]] == [0]


async def test_a_refund_of_an_unknown_sale_waits(selling: Selling) -> None:
    told = await tell(selling, "refund")
    assert (told["outcome"]["conversion_id"], codes(told)) == (None, ["waiting_for_sale"])
    (waiting,) = (await selling.api.get("/events?state=parked"))["data"]
    assert waiting["id"] == told["event_id"]
    sold = await tell(selling, "sale", click_id=selling.click())
    assert [c["reversed"] for c in sold["outcome"]["commissions"]] == [600]
    assert (await selling.api.get("/events?state=parked"))["data"] == []
