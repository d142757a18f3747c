"""Many requests that start at the same moment, and what they say."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

from tests.e2e.client import Json, Partner, Shop

T = TypeVar("T")


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
