"""What a partner has in a program, from the request that says so to what the next sale pays."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.db.engine import Database
from tests.http.bringing import ago, codes, tell
from tests.http.client import PLAN, Api, make_partner, read
from tests.http.selling import Selling, open_selling, verified

BY_TIER = [
    {"id": "gold", "match": {"tiers": ["gold", "platinum"]}, "pay": {"percent_bps": 3_000}},
    {"id": "silver", "when": "partner.tier == 'silver'", "pay": {"percent_bps": 2_000}},
    {"id": "base", "pay": {"percent_bps": 1_000}},
]
GATES = {"certified": True, "tiers": ["gold"], "agreement": True}


@pytest.fixture
async def selling(api: Api, database: Database) -> AsyncIterator[Selling]:
    made = await open_selling(api, database, plan={**PLAN, "rules": BY_TIER})
    yield made
    await verified(made)


def place(selling: Selling, partner: Any = None) -> str:
    partner = partner or selling.partner
    return f"/programs/{selling.program['id']}/partners/{partner['id']}/qualification"


async def put(selling: Selling, body: Any, status: int = 200, partner: Any = None) -> Any:
    path = place(selling, partner)
    return read(await selling.api.send("PUT", path, json=body), status)


async def paid(selling: Selling, invoice: str, **told: Any) -> int:
    """What the partner has for a sale of 100.00 by a customer of its own."""
    sale = selling.sale(invoice_id=invoice, customer_external_id=f"user-{invoice}")
    sold = await tell(selling, "sale", **sale, click_id=selling.click(), **told)
    return sum(commission["amount"] for commission in sold["commissions"])


def soon(**ahead: float) -> str:
    return (datetime.now(UTC) + timedelta(**ahead)).isoformat()


async def test_a_tier_pays_from_the_next_sale_on_and_never_before(selling: Selling) -> None:
    assert await paid(selling, "A") == 10_00
    before = datetime.now(UTC).isoformat()
    told = await put(selling, {"tier": "gold"})
    assert (told["tier"], told["certified"], told["agreement"]) == ("gold", False, None)
    assert await paid(selling, "B") == 30_00
    await put(selling, {"tier": "silver"})
    assert await paid(selling, "C") == 20_00
    await put(selling, {})
    assert await paid(selling, "D") == 10_00
    # Told late, it is paid by the tier of its day; so is one that is decided anew.
    early = selling.click(datetime.now(UTC) - timedelta(hours=1))
    sale = selling.sale(invoice_id="E", customer_external_id="e", occurred_at=before)
    late = await tell(selling, "sale", **sale, click_id=early)
    assert [c["amount"] for c in late["commissions"]] == [10_00]
    (missed,) = [one for one in late["reasons"] if one["code"] == "rule_not_matched"]
    assert missed["params"]["found"] == ""
    assert missed["text"].endswith("wants tiers gold, platinum; this sale has none.")
    again = await tell(selling, "refund", invoice_id="B", amount_refunded=50_00, currency="usd")
    assert again["commissions"][0]["amount"] == 30_00
    assert await selling.balance() == {"pending": 10_00 + 15_00 + 20_00 + 10_00 + 10_00}
    history = (await selling.api.get(place(selling)))["history"]
    assert [one["tier"] for one in history] == [None, "silver", "gold"]


async def test_what_lies_ahead_waits_and_may_be_said_anew(selling: Selling) -> None:
    ahead = soon(days=30)
    await put(selling, {"tier": "silver"})
    await put(selling, {"tier": "gold", "since": ahead})
    told = await put(selling, {"tier": "platinum", "since": ahead})
    assert told["tier"] == "silver"
    assert [one["tier"] for one in told["history"]] == ["platinum", "silver"]
    assert await paid(selling, "A") == 20_00
    # The same again says nothing new, so it writes nothing.
    assert len((await put(selling, {"tier": "silver"}))["history"]) == 2


async def test_a_certificate_runs_out(selling: Selling) -> None:
    told = await put(selling, {"certified": True, "certified_until": soon(days=1)})
    assert told["certified"] is True
    held = await selling.api.get(place(selling))
    assert held["history"][0]["certified_until"] is not None


async def test_who_does_not_pass_the_gates_is_credited_and_earns_nothing(
    api: Api, database: Database
) -> None:
    selling = await open_selling(api, database, plan={**PLAN, "gates": GATES})
    sale = selling.sale()
    sold = await tell(selling, "sale", **sale, click_id=selling.click())
    assert sold["commissions"] == []
    assert codes(sold)[-3:] == ["gate_certified", "gate_tier", "gate_agreement"]
    assert sold["reasons"][-3]["text"].startswith(f"{selling.partner['id']} was not certified")
    conversion = await api.get(f"/conversions/{sold['conversion_id']}")
    assert conversion["credits"] == [{"partner_id": selling.partner["id"], "bps": 10_000}]
    await put(selling, {"certified": True, "tier": "silver", "agreement": "2026-01"})
    second = await tell(selling, "sale", **selling.sale(invoice_id="INV-2"))
    assert codes(second)[-1] == "gate_tier"
    await put(selling, {"certified": True, "tier": "gold", "agreement": "2026-01"})
    third = await tell(selling, "sale", **selling.sale(invoice_id="INV-3"))
    assert [c["amount"] for c in third["commissions"]] == [20_00]
    # A partner passes in a program, not in all.
    bo = await make_partner(api, selling.program, name="Bo")
    assert (await api.get(place(selling, bo)))["history"] == []
    await put(selling, {"certified": False, "tier": "gold", "agreement": "2026-01"})
    last = await tell(selling, "sale", **selling.sale(invoice_id="INV-4"))
    assert (last["commissions"], codes(last)[-1]) == ([], "gate_certified")
    await verified(selling)


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({"since": ago(minutes=1)}, "body/since"),
        ({"since": "2026-13-01"}, "body/since"),
        ({"tier": "Gold"}, "body/tier"),
        ({"tier": ""}, "body/tier"),
        ({"tier": "g" * 65}, "body/tier"),
        ({"tier": "gold\n"}, "body/tier"),
        ({"tier": ["gold"]}, "body/tier"),
        ({"certified": "yes"}, "body/certified"),
        ({"certified": 1}, "body/certified"),
        ({"certified": None}, "body/certified"),
        ({"certified_until": soon(days=1)}, "body/certified_until"),
        ({"certified": True, "certified_until": ago(days=1)}, "body/certified_until"),
        ({"agreement": ""}, "body/agreement"),
        ({"agreement": "v 1"}, "body/agreement"),
        ({"agreement": True}, "body/agreement"),
        ({"level": 3}, "body/level"),
        ([], "body"),
    ],
)
async def test_what_makes_no_sense_is_refused_at_its_place(
    selling: Selling, body: Any, where: str
) -> None:
    problem = await put(selling, body, status=422)
    assert [error["place"] for error in problem["errors"]] == [where]
    assert (await selling.api.get(place(selling)))["history"] == []


async def test_only_who_is_in_the_program_has_something_there(selling: Selling) -> None:
    other = await selling.api.post(
        "/programs", {**_program(selling), "name": "Other", "plan": PLAN}
    )
    stranger = await make_partner(selling.api, other, name="Bo")
    await put(selling, {"tier": "gold"}, status=404, partner=stranger)
    await selling.api.get(place(selling, stranger), status=404)
    reader = await selling.api.with_scopes("partners:read")
    assert (await reader.get(place(selling)))["tier"] is None
    assert (await reader.send("PUT", place(selling), json={"tier": "gold"})).status_code == 403


async def test_said_once_by_an_idempotency_key(selling: Selling) -> None:
    first = await selling.api.send("PUT", place(selling), json={"tier": "gold"}, once="k")
    await put(selling, {"tier": "silver"})
    again = await selling.api.send("PUT", place(selling), json={"tier": "gold"}, once="k")
    assert again.json() == first.json()
    assert (await selling.api.get(place(selling)))["tier"] == "silver"


def _program(selling: Selling) -> dict[str, Any]:
    names = ("currency", "destination_hosts", "default_destination")
    return {name: selling.program[name] for name in names}
