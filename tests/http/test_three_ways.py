"""A preview, the sale itself and a back-test of it give the same awards, to the cent."""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.db.engine import Database
from app.ids import decode
from tests.http.client import PLAN, Api, click_on, make_partner, make_program
from tests.trying import finish

EUR = {"currency": "eur"}
REWARDS: list[dict[str, Any]] = [
    {"id": "own", "pay": {"percent_bps": 1_777}},
    {"id": "up", "pay": {"to": "recruiter", "of": "commission", "percent_bps": 1_234}},
    {"id": "up2", "pay": {"to": "recruiter", "level": 2, "percent_bps": 111}},
    {"id": "firm", "pay": {"to": "company", "as": "credit", "percent_bps": 555}},
    {
        "id": "thanks",
        "adds": True,
        "match": {"new": True},
        "pay": {"to": "customer", "as": "discount", "percent_bps": 333},
    },
    {
        "id": "mug",
        "adds": True,
        "pay": {"to": "customer", "as": "gift", "item": "mug", "quantity": 1},
    },
]
STEPS = [
    {"from": {"amount": 0, **EUR}, "percent_bps": 501},
    {"from": {"amount": 7_000, **EUR}, "percent_bps": 1_503},
]
BANDED = {"bands": {"by": "revenue", "period": "life", "mode": "graduated", "steps": STEPS}}
RULES: dict[str, list[dict[str, Any]]] = {
    "percent": [{"id": "a", "pay": {"percent_bps": 1_237}}],
    "bands": [{"id": "a", "pay": BANDED}],
    "caps": [
        {
            "id": "partner",
            "pay": {"percent_bps": 3_333},
            "cap": {"per": "partner", "amount": {"amount": 2_777, **EUR}, "period": "life"},
        },
        {
            "id": "bill",
            "adds": True,
            "pay": {"flat": {"amount": 900, **EUR}},
            "cap": {"per": "sale", "percent_of_bill_bps": 1_700},
        },
    ],
    "a threshold": [
        {
            "id": "second",
            "match": {"reaches": {"sales": 2, "period": "life"}},
            "pay": {"flat": {"amount": 4_321, **EUR}},
        },
        {"id": "rest", "pay": {"percent_bps": 700}},
    ],
    "rewards and recruiters": REWARDS,
    "tiers": [
        {"id": "gold", "match": {"tiers": ["gold"]}, "pay": {"percent_bps": 2_999}},
        {"id": "certified", "when": "partner.certified", "pay": {"percent_bps": 1_999}},
        {"id": "rest", "pay": {"percent_bps": 999}},
    ],
    "own terms": [{"id": "a", "pay": {"percent_bps": 1_237}}],
}
OWN_TERMS: dict[str, Any] = {
    "combine": "sum",
    "rules": [
        {"id": "own", "pay": {"percent_bps": 4_321}},
        {"id": "again", "pay": {"flat": {"amount": 17, **EUR}}},
    ],
}
SALES: list[dict[str, Any]] = [
    {"amount": 3_333},
    {"amount": 9_999, "lines": [{"product_id": "seat", "amount": 9_999, "quantity": 3}]},
    {"amount": 51},
]
Sums = Counter[tuple[str, str]]
"""By partner's name, or `customer`, and currency or unit."""


@dataclass
class Setting:
    """A program; Bo recruited Ana, Cy recruited Bo, and Ana, who is gold, belongs to a firm."""

    api: Api
    program: Any
    people: dict[str, Any]

    def name(self, partner_id: str | None) -> str:
        names = {partner["id"]: name for name, partner in self.people.items()}
        return names[partner_id] if partner_id else "customer"


