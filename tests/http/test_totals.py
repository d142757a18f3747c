"""Terms that span customers, from the API to the ledger and back through `verify`."""

from typing import Any, Final

import pytest

from app.conversions import summing
from app.core.periods import period_of
from app.db.engine import Database
from app.ids import encode, uuid7
from tests.http.client import Api
from tests.http.selling import Selling, open_selling, verified
from tests.making import now

USD: Final = "usd"


def usd(amount: int) -> dict[str, Any]:
    return {"amount": amount, "currency": USD}


PLAN: Final[dict[str, Any]] = {
    "hold_days": 30,
    "attribution": {"model": "last_click", "window_days": 60},
    "combine": "first_match",
    "rules": [
        {
            "id": "volume",
            "pay": {
                "bands": {
                    "by": "revenue",
                    "period": "year",
                    "mode": "graduated",
                    "steps": [
                        {"from": usd(0), "percent_bps": 1_000},
                        {"from": usd(15_000), "percent_bps": 2_000},
                    ],
                }
            },
            "cap": {"per": "partner", "amount": usd(3_000), "count": 9, "period": "year"},
        },
        {
            "id": "bonus",
            "adds": True,
            "match": {"reaches": {"sales": 2, "period": "life"}},
            "pay": {"flat": usd(500)},
        },
    ],
}


async def sell(selling: Selling, number: int) -> Any:
    body = selling.sale(customer_external_id=f"user-{number}", invoice_id=f"INV-{number}")
    return await selling.api.post("/track/sale", {**body, "click_id": selling.click()}, status=200)


async def totals(selling: Selling) -> Any:
    program = selling.program["id"]
    return await selling.api.get(f"/partners/{selling.partner['id']}/totals?program_id={program}")


async def test_customers_share_a_partners_bands_cap_and_bonus(api: Api, database: Database) -> None:
    selling = await open_selling(api, database, plan=PLAN)
    told = [await sell(selling, number) for number in (1, 2, 3)]
    # 100.00 at 10 %; 50.00 at 10 % and 50.00 at 20 %; 20.00 of which 30.00 - 25.00 are left.
    assert [sorted(c["amount"] for c in one["outcome"]["commissions"]) for one in told] == [
        [1_000], [500, 1_500], [500],
    ]  # fmt: skip
    year = period_of(now(), "year")
    texts = [r["text"] for one in told for r in one["outcome"]["reasons"]]
    assert "Of that, 50.00 USD in the band of the rule `volume` from 150.00 USD at 20 %." in texts
    assert (
        f"The rule `volume` pays at most 30.00 USD per partner in {year}, of which 25.00 USD was"
        " used: 5.00 USD."
    ) in texts
    shown = await totals(selling)
    assert shown["caps"] == [
        {
            "rule": "volume", "period": "year", "within": year, "currency": USD,
            "limit": 3_000, "used": 3_000, "left": 0, "count": 9, "counted": 3, "count_left": 6,
        }
    ]  # fmt: skip
    assert [(p["within"], p["sales"], p["revenue"]) for p in shown["periods"]] == [
        (year, 3, [usd(30_000)]), ("life", 3, [usd(30_000)]),
    ]  # fmt: skip
    await verified(selling)


async def test_totals_are_those_of_a_partner_in_its_own_program(
    api: Api, database: Database
) -> None:
    selling = await open_selling(api, database)
    shown = await totals(selling)
    assert (shown["periods"], shown["caps"]) == ([], [])
    path = f"/partners/{selling.partner['id']}/totals?program_id={encode('prog', uuid7())}"
    await selling.api.get(path, status=404)


async def test_terms_that_begin_to_count_leads_find_those_of_before(
    api: Api, database: Database
) -> None:
    selling = await open_selling(api, database)

    async def lead(number: int) -> Any:
        body = {"customer_external_id": f"user-{number}", "click_id": selling.click()}
        return (await api.post("/track/lead", body, status=200))["outcome"]

    for number in (1, 2):
        assert (await lead(number))["commissions"] == []
    reaches = {"leads": 3, "period": "life"}
    third = {
        "id": "third",
        "match": {"kind": "lead", "reaches": reaches},
        "pay": {"flat": usd(700)},
    }
    path = f"/programs/{selling.program['id']}/plans"
    draft = await api.post(path, {"plan": {**PLAN, "rules": [third]}})
    await api.post(f"/plans/{draft['id']}/publish", {}, status=200)
    assert [(p["within"], p["leads"]) for p in (await totals(selling))["periods"]] == [("life", 2)]
    assert [c["amount"] for c in (await lead(3))["commissions"]] == [700]
    told = await lead(4)
    assert "The rule `third` pays for what brings the partner to 3; this takes it from 3 to 4." in [
        reason["text"] for reason in told["reasons"]
    ]
    assert [(p["within"], p["leads"]) for p in (await totals(selling))["periods"]] == [("life", 4)]
    await verified(selling)


async def test_a_cap_of_mid_year_knows_what_was_used_before_its_first_sale(
    api: Api, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule: dict[str, Any] = {"id": "base", "pay": {"percent_bps": 2_000}}
    selling = await open_selling(api, database, plan={**PLAN, "rules": [rule]})
    for number in (1, 2):
        await sell(selling, number)
    capped = {**rule, "cap": {"per": "partner", "amount": usd(5_000), "period": "year"}}
    path = f"/programs/{selling.program['id']}/plans"
    draft = await api.post(path, {"plan": {**PLAN, "rules": [capped]}})
    await api.post(f"/plans/{draft['id']}/publish", {}, status=200)
    assert await left(selling) == (4_000, 1_000)
    # A long history is summed up with the next sale only.
    monkeypatch.setattr(summing, "MOST_SUMMED", 1)
    assert await left(selling) == (None, None)
    await sell(selling, 3)
    assert await left(selling) == (5_000, 0)


async def left(selling: Selling) -> tuple[int | None, int | None]:
    (cap,) = (await totals(selling))["caps"]
    return cap["used"], cap["left"]
