"""One partner's own terms: drafted, in force between two instants, ended, proved."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.db.engine import Database
from tests.http.bringing import codes, tell
from tests.http.client import PLAN, Api, click_on, make_partner
from tests.http.selling import Selling, open_selling, verified

OWN: dict[str, Any] = {
    "combine": "first_match",
    "rules": [{"id": "half", "pay": {"percent_bps": 5_000}}],
}


@pytest.fixture
async def selling(api: Api, database: Database) -> AsyncIterator[Selling]:
    linear = {"model": "linear", "window_days": 60}
    made = await open_selling(api, database, plan={**PLAN, "attribution": linear})
    yield made
    await verified(made)


def soon(**ahead: float) -> str:
    return (datetime.now(UTC) + timedelta(**ahead)).isoformat()


def plans(selling: Selling) -> str:
    return f"/programs/{selling.program['id']}/plans"


async def drafted(selling: Selling, plan: Any = OWN, partner: Any = None) -> Any:
    partner = partner or selling.partner
    return await selling.api.post(plans(selling), {"plan": plan, "partner_id": partner["id"]})


async def agreed(selling: Selling, plan: Any = OWN, **dates: str) -> Any:
    draft = await drafted(selling, plan)
    return await selling.api.post(f"/plans/{draft['id']}/publish", dates, status=200)


async def sold(selling: Selling, invoice: str, *partners: Any, **told: Any) -> Any:
    """A sale of 100.00 to a customer whom these partners brought."""
    hour_ago = datetime.now(UTC) - timedelta(hours=1)
    brought = partners or (selling.partner,)
    clicks = [click_on(one["default_link"], selling.api.app, hour_ago) for one in brought]
    sale = selling.sale(invoice_id=invoice, customer_external_id=f"user-{invoice}")
    return await tell(selling, "sale", **sale, click_ids=clicks, **told)


def amounts(outcome: Any) -> dict[str, int]:
    return {c["partner_id"]: c["amount"] for c in outcome["commissions"]}


async def test_own_terms_pay_between_their_dates_and_no_other_partner(selling: Selling) -> None:
    ana, bo = selling.partner, await make_partner(selling.api, selling.program, name="Bo")
    assert amounts(await sold(selling, "A")) == {ana["id"]: 20_00}
    before = datetime.now(UTC).isoformat()
    own = await agreed(selling)
    assert (own["partner_id"], own["version"], own["status"]) == (ana["id"], 1, "published")
    assert own["plan"]["rules"][0]["id"] == "half"
    mine = await sold(selling, "B")
    commission = await selling.api.get(f"/commissions/{mine['commissions'][0]['id']}")
    assert (commission["plan_id"], commission["plan_version"]) == (own["id"], 1)
    assert amounts(mine) == {ana["id"]: 50_00}
    assert codes(mine)[-2:] == ["agreement_pays", "rule_paid"]
    assert mine["reasons"][-2]["text"].startswith(f"{ana['id']} has terms of its own, version 1")
    assert amounts(await sold(selling, "C", bo)) == {bo["id"]: 20_00}
    # Who shares a sale is paid by its own terms for its own share.
    assert amounts(await sold(selling, "D", ana, bo)) == {ana["id"]: 25_00, bo["id"]: 10_00}
    assert amounts(await sold(selling, "E", occurred_at=before)) == {ana["id"]: 20_00}
    ended = await selling.api.post(f"/plans/{own['id']}/end", {}, status=200)
    assert ended["effective_until"] is not None
    assert amounts(await sold(selling, "F")) == {ana["id"]: 20_00}
    # Decided anew, each is paid by the terms of its day.
    again = await tell(selling, "refund", invoice_id="B", amount_refunded=1_00, currency="usd")
    assert amounts(again) == {ana["id"]: 50_00}


async def test_the_program_keeps_its_own_versions(selling: Selling) -> None:
    own = await agreed(selling)
    programs = (await selling.api.get(plans(selling)))["data"]
    assert [(one["version"], one["partner_id"]) for one in programs] == [(1, None)]
    mine = await selling.api.get(f"{plans(selling)}?partner_id={selling.partner['id']}")
    assert [one["id"] for one in mine["data"]] == [own["id"]]
    second = await selling.api.post(plans(selling), {"plan": PLAN})
    assert (second["version"], second["partner_id"]) == (2, None)
    assert (await selling.api.get(f"/programs/{selling.program['id']}"))["plan_version"] == 1
    assert (await drafted(selling))["version"] == 2


async def test_never_two_of_them_at_a_time(selling: Selling) -> None:
    own = await agreed(selling, effective_from=soon(days=1), effective_until=soon(days=3))
    for dates in (
        {},
        {"effective_from": soon(days=2)},
        {"effective_until": soon(days=2)},
        {"effective_from": soon(days=2), "effective_until": soon(days=2, hours=1)},
    ):
        draft = await drafted(selling)
        refused = await selling.api.post(f"/plans/{draft['id']}/publish", dates, status=409)
        assert "version 1" in refused["detail"]
    await agreed(selling, effective_from=soon(days=4))
    await agreed(selling, effective_until=soon(hours=23))
    # What ends before it begins holds never, and stands in nobody's way.
    await selling.api.post(f"/plans/{own['id']}/end", {}, status=200)
    await agreed(selling, effective_from=soon(days=1), effective_until=soon(days=2))


async def test_gates_hold_for_own_terms_only_if_they_say_so(selling: Selling) -> None:
    gated = {**PLAN, "gates": {"certified": True}}
    draft = await selling.api.post(plans(selling), {"plan": gated})
    await selling.api.post(f"/plans/{draft['id']}/publish", {}, status=200)
    assert codes(await sold(selling, "A"))[-1] == "gate_certified"
    own = await agreed(selling)
    assert amounts(await sold(selling, "B")) == {selling.partner["id"]: 50_00}
    await selling.api.post(f"/plans/{own['id']}/end", {}, status=200)
    await agreed(selling, {**OWN, "gates": {"agreement": True}})
    assert codes(await sold(selling, "C"))[-2:] == ["agreement_pays", "gate_agreement"]


async def test_what_makes_no_sense_is_refused(selling: Selling) -> None:
    api, partner = selling.api, selling.partner["id"]
    for plan, where in (
        (PLAN, "body/plan/hold_days"),
        ({**OWN, "binding": {}}, "body/plan/binding"),
        ({"combine": "sum"}, "body/plan/rules"),
        ({**OWN, "gates": {"certified": False}}, "body/plan/gates/certified"),
    ):
        body = {"plan": plan, "partner_id": partner}
        refused = await api.post(plans(selling), body, status=422)
        assert where in [error["place"] for error in refused["errors"]]
    refused = await api.post(plans(selling), {"plan": OWN}, status=422)
    assert refused["errors"][0]["place"] == "body/plan/hold_days"
    other = await api.post(
        "/programs",
        {
            "name": "Other", "currency": "usd", "destination_hosts": ["a.example"],
            "default_destination": "https://a.example/", "plan": PLAN,
        },
    )  # fmt: skip
    stranger = await make_partner(api, other, name="Cy")
    await api.post(plans(selling), {"plan": OWN, "partner_id": stranger["id"]}, status=404)
    draft = await drafted(selling)
    publish = f"/plans/{draft['id']}/publish"
    for dates, where in (
        ({"effective_from": soon(days=-1)}, "body/effective_from"),
        ({"effective_until": soon(days=-1)}, "body/effective_until"),
        ({"effective_from": soon(days=2), "effective_until": soon(days=1)}, "body/effective_until"),
    ):
        refused = await api.post(publish, dates, status=422)
        assert [error["place"] for error in refused["errors"]] == [where]
    await api.post(f"/plans/{draft['id']}/end", {}, status=409)
    programs = await api.post(plans(selling), {"plan": PLAN})
    ends = {"effective_until": soon(days=1)}
    await api.post(f"/plans/{programs['id']}/publish", ends, status=422)
    await api.post(f"/plans/{programs['id']}/end", {}, status=409)
    await api.post(publish, {"effective_until": soon(days=2)}, status=200)
    end = f"/plans/{draft['id']}/end"
    await api.post(end, {"effective_until": soon(days=-1)}, status=422)
    await api.post(end, {"effective_until": soon(days=3)}, status=422)
    await api.post(end, {"effective_until": soon(days=1)}, status=200)
    await api.post(end, {}, status=200)
    await api.post(end, {}, status=409)
