"""Who a customer is becomes known in one process while another decides what was bought."""

import random
from collections.abc import Callable
from functools import partial
from typing import Any

from tests.contract import stripe_objects as objects
from tests.contract.stripe_invoices import invoice
from tests.contract.stripe_objects import checkout_session
from tests.e2e.client import Shop
from tests.races.crowd import at_once, clicked, own_sale

CUSTOMERS = 12


def test_a_sale_and_its_touch_at_once_never_leave_the_sale_unpaid(shop: Shop) -> None:
    ana = shop.partner()
    calls: list[Callable[[], Any]] = []
    for number in range(CUSTOMERS):
        token, customer = clicked(shop, ana), f"cus_{number}"
        paid = objects.event(
            "invoice.paid",
            invoice(f"in_{number}", customer=customer, paid_at=shop.started + 4, subscription=None),
            created=shop.started + 4,
        )
        touch = objects.event(
            "checkout.session.completed",
            checkout_session(
                f"cs_{number}",
                mode="subscription",
                amount_total=None,
                payment_intent=None,
                customer=customer,
                client_reference_id=token,
            ),
            created=shop.started + 4,
        )
        calls += [partial(shop.send, paid), partial(shop.send, touch)]
    random.shuffle(calls)
    at_once(calls)
    shop.settled()
    assert shop.balance(ana) == {"pending": 2_000 * CUSTOMERS}
    assert [len(sale["commissions"]) for sale in shop.conversions()] == [1] * CUSTOMERS


def test_a_lead_decided_in_web_and_a_sale_decided_in_the_worker_meet(shop: Shop) -> None:
    """The lead joins the customer's names in one process while another decides the sale."""
    ana = shop.partner()
    calls: list[Callable[[], Any]] = []
    for number in range(CUSTOMERS):
        lead = {
            "customer_external_id": f"user-{number}",
            "customer_aliases": [{"namespace": "stripe:", "external_id": f"cus_{number}"}],
            "click_id": clicked(shop, ana),
        }
        paid = objects.event(
            "invoice.paid",
            invoice(
                f"in_{number}",
                customer=f"cus_{number}",
                paid_at=shop.started + 4,
                subscription=None,
            ),
            created=shop.started + 4,
        )
        calls += [partial(shop.post, "/track/lead", lead), partial(shop.send, paid)]
    random.shuffle(calls)
    at_once(calls)
    shop.settled()
    assert len(shop.get("/customers")["data"]) == CUSTOMERS
    assert shop.balance(ana) == {"pending": 2_000 * CUSTOMERS}


def test_customers_joined_crosswise_at_once_become_one(shop: Shop) -> None:
    ana = shop.partner()
    token = clicked(shop, ana)
    for number in range(CUSTOMERS):
        shop.post("/track/sale", own_sale(token, number))
    customers = [customer["id"] for customer in shop.get("/customers")["data"]]
    calls = [
        partial(
            shop.post,
            f"/customers/{customer}/aliases",
            {"namespace": "own", "external_id": f"user-{random.choice((n, (n * 5 + 1)))}"},
            201,
        )
        for n, customer in enumerate(customers)
    ]
    ring = [
        partial(
            shop.post,
            "/track/lead",
            {
                "customer_external_id": f"user-{n}",
                "event_name": "joined",
                "customer_aliases": [
                    {"namespace": "own", "external_id": f"user-{(n + 1) % CUSTOMERS}"}
                ],
            },
        )
        for n in range(CUSTOMERS)
    ]
    at_once([*calls, *ring])
    (left,) = shop.get("/customers")["data"]
    assert [shop.get(f"/customers/{customer}")["id"] for customer in customers] == [
        left["id"]
    ] * CUSTOMERS
    assert len(shop.conversions()) == CUSTOMERS
    assert shop.balance(ana) == {"pending": 2_000 * CUSTOMERS}
