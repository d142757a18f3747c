"""One partner's cap, taken up by several processes at once: never exceeded."""

import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.contract import stripe_objects as objects
from tests.contract.stripe_objects import checkout_session
from tests.e2e.client import GIVEN, Json, Partner, Shop
from tests.races.crowd import at_once, clicked, own_sale
from tests.service import Service, serve

CAP = 50_00
SALES = 10
WAVE = 12
CAP_OF_WAVES = 810_00
"""Forty sales and a half, at 20.00 each: it is reached in the middle of the fourth wave."""


@pytest.fixture
def workers(
    services: Sequence[Service], race_database_url: str, tmp_path: Path
) -> Iterator[tuple[psutil.Process, psutil.Process]]:
    """The whole service's worker, and another one on the same database."""
    given = GIVEN | {"DATABASE_URL": race_database_url}
    with serve(tmp_path / "data", "--role", "worker", environment=given) as second:
        parent = psutil.Process(second.process.pid)
        second.until(lambda: any("app.worker" in child.cmdline() for child in parent.children()))
        yield services[0].child("app.worker"), second.child("app.worker")


def test_sales_at_once_never_exceed_a_cap(shop: Shop) -> None:
    shop.program = capped_program(shop, CAP)
    ana = shop.partner()
    calls = [
        partial(shop.post, "/track/sale", own_sale(clicked(shop, ana), n)) for n in range(SALES)
    ]
    calls += [partial(shop.send, sold(shop, ana, n)) for n in range(SALES)]
    at_once(calls)
    shop.settled()
    assert sorted(earned(shop)) == [10_00, 20_00, 20_00]
    assert_used_up(shop, ana, CAP)


def test_two_workers_never_exceed_a_cap(
    shop: Shop, workers: tuple[psutil.Process, psutil.Process]
) -> None:
    """Each of them decides one wave alone, which shows that it can, and both the others."""
    shop.program = capped_program(shop, CAP_OF_WAVES)
    ana = shop.partner()
    first, second = workers
    for wave, stopped in enumerate((None, first, second, None)):
        sales = [sold(shop, ana, wave * WAVE + n) for n in range(WAVE)]
        if stopped is not None:
            stopped.suspend()
        try:
            at_once([partial(shop.send, sale) for sale in sales])
            shop.settled()
        finally:
            if stopped is not None:
                stopped.resume()
    assert sorted(earned(shop)) == [10_00, *[20_00] * 40]
    assert_used_up(shop, ana, CAP_OF_WAVES)


def sold(shop: Shop, partner: Partner, number: int) -> Json:
    """A sale of 100.00 by one of Stripe's events; the worker decides it."""
    clicked_by = clicked(shop, partner)
    created = int(time.time()) + 1
    session = checkout_session(
        id=f"cs_{number}",
        customer=f"cus_{number}",
        payment_intent=f"pi_{number}",
        client_reference_id=clicked_by,
        created=created,
    )
    event = objects.event("checkout.session.completed", session, created=created)
    return {**event, "id": f"evt_{number}"}


def earned(shop: Shop) -> list[int]:
    return [row["amount"] for row in shop.get("/commissions?limit=100")["data"]]


def assert_used_up(shop: Shop, partner: Partner, amount: int) -> None:
    assert shop.balance(partner) == {"pending": amount}
    (cap,) = shop.get(f"/partners/{partner.id}/totals?program_id={shop.program}")["caps"]
    assert (cap["used"], cap["left"]) == (amount, 0)


def capped_program(shop: Shop, cap: int) -> str:
    rule: dict[str, Any] = {
        "id": "base",
        "pay": {"percent_bps": 2_000},
        "cap": {"per": "partner", "amount": {"amount": cap, "currency": "usd"}},
    }
    made = shop.post(
        "/programs",
        {
            "name": "Capped",
            "currency": "usd",
            "destination_hosts": ["shop.example.com"],
            "default_destination": "https://shop.example.com/pricing",
            "plan": {
                "hold_days": 14,
                "attribution": {"model": "last_click", "window_days": 60},
                "combine": "first_match",
                "rules": [rule],
            },
        },
        201,
    )
    return str(made["id"])
