"""A version of the terms tried on history, over HTTP."""

from datetime import UTC, datetime, timedelta
from typing import Any

from app.db.engine import Database
from app.ids import decode
from tests.http.client import PLAN, Api, click_on, make_partner, make_program
from tests.trying import finish

SPAN = {"from": "2026-01-01T00:00:00Z", "to": "2026-02-01T00:00:00Z"}
RICH = {**PLAN, "rules": [
    {"id": "big", "when": "sale.amount >= 10000", "pay": {"percent_bps": 3000}},
    {"id": "small", "pay": {"percent_bps": 1000}},
]}  # fmt: skip


async def sell(api: Api, partner: Any, number: int, amount: int, at: datetime, **more: Any) -> Any:
    token = click_on(partner["default_link"], api.app, at - timedelta(hours=2))
    sale = {
        "customer_external_id": f"user-{number}",
        "amount": amount,
        "currency": "usd",
        "invoice_id": f"INV-{number}",
        "click_id": token,
        "occurred_at": at.isoformat(),
        **more,
    }
    return await api.post("/track/sale", sale, status=200)


async def drafted(api: Api, program: Any, plan: Any) -> str:
    return str((await api.post(f"/programs/{program['id']}/plans", {"plan": plan}))["id"])


async def tried(api: Api, database: Database, plan: str, span: Any = SPAN) -> Any:
    asked = await api.post(f"/plans/{plan}/backtest", span, status=202)
    assert (asked["state"], asked["sales_done"]) == ("queued", 0)
    await finish(database, decode("btst", asked["id"]))
    return await api.get(f"/backtests/{asked['id']}")


async def test_a_draft_is_compared_sale_by_sale(api: Api, database: Database) -> None:
    program = await make_program(api)
    ana, bo = [await make_partner(api, program, email=f"{n}@example.com") for n in ("ana", "bo")]
    at = datetime(2026, 1, 10, tzinfo=UTC)
    await sell(api, ana, 1, 10_000, at)  # 20.00 now, 30.00 then
    await sell(api, ana, 2, 5_000, at)  # 10.00 now, 5.00 then
    await sell(api, bo, 3, 5_000, at)  # 10.00 now, 5.00 then, half of it refunded
    await sell(api, bo, 4, 9_000, at + timedelta(days=40))  # not in the period
    refund = {"invoice_id": "INV-3", "amount_refunded": 2_500, "currency": "usd"}
    await api.post("/track/refund", refund, status=200)

    found = await tried(api, database, await drafted(api, program, RICH))

    assert found["state"] == "done"
    assert (found["sales"], found["sales_done"]) == (3, 3)
    assert (found["sales_otherwise"], found["sales_unlike"]) == (3, 0)
    assert found["totals"] == [
        {
            "currency": "usd",
            "present_awarded": 4_000,
            "present_reversed": 500,
            "tried_awarded": 4_000,
            "tried_reversed": 250,
            "difference": 250,
        }
    ]
    partners = await api.all(f"/backtests/{found['id']}/partners?limit=100")
    by_partner = {one["partner_id"]: one for one in partners}
    assert by_partner[ana["id"]]["difference"] == 500
    assert by_partner[bo["id"]]["difference"] == -250
    assert [one["sales_otherwise"] for one in partners] == [2, 1]
    changes = (await api.get(f"/backtests/{found['id']}/changes"))["data"]
    assert [(c["present"], c["tried"], c["sales"], c["difference"]) for c in changes] == [
        (["standard"], ["small"], 2, -750),
        (["standard"], ["big"], 1, 1_000),
    ]
    sample = changes[1]["samples"][0]
    assert sample["tried"]["awards"] == [
        {"partner_id": ana["id"], "rule": "big", "amount": 3_000, "reversed": 0, "currency": "usd"}
    ]
    assert "`big` pays 30 %" in sample["tried"]["reasons"][-1]["text"]


async def test_a_partner_s_own_terms_are_not_tried_as_a_program_s(api: Api) -> None:
    program = await make_program(api)
    partner = await make_partner(api, program)
    terms = {"combine": "sum", "rules": PLAN["rules"]}
    path = f"/programs/{program['id']}/plans"
    own = await api.post(path, {"partner_id": partner["id"], "plan": terms})
    await api.post(f"/plans/{own['id']}/backtest", SPAN, status=409)
    assert (await api.get("/backtests"))["data"] == []