async def opened(api: Api, name: str, rules: list[dict[str, Any]], *, own: bool) -> Setting:
    plan = {**PLAN, "rules": rules}
    program = await make_program(api, name=name, currency="eur", plan=plan)
    people: dict[str, Any] = {}
    upline: dict[str, dict[str, str]] = {
        "cy": {},
        "bo": {"recruited_by": "cy"},
        "firm": {},
        "ana": {"recruited_by": "bo", "company": "firm"},
    }
    for who, more in upline.items():
        linked = {field: people[other]["id"] for field, other in more.items()}
        email = f"{who}@{name.lower()}.example"
        people[who] = await make_partner(api, program, name=who, email=email, **linked)
    ana = people["ana"]
    place = f"/programs/{program['id']}/partners/{ana['id']}/qualification"
    await read_put(api, place, {"tier": "gold", "certified": True})
    if own:
        terms = {"plan": OWN_TERMS, "partner_id": ana["id"]}
        draft = await api.post(f"/programs/{program['id']}/plans", terms)
        await api.post(f"/plans/{draft['id']}/publish", {}, status=200)
    return Setting(api, program, people)


async def read_put(api: Api, path: str, body: Any) -> None:
    response = await api.send("PUT", path, json=body)
    assert response.status_code in {200, 201}, response.text


async def sell(it: Setting, number: int, wanted: dict[str, Any]) -> Any:
    """To a customer of its own, whom Ana just brought."""
    invoice = f"{it.program['id']}-{number}"
    at = datetime.now(UTC)
    token = click_on(it.people["ana"]["default_link"], it.api.app, at - timedelta(minutes=1))
    sale = {**wanted, **EUR, "invoice_id": invoice, "customer_external_id": invoice}
    told = {**sale, "click_id": token, "occurred_at": at.isoformat()}
    return (await it.api.post("/track/sale", told, status=200))["outcome"]["commissions"]


async def previewed(it: Setting, wanted: dict[str, Any]) -> Any:
    asked = {**wanted, **EUR, "partner": {"id": it.people["ana"]["id"]}}
    told = await it.api.post(f"/plans/{it.program['plan_id']}/preview", asked, status=200)
    return told["awards"]


def summed(it: Setting, awards: list[Any]) -> Sums:
    sums: Sums = Counter()
    for award in awards:
        kind, unit = award.get("as", "cash"), award["currency"] or award.get("item")
        unit = unit if kind == "cash" else f"{kind}:{unit}"
        sums[it.name(award["partner_id"]), unit] += award["amount"]
    return +sums


@pytest.mark.parametrize("name", RULES)
async def test_preview_live_and_backtest_agree_to_the_cent(
    api: Api, database: Database, name: str
) -> None:
    """The back-test tries the same terms on the same sales, made under other ones."""
    own = name == "own terms"
    here = await opened(api, "Here", RULES[name], own=own)
    there = await opened(api, "There", [{"id": "old", "pay": {"percent_bps": 7}}], own=own)
    since = datetime.now(UTC) - timedelta(hours=1)
    live: Sums = Counter()
    for number, wanted in enumerate(SALES):
        before = summed(here, await previewed(here, wanted))
        got = summed(here, await sell(here, number, wanted))
        assert before == got, (name, number)
        live += got
        await sell(there, number, wanted)
    assert live
    assert await _tried(there, database, RULES[name], since) == live


async def _tried(it: Setting, database: Database, rules: Any, since: datetime) -> Sums:
    plan = {**PLAN, "rules": rules}
    draft = await it.api.post(f"/programs/{it.program['id']}/plans", {"plan": plan})
    span = {"from": since.isoformat(), "to": datetime.now(UTC).isoformat()}
    asked = await it.api.post(f"/plans/{draft['id']}/backtest", span, status=202)
    await finish(database, decode("btst", asked["id"]))
    told = await it.api.get(f"/backtests/{asked['id']}")
    # All sales of the workspace are looked at.
    assert (told["state"], told["sales"], told["sales_unlike"]) == ("done", 2 * len(SALES), 0)
    rows = await it.api.get(f"/backtests/{asked['id']}/partners?limit=100")
    sums = {(it.name(r["partner_id"]), r["currency"]): r["tried_awarded"] for r in rows["data"]}
    return +Counter(sums)
