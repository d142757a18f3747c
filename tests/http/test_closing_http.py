"""What has closed stays as it is, whatever comes late; what is open is decided anew."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.db.engine import Database
from tests.http.client import PLAN, Api, click_on, make_partner
from tests.http.selling import Selling, open_selling, verified


@pytest.fixture
async def selling(api: Api, database: Database) -> AsyncIterator[Selling]:
    """Conversions close with their decision: no hold, no late window."""
    terms = {**PLAN, "hold_days": 0, "late_days": 0}
    made = await open_selling(api, database, plan=terms)
    yield made
    await verified(made)


async def sale(selling: Selling, invoice: str, **more: Any) -> Any:
    body = selling.sale(invoice_id=invoice, **more)
    return (await selling.api.post("/track/sale", body, status=200))["outcome"]


async def touched(selling: Selling, token: str, name: str = "late") -> None:
    """A click of the customer becomes known."""
    body = {"customer_external_id": "user-17", "event_name": name, "click_id": token}
    await selling.api.post("/track/lead", body, status=200)


def codes(outcome: Any) -> list[str]:
    return [reason["code"] for reason in outcome["reasons"]]


async def conversion(selling: Selling, outcome: Any) -> Any:
    return await selling.api.get(f"/conversions/{outcome['conversion_id']}")


async def test_a_late_touch_binds_from_the_next_open_sale_on(selling: Selling) -> None:
    token = selling.click()
    first = await sale(selling, "I1")
    assert codes(first) == ["no_touch"]
    await touched(selling, token)
    closed = await conversion(selling, first)
    assert (closed["commissions"], closed["credits"]) == ([], [])
    second = await sale(selling, "I2")
    assert [c["amount"] for c in second["commissions"]] == [2_000]
    assert (await conversion(selling, first))["commissions"] == []


async def test_a_closed_sale_keeps_its_partner(selling: Selling) -> None:
    bo = await make_partner(selling.api, selling.program, name="Bo", email="bo@example.com")
    tokens = [selling.click(), click_on(bo["default_link"], selling.api.app)]
    first = await sale(selling, "I1", click_id=tokens[0])
    before = await conversion(selling, first)
    await touched(selling, tokens[1])
    assert await conversion(selling, first) == before
    second = await sale(selling, "I2", click_id=tokens[1])
    assert codes(second)[0] == "bound"
    assert [c["partner_id"] for c in second["commissions"]] == [selling.partner["id"]]


async def test_a_closed_sale_still_moves_by_refunds(selling: Selling) -> None:
    first = await sale(selling, "I1", click_id=selling.click(), amount=999)
    for amount, reversed_ in ((333, 67), (998, 200), (999, 200)):
        body = {"invoice_id": "I1", "amount_refunded": amount, "currency": "usd"}
        told = await selling.api.post("/track/refund", body, status=200)
        assert [c["reversed"] for c in told["outcome"]["commissions"]] == [reversed_]
    whole = await conversion(selling, first)
    assert (whole["refunded"], whole["commissions"][0]["status"]) == (999, "void")


async def test_two_closed_sales_that_turn_out_to_be_one_customer_s_stand(
    selling: Selling,
) -> None:
    first = await sale(selling, "I1", click_id=selling.click())
    other = await sale(selling, "I2", click_id=selling.click(), customer_external_id="user-18")
    before = [await conversion(selling, one) for one in (first, other)]
    joined = {
        "customer_external_id": "user-17",
        "customer_aliases": [{"namespace": "own", "external_id": "user-18"}],
    }
    await selling.api.post("/track/lead", joined, status=200)
    after = [await conversion(selling, one) for one in (first, other)]
    for old, new in zip(before, after, strict=True):
        same = ("credits", "amount", "kind", "new", "program_id", "hold_until", "reasons")
        assert {name: new[name] for name in same} == {name: old[name] for name in same}
        assert [c["amount"] for c in new["commissions"]] == [2_000]
    assert after[0]["customer_id"] == after[1]["customer_id"]


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00.000001Z", "1969-12-31T23:59:59.999999Z"])
async def test_a_sale_of_long_ago_is_a_sale(selling: Selling, at: str) -> None:
    token = selling.click()
    told = await sale(selling, "I1", occurred_at=at, click_id=token)
    assert codes(told) == ["after_sale", "no_eligible_touch"]
    assert (await conversion(selling, told))["occurred_at"] == at
    later = await sale(selling, "I2", click_id=token)
    assert codes(later)[0] == "after_first_conversion"


@pytest.mark.parametrize("end", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"])
async def test_the_ends_of_time_are_no_instants(selling: Selling, end: str) -> None:
    """The driver writes them as infinity, and reads that without an offset."""
    body = selling.sale(occurred_at=end)
    problem = await selling.api.post("/track/sale", body, status=422)
    assert problem["errors"][0]["place"] == "body/occurred_at"
    await selling.api.get(f"/conversions?from={end}", status=422)


async def test_a_paused_program_earns_nothing_meanwhile(selling: Selling) -> None:
    token = selling.click()
    await selling.api.patch(f"/programs/{selling.program['id']}", {"status": "paused"})
    paused = await sale(selling, "I1", click_id=token)
    assert codes(paused) == ["program_paused", "no_eligible_touch"]
    await selling.api.patch(f"/programs/{selling.program['id']}", {"status": "active"})
    active = await sale(selling, "I2")
    assert [c["amount"] for c in active["commissions"]] == [2_000]
    # What is told later of the time of the pause is decided as it would have been then.
    pause = (await conversion(selling, paused))["occurred_at"]
    at = datetime.fromisoformat(pause) + timedelta(microseconds=1)
    late = await sale(selling, "I3", occurred_at=at.astimezone(UTC).isoformat())
    assert late["commissions"] == []
