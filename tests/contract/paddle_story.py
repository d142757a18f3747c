"""A subscriber's life as Paddle tells it: trial, sale, renewal, upgrade, refund, dispute, end.

Every figure is in cents, tax 19 %; commissions are 20 % of what is left without it.
"""

from datetime import timedelta
from typing import Any

from tests.contract import paddle_objects as objects
from tests.contract.paddle_objects import Json
from tests.contract.steps import Step, Subscriber


class PaddleSubscriber(Subscriber):
    def story(self) -> tuple[Step[Json], ...]:
        return (
            Step("trial", self._trial(), 0),
            # 20 % of 100.00.
            Step("sale", self._bill(1, day=14), 20_00),
            Step("renewal", self._bill(2, day=44), 40_00),
            # 142.80 for the larger plan less 59.50 for the rest of the smaller: 83.30, which is
            # 70.00 without its tax.
            Step("upgrade", self._upgrade(day=50), 54_00),
            Step("refund asked for", self._refund("pending_approval", day=51), 54_00),
            # 20.00 × 30.00 ÷ 119.00 is 5.042.
            Step("partial refund", self._refund("approved", day=52), 48_96),
            Step("refund rejected", self._rejected(day=53), 48_96),
            Step("inquiry", (self._adjust(3, "chargeback_warning", 83_30, day=54),), 48_96),
            # The upgrade's 83.30 whole.
            Step("dispute", (self._adjust(3, "chargeback", 83_30, day=55),), 34_96),
            # 20.00 × 50.00 ÷ 119.00 is 8.403.
            Step("second dispute", (self._adjust(1, "chargeback", 50_00, day=56),), 26_56),
            Step("won", (self._adjust(1, "chargeback_reverse", 50_00, day=70),), 34_96),
            Step("cancellation", self._cancellation(day=90), 34_96),
        )

    def _id(self, kind: str) -> str:
        return f"{kind}_s{self.number}"

    def _event(self, kind: str, thing: Json, *, day: float, seconds: float = 0) -> Json:
        at = self.since + timedelta(days=day, seconds=seconds)
        whose = {"customer_id": self._id("ctm")} if "customer_id" in thing else {}
        return objects.notification(kind, {**thing, **whose}, at=at)

    def _transaction(self, n: int, *, day: float, **fields: Any) -> Json:
        return objects.transaction(
            f"{self._id('txn')}_{n}",
            subscription=self._id("sub"),
            custom_data={"click_id": self.token},
            at=self.since + timedelta(days=day),
            **fields,
        )

    def _subscription(self, **fields: Any) -> Json:
        custom_data = {"click_id": self.token}
        return objects.subscription(self._id("sub"), custom_data=custom_data, **fields)

    def _trial(self) -> tuple[Json, ...]:
        free = self._transaction(0, day=0, total=0, tax=0)
        trialing = self._subscription(status="trialing")
        return (
            self._event("customer.created", objects.customer(self._id("ctm")), day=0),
            self._event("address.created", objects.address("DE"), day=0),
            self._event("transaction.completed", free, day=0),
            self._event("subscription.created", trialing, day=0, seconds=1),
            self._event("subscription.trialing", trialing, day=0, seconds=2),
        )

    def _bill(self, n: int, *, day: float) -> tuple[Json, ...]:
        fields: Any = {"total": 119_00, "tax": 19_00, "origin": "subscription_recurring"}
        done = self._transaction(n, day=day, **fields)
        early = {**done, "status": "paid", "subscription_id": None}
        return (
            self._event("transaction.paid", early, day=day, seconds=1),
            self._event("transaction.completed", done, day=day, seconds=2),
            self._event("subscription.updated", self._subscription(), day=day, seconds=2),
        )

    def _upgrade(self, *, day: float) -> tuple[Json, ...]:
        fields: Any = {"total": 142_80, "tax": 22_80, "credit": 59_50}
        sold = self._transaction(3, day=day, origin="subscription_update", **fields)
        return (
            self._adjust(2, "credit", 59_50, day=day),
            self._event("transaction.completed", sold, day=day, seconds=2),
        )

    def _refund(self, status: str, *, day: float) -> tuple[Json, ...]:
        return (self._adjust(2, "refund", 30_00, day=day, status=status),)

    def _rejected(self, *, day: float) -> tuple[Json, ...]:
        first = self._adjust(1, "refund", 11_90, day=day, status="pending_approval")
        return (first, self._adjust(1, "refund", 11_90, day=day + 0.5, status="rejected"))

    def _adjust(
        self, n: int, action: str, total: int, *, day: float, status: str = "approved"
    ) -> Json:
        adjustment = objects.adjustment(
            f"{self._id('adj')}_{n}_{action}",
            action=action,
            status=status,
            total=total,
            transaction=f"{self._id('txn')}_{n}",
        )
        made = status == "pending_approval" or action != "refund"
        kind = "adjustment.created" if made else "adjustment.updated"
        return self._event(kind, adjustment, day=day)

    def _cancellation(self, *, day: float) -> tuple[Json, ...]:
        at = self.since + timedelta(days=day)
        ended = self._subscription(status="canceled", canceled_at=at)
        return (self._event("subscription.canceled", ended, day=day),)
