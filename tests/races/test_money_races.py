"""Sales, refunds and maturing through two web processes and a worker at once: the same cents."""

import random
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import httpx

from tests.contract import stripe_objects as objects
from tests.contract.stripe_objects import checkout_session, refund
from tests.e2e.client import Shop, open_shop, until
from tests.races.crowd import at_once, clicked, own_sale
from tests.service import Service

TIMES = 20
CUSTOMERS = 12


def test_the_same_webhook_many_times_at_once_pays_once(shop: Shop) -> None:
    ana = shop.partner()
    session = checkout_session(client_reference_id=clicked(shop, ana), created=shop.started + 1)
    event = objects.event("checkout.session.completed", session, created=shop.started + 1)
    answers = at_once([partial(shop.send, event)] * TIMES)
    assert len({answer["event_id"] for answer in answers}) == 1
    assert sorted(answer["duplicate"] for answer in answers) == [False] + [True] * (TIMES - 1)
    shop.settled()
    assert (shop.commission(ana)["amount"], shop.balance(ana)) == (2_000, {"pending": 2_000})
    (stored,) = shop.get("/events")["data"]
    assert (stored["state"], stored["conflicts"]) == ("applied", 0)
    assert len(shop.get("/ledger/transfers")["data"]) == 1


def test_the_same_sale_of_our_own_many_times_at_once_pays_once(shop: Shop) -> None:
    ana = shop.partner()
    sale = own_sale(clicked(shop, ana), 1)
    answers = at_once([partial(shop.post, "/track/sale", sale)] * TIMES)
    assert sorted(answer["duplicate"] for answer in answers) == [False] + [True] * (TIMES - 1)
    told = [(answer["event_id"], answer["outcome"]) for answer in answers]
    assert all(one == told[0] for one in told)
    assert [c["amount"] for c in told[0][1]["commissions"]] == [2_000]
    assert shop.balance(ana) == {"pending": 2_000}
    assert len(shop.get("/ledger/transfers")["data"]) == 1


def test_contradicting_sales_at_once_leave_one_that_stands(shop: Shop) -> None:
    ana = shop.partner()
    token = clicked(shop, ana)

    def tell(amount: int) -> int:
        answer = shop.http.post(
            f"{random.choice(shop.urls)}/v1/track/sale",
            json=own_sale(token, 1, amount),
            headers={"Authorization": f"Bearer {shop.key}"},
        )
        return answer.status_code

    amounts = [10_000, 20_000] * (TIMES // 2)
    statuses = at_once([partial(tell, amount) for amount in amounts])
    accepted = {amount for amount, status in zip(amounts, statuses, strict=True) if status == 200}
    assert len(accepted) == 1
    assert sorted(set(statuses)) == [200, 409]
    assert shop.balance(ana) == {"pending": accepted.pop() // 5}


def test_sales_of_one_partner_at_once_lose_no_balance(shop: Shop) -> None:
    ana = shop.partner()
    amounts = [5 * (1_000 + number) for number in range(TIMES)]
    sales = [own_sale(clicked(shop, ana), n, amount) for n, amount in enumerate(amounts)]
    answers = at_once([partial(shop.post, "/track/sale", sale) for sale in sales])
    assert [a["outcome"]["commissions"][0]["amount"] for a in answers] == [
        amount // 5 for amount in amounts
    ]
    owed = sum(amounts) // 5
    assert shop.balance(ana) == {"pending": owed}
    transfers = shop.get("/ledger/transfers?limit=100")["data"]
    assert [move["number"] for move in transfers] == list(range(TIMES, 0, -1))
    accounts = shop.get("/ledger/accounts")["data"]
    assert {a["role"]: a["balance"] for a in accounts} == {"expense": -owed, "pending": owed}


def test_a_refund_and_its_sale_at_once_end_in_the_same_cents(shop: Shop) -> None:
    """Some refunds come first and wait; some find their sale; some are taken twice."""
    ana = shop.partner()
    calls: list[Callable[[], Any]] = []
    for number in range(CUSTOMERS):
        sold = objects.event(
            "checkout.session.completed",
            checkout_session(
                f"cs_{number}",
                customer=f"cus_{number}",
                payment_intent=f"pi_{number}",
                client_reference_id=clicked(shop, ana),
                created=shop.started + 4,
            ),
            created=shop.started + 4,
        )
        back = objects.event(
            "refund.created",
            refund(f"re_{number}", amount=3_000, charge=None, payment_intent=f"pi_{number}"),
            created=shop.started + 5,
        )
        calls += [partial(shop.send, event) for event in (sold, back, back)]
    random.shuffle(calls)
    at_once(calls)
    shop.settled()
    assert shop.balance(ana) == {"pending": 1_500 * CUSTOMERS}
    assert shop.get("/events?state=parked")["data"] == []


def test_the_same_webhooks_in_opposite_orders_block_nobody(shop: Shop) -> None:
    """Two processes store them in one commit each; locks taken crosswise must be survived."""
    ana = shop.partner()
    token = clicked(shop, ana)
    events = [
        objects.event(
            "checkout.session.completed",
            checkout_session(
                f"cs_{number}",
                customer=f"cus_{number}",
                payment_intent=f"pi_{number}",
                client_reference_id=token,
                created=shop.started + 4,
            ),
            created=shop.started + 4,
        )
        for number in range(CUSTOMERS)
    ]
    one, other = (Shop([url], shop.key, shop.http, source=shop.source) for url in shop.urls)
    calls = [partial(one.send, event) for event in events]
    calls += [partial(other.send, event) for event in reversed(events)]
    answers = at_once(calls)
    assert len({answer["event_id"] for answer in answers}) == CUSTOMERS
    shop.settled()
    assert shop.balance(ana) == {"pending": 2_000 * CUSTOMERS}


def test_maturing_and_refunds_at_once_end_in_the_same_cents(
    services: list[Service], http: httpx.Client
) -> None:
    """Holds end one after the other while refunds of the same sales come in."""
    shop = open_shop([service.url for service in services], http, hold_days=0, late_days=0)
    ana = shop.partner()
    token = clicked(shop, ana)

    def sell_then_refund(number: int) -> None:
        shop.post("/track/sale", own_sale(token, number))
        # The worker matures about 3 to 5 s after the sale.
        time.sleep(random.uniform(2.5, 5))
        back = {"invoice_id": f"INV-{number}", "amount_refunded": 3_000, "currency": "usd"}
        shop.post("/track/refund", back)

    at_once([partial(sell_then_refund, number) for number in range(TIMES)])
    owed = {"payable": 1_400 * TIMES}
    until(lambda: shop.balance(ana) == owed, f"{shop.balance(ana)} is not {owed}")
