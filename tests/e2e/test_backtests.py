"""Back-tests in real processes: beside live requests, canceled, and with the worker killed."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import psutil
import pytest

from tests.e2e.client import GIVEN, Shop, open_shop, until
from tests.service import Service, serve

HOSTILE = (
    "['" + "','".join("abcdefgh") + "'].exists(x, sale.amount / customer.sales > 0 && x == 'h')"
)
"""Accepted, since it is bounded; of whoever buys first it can't be worked out."""
SALES = 60
BOUND_S = 5.0
"""Loosely: this machine does other things too."""


@pytest.fixture
def sold(shop: Shop) -> Shop:
    """Sixty first sales of last month, each of 100.00 at 20 %."""
    partner = shop.partner()
    code = {"program_id": shop.program, "partner_id": partner.id, "code": "SPRING"}
    shop.post("/codes", code, 201)
    at = datetime.now(UTC) - timedelta(days=20)
    for number in range(SALES):
        shop.post(
            "/track/sale",
            {
                "customer_external_id": f"user-{number}",
                "amount": 100_00,
                "currency": "usd",
                "invoice_id": f"INV-{number}",
                "code": "SPRING",
                "occurred_at": (at + timedelta(minutes=number)).isoformat(),
            },
        )
    return shop


def draft(shop: Shop, rules: list[dict[str, Any]]) -> str:
    program = shop.get(f"/programs/{shop.program}/plans")["data"][0]["plan"]
    made = shop.post(f"/programs/{shop.program}/plans", {"plan": {**program, "rules": rules}}, 201)
    return str(made["id"])


def ask(shop: Shop, plan: str) -> str:
    now = datetime.now(UTC)
    period = {"from": (now - timedelta(days=60)).isoformat(), "to": now.isoformat()}
    return str(shop.post(f"/plans/{plan}/backtest", period, 202)["id"])


def ended(shop: Shop, backtest: str) -> Any:
    """What it came to; other requests meanwhile are answered, and timed."""
    latencies: list[float] = []

    def is_over() -> bool:
        began = time.monotonic()
        state = shop.get(f"/backtests/{backtest}")["state"]
        latencies.append(time.monotonic() - began)
        return state not in {"queued", "running"}

    until(is_over, "it did not end", within_s=90)
    assert median(latencies) < BOUND_S
    return shop.get(f"/backtests/{backtest}")


def test_hostile_terms_are_tried_while_others_are_served(sold: Shop) -> None:
    hostile = {"id": "hostile", "when": HOSTILE, "pay": {"percent_bps": 9_000}}
    plan = draft(sold, [hostile, {"id": "base", "pay": {"percent_bps": 2_000}}])
    backtest = ask(sold, plan)
    later = ask(sold, plan)
    found = ended(sold, backtest)
    assert (found["state"], found["sales_done"], found["sales_otherwise"]) == ("done", SALES, SALES)
    (total,) = found["totals"]
    assert (total["present_awarded"], total["tried_awarded"]) == (SALES * 20_00, 0)
    (change,) = sold.get(f"/backtests/{backtest}/changes")["data"]
    assert (change["present"], change["tried"], change["difference"]) == (
        ["base"],
        [],
        -SALES * 20_00,
    )
    reasons = change["samples"][0]["tried"]["reasons"]
    assert "rule_failed" in [reason["code"] for reason in reasons]
    assert ended(sold, later)["totals"] == found["totals"]


def test_what_is_canceled_stops(sold: Shop) -> None:
    plan = draft(sold, [])
    first, second = ask(sold, plan), ask(sold, plan)
    canceled = sold.post(f"/backtests/{second}/cancel", None)
    assert canceled["state"] == "canceled"
    assert sold.post(f"/backtests/{second}/cancel", None)["state"] == "canceled"
    assert ended(sold, first)["state"] == "done"
    sold.post(f"/backtests/{first}/cancel", None, 409)
    listed = [one["id"] for one in sold.get(f"/backtests?plan_id={plan}")["data"]]
    assert listed == [second, first]
    assert sold.get(f"/backtests/{second}")["sales_done"] == 0


@pytest.fixture
def apart(tmp_path: Path, fresh_database_url: str) -> Iterator[Service]:
    """A service of the test's own, whose worker may be killed."""
    given = GIVEN | {"DATABASE_URL": fresh_database_url}
    with serve(tmp_path / "data", environment=given) as running:
        running.ready("api")
        running.ready("worker")
        yield running


def test_a_killed_worker_takes_its_processes_along_and_the_next_goes_on(
    apart: Service, http: httpx.Client
) -> None:
    shop = open_shop([apart.url], http)
    partner = shop.partner()
    code = {"program_id": shop.program, "partner_id": partner.id, "code": "SPRING"}
    shop.post("/codes", code, 201)
    sale = {"customer_external_id": "u", "amount": 100_00, "currency": "usd", "invoice_id": "I"}
    shop.post("/track/sale", {**sale, "code": "SPRING"})
    backtest = ask(shop, draft(shop, []))
    worker = apart.child("app.worker")
    processes: list[psutil.Process] = []

    def has_begun() -> bool:
        processes[:] = worker.children()
        return len(processes) == 2

    apart.until(has_begun)
    worker.kill()
    apart.until(lambda: not any(map(is_alive, processes)))
    found = ended(shop, backtest)
    assert (found["state"], found["sales_otherwise"]) == ("done", 1)
    assert found["totals"][0]["difference"] == -20_00


def is_alive(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
