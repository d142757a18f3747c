"""Two web processes and a worker on one database: whatever comes at once ends in the same cents."""

import random
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from threading import Barrier
from typing import Any, TypeVar

import httpx
import pytest

from tests.contract import stripe_objects as objects
from tests.contract.stripe_invoices import invoice
from tests.contract.stripe_objects import checkout_session, refund
from tests.e2e.client import GIVEN, Json, Partner, Shop, command, open_shop
from tests.service import Service, serve

TIMES = 20
CUSTOMERS = 12

T = TypeVar("T")


@pytest.fixture(scope="module")
def services(
    tmp_path_factory: pytest.TempPathFactory, module_database_url: str
) -> Iterator[list[Service]]:
    """A whole service, and beside it another web process with a port of its own.

    After all races every decision and balance has to recompute.
    """
    folders: list[Path] = [tmp_path_factory.mktemp("races") / "data" for _ in range(2)]
    given = GIVEN | {"DATABASE_URL": module_database_url}
    with (
        serve(folders[0], environment=given) as whole,
        serve(folders[1], "--role", "api", environment=given) as other,
    ):
        for role in ("redirect", "api", "worker"):
            whole.ready(role)
        other.ready("api")
        yield [whole, other]
        status, printed = command(whole, "verify", DATABASE_URL=module_database_url)
        assert status == 0, printed


@pytest.fixture(scope="module")
def http() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=30, limits=httpx.Limits(max_connections=64)) as client:
        yield client


@pytest.fixture
def shop(services: list[Service], http: httpx.Client) -> Shop:
    """Each request goes to the other web process than the one before."""
    return open_shop([service.url for service in services], http)


def at_once(calls: Sequence[Callable[[], T]]) -> list[T]:
    """Start all calls at the same moment; their results in order."""
    start = Barrier(len(calls))

    def run(call: Callable[[], T]) -> T:
        start.wait(10)
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def clicked(shop: Shop, partner: Partner) -> str:
    """Only the whole service redirects."""
    at_home = Shop(shop.urls[:1], shop.key, shop.http)
    return at_home.click(partner)


def own_sale(token: str, number: int, amount: int = 10_000) -> Json:
    return {
        "customer_external_id": f"user-{number}",
        "click_id": token,
        "amount": amount,
        "currency": "usd",
        "invoice_id": f"INV-{number}",
    }


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
