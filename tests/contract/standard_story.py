"""A subscriber's life as an own system tells it, in our own schema; commissions are 20 %."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.contract import standard_objects as objects
from tests.contract.steps import Step, Subscriber


@dataclass(frozen=True)
class Message:
    payload: objects.Json
    number: str

    def sent(self, secret: str) -> tuple[bytes, dict[str, str]]:
        body = objects.encoded(self.payload)
        return body, objects.signed(body, self.number, at=datetime.now(UTC), secret=secret)


class OwnSubscriber(Subscriber):
    def story(self) -> tuple[Step[Message], ...]:
        crm = [{"namespace": "crm", "external_id": f"c-{self.number}"}]
        return (
            Step("trial", (self._told("lead", 0, click_id=self.token),), 0),
            Step("news", (self._told("customer", 1, customer_aliases=crm),), 0),
            Step("sale", (self._sale(1, 100_00, 14),), 20_00),
            Step("renewal", (self._sale(2, 100_00, 44),), 40_00),
            # 120.00 for the larger plan less 50.00 for the rest of the smaller: 20 % of 70.00.
            Step("upgrade", (self._sale(3, 70_00, 50),), 54_00),
            # 20.00 × 25.21 ÷ 100.00 is 5.042; then all that went back of it, which is no more.
            Step("partial refund", (self._refund(2, 25_21, 51, refund_id=f"R-{self.number}"),
             self._refund(2, 25_21, 52)), 48_96),
            Step("dispute", (self._dispute(3, 70_00, 55, "open"),), 34_96, 14_00),
            Step("second dispute", (self._dispute(1, 50_00, 56, "open"),), 24_96, 24_00),
            Step("lost", (self._dispute(3, 70_00, 80, "lost"),), 24_96, 10_00),
            Step("won", (self._dispute(1, 50_00, 85, "won"),), 34_96),
            Step("cancellation", (self._told("subscription.canceled", 90,
             subscription_id=self._id("S")),), 34_96),
            # 20.00 × 10.00 ÷ 100.00.
            Step("goodwill", (self._refund(1, 10_00, 91),), 32_96),
        )  # fmt: skip

    def _sale(self, nth: int, amount: int, day: int) -> Message:
        return self._told(
            "sale",
            day,
            amount=amount,
            currency="usd",
            invoice_id=self._id(f"INV-{nth}"),
            subscription_id=self._id("S"),
        )

    def _refund(self, nth: int, amount: int, day: int, **more: Any) -> Message:
        data = {"amount_refunded": amount, "currency": "usd", "invoice_id": self._id(f"INV-{nth}")}
        return self._message("refund", day, {**data, **more})

    def _dispute(self, nth: int, amount: int, day: int, state: str) -> Message:
        data = {
            "dispute_id": self._id(f"D-{nth}"),
            "invoice_id": self._id(f"INV-{nth}"),
            "amount": amount,
            "currency": "usd",
            "state": state,
        }
        return self._message("dispute", day, data)

    def _told(self, kind: str, day: int, **data: Any) -> Message:
        return self._message(kind, day, {"customer_external_id": self._id("user"), **data})

    def _message(self, kind: str, day: int, data: objects.Json) -> Message:
        at = self.since + timedelta(days=day)
        return Message(objects.message(kind, at=at, **data), f"msg_{self.number}_{kind}_{day}")

    def _id(self, what: str) -> str:
        return f"{what}-{self.number}"
