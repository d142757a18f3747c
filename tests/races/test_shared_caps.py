"""One partner's cap, taken up by two web processes and the worker at once: never exceeded."""

from functools import partial
from typing import Any

from tests.contract import stripe_objects as objects
from tests.contract.stripe_objects import checkout_session
from tests.e2e.client import Shop
from tests.races.crowd import at_once, clicked, own_sale

CAP = 50_00
SALES = 10


def test_sales_at_once_never_exceed_a_cap(shop: Shop) -> None:
    shop.program = capped_program(shop)
    ana = shop.partner()
    calls = [
        partial(shop.post, "/track/sale", own_sale(clicked(shop, ana), n)) for n in range(SALES)
    ]
    for n in range(SALES):
        session = checkout_session(
            id=f"cs_{n}",
            customer=f"cus_{n}",
            payment_intent=f"pi_{n}",
            client_reference_id=clicked(shop, ana),
            created=shop.started + 1,
        )
        event = objects.event("checkout.session.completed", session, created=shop.started + 1)
        calls.append(partial(shop.send, {**event, "id": f"evt_{n}"}))
    at_once(calls)
    shop.settled()
    earned = [row["amount"] for row in shop.get("/commissions?limit=100")["data"]]
    assert sorted(earned) == [10_00, 20_00, 20_00]
    assert shop.balance(ana) == {"pending": CAP}
    (cap,) = shop.get(f"/partners/{ana.id}/totals?program_id={shop.program}")["caps"]
    assert (cap["used"], cap["left"]) == (CAP, 0)


def capped_program(shop: Shop) -> str:
    rule: dict[str, Any] = {
        "id": "base",
        "pay": {"percent_bps": 2_000},
        "cap": {"per": "partner", "amount": {"amount": CAP, "currency": "usd"}},
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
