"""A subscriber's life as a Shopify shop tells it. Prices contain 19 % of tax; commissions are 20 %
of what is left without it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tests.contract import shopify_objects as objects
from tests.contract.steps import Step, Subscriber

FREE, FIRST, RENEWAL, UPGRADE = 1, 2, 3, 4


@dataclass(frozen=True)
class Message:
    """topic: `X-Shopify-Topic`. number: of the message, in its event id. at: when it happened."""

    topic: str
    payload: objects.Json
    number: str
    at: datetime

    def sent(self, secret: str) -> tuple[bytes, dict[str, str]]:
        """The body and all headers."""
        body = objects.encoded(self.payload)
        headers = objects.headers(self.topic, self.number, at=self.at)
        return body, {**headers, "X-Shopify-Hmac-Sha256": objects.signature(body, secret)}


class ShopifySubscriber(Subscriber):
    def story(self) -> tuple[Step[Message], ...]:
        two = [objects.refund(objects.transaction("11.90", order_id=self._id(FIRST)))]
        return (
            Step("trial", self._trial(), 0),
            # 20 % of 100.00.
            Step("sale", self._bill(FIRST, "119.00", "19.00", day=14), 20_00),
            Step("renewal", self._bill(RENEWAL, "119.00", "19.00", day=44), 40_00),
            # 120.00 for the larger plan less 50.00 for the rest of the smaller: 20 % of 70.00.
            Step("upgrade", self._bill(UPGRADE, "83.30", "13.30", day=50), 54_00),
            # 20.00 × 30.00 ÷ 119.00 is 5.042.
            Step("partial refund", self._refund(day=51), 48_96),
            Step("inquiry", self._dispute(8, UPGRADE, "83.30", 53, type="inquiry"), 48_96),
            # The upgrade's 83.30 whole: its 14.00 are stopped.
            Step("dispute", self._dispute(9, UPGRADE, "83.30", 55), 34_96, 14_00),
            # Half of the first sale's 119.00.
            Step("second dispute", self._dispute(10, FIRST, "59.50", 56), 24_96, 24_00),
            Step(
                "evidence",
                self._dispute(9, UPGRADE, "83.30", 60, status="under_review"),
                24_96,
                24_00,
            ),
            Step("lost", self._dispute(9, UPGRADE, "83.30", 80, status="lost"), 24_96, 10_00),
            Step("won", self._dispute(10, FIRST, "59.50", 85, status="won"), 34_96),
            Step("cancellation", (self._contract("update", 90, status="cancelled"),), 34_96),
            # A bank's refund that was pending when it was made: 20.00 × 11.90 ÷ 119.00 is 2.00.
            Step("slow refund", (*self._slow(day=91), self._seen(FIRST, 93, two)), 32_96),
        )

    def _trial(self) -> tuple[Message, ...]:
        """A free order, which brings the click, and what it subscribes to."""
        noted = [{"name": "click_id", "value": self.token}]
        free = self._order(FREE, "0.00", "0.00", day=0, note_attributes=noted)
        return (
            self._message("orders/create", free, day=0),
            self._message("orders/paid", free, day=0),
            self._contract("create", 0),
        )

    def _bill(self, nth: int, total: str, tax: str, *, day: int) -> tuple[Message, ...]:
        """One sale, told three times; which contract it renews is told apart."""
        order = self._order(nth, total, tax, day=day)
        attempt = objects.billing(order_id=self._id(nth), subscription_contract_id=self._id(0))
        return (
            self._message("subscription_billing_attempts/success", attempt, day=day),
            self._message("orders/create", {**order, "financial_status": "pending"}, day=day),
            self._message("orders/paid", order, day=day),
            self._seen(nth, day + 1, [], total=total, tax=tax),
        )

    def _seen(
        self, nth: int, day: int, refunds: list[Any], total: str = "119.00", tax: str = "19.00"
    ) -> Message:
        """The order again, as it stands some days later."""
        days = {FIRST: 14, RENEWAL: 44, UPGRADE: 50}
        order = self._order(
            nth, total, tax, day=days[nth], refunds=refunds, updated_at=self._at(day)
        )
        return self._message("orders/updated", order, day=day)

    def _refund(self, *, day: int) -> tuple[Message, ...]:
        gone = objects.refund(
            objects.transaction("30.00", order_id=self._id(RENEWAL)),
            id=self._id(5),
            order_id=self._id(RENEWAL),
            created_at=self._at(day),
            processed_at=self._at(day),
        )
        return (
            self._message("refunds/create", gone, day=day),
            self._seen(RENEWAL, day, [gone]),
        )

    def _slow(self, *, day: int) -> tuple[Message, ...]:
        waiting = objects.transaction("11.90", order_id=self._id(FIRST), status="pending")
        gone = objects.refund(waiting, id=self._id(6), order_id=self._id(FIRST))
        return (self._message("refunds/create", gone, day=day),)

    def _dispute(
        self, nth: int, order: int, amount: str, day: int, **fields: Any
    ) -> tuple[Message, ...]:
        payload = objects.dispute(
            id=self._id(nth), order_id=self._id(order), amount=amount, **fields
        )
        topic = "disputes/update" if "status" in fields else "disputes/create"
        return (self._message(topic, payload, day=day),)

    def _contract(self, what: str, day: int, **fields: Any) -> Message:
        payload = objects.contract(
            id=self._id(0), customer_id=self._id(7), origin_order_id=self._id(FREE), **fields
        )
        return self._message(f"subscription_contracts/{what}", payload, day=day)

    def _order(self, nth: int, total: str, tax: str, *, day: int, **fields: Any) -> objects.Json:
        usual = {
            "id": self._id(nth),
            "customer": {"id": self._id(7), "email": f"s{self.number}@example.com"},
            "total_price": total,
            "total_tax": tax,
            "line_items": [objects.line(price=total, tax_lines=[{"price": tax}])],
            "created_at": self._at(day),
            "processed_at": self._at(day),
            "updated_at": self._at(day),
        }
        return objects.order(**{**usual, **fields})

    def _message(self, topic: str, payload: objects.Json, *, day: int) -> Message:
        at = self.since + timedelta(days=day)
        return Message(topic, payload, f"e-{self.number}-{day}-{payload['id']}", at)

    def _id(self, nth: int) -> int:
        return 10_000 + 100 * self.number + nth

    def _at(self, day: int) -> str:
        return (self.since + timedelta(days=day)).isoformat()
