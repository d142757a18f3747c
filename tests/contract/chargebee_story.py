"""A subscriber's life as Chargebee tells it: trial, sale, renewal, upgrade, refund, dispute, end.

Every figure is in cents, tax 19 %; commissions are 20 % of what is left without it.
"""

from datetime import timedelta
from typing import Any

from tests.contract import chargebee_objects as objects
from tests.contract.chargebee_objects import Json
from tests.contract.steps import Step, Subscriber


class ChargebeeSubscriber(Subscriber):
    def story(self) -> tuple[Step[Json], ...]:
        return (
            Step("trial", self._trial(), 0),
            # 20 % of 100.00.
            Step("sale", self._bill(1, day=14), 20_00),
            Step("renewal", self._bill(2, day=44), 40_00),
            # 142.80 for the larger plan less 59.50 for the rest of the smaller: 83.30, which is
            # 70.00 without its tax.
            Step("upgrade", self._upgrade(day=50), 54_00),
            # 20.00 × 30.00 ÷ 119.00 is 5.042.
            Step("partial refund", self._refund(2, 30_00, day=51), 48_96),
            # 20.00 × 11.90 ÷ 119.00.
            Step("another refund", self._refund(1, 11_90, day=52), 46_96),
            Step("refund voided", (self._note(1, 11_90, 11_90, day=53, status="voided"),), 48_96),
            # The upgrade's 83.30 whole.
            Step("dispute", (self._chargeback(3, 83_30, day=55),), 34_96),
            # 20.00 × 50.00 ÷ 119.00 is 8.403.
            Step("second dispute", (self._chargeback(1, 50_00, day=56),), 26_56),
            Step("won", (self._chargeback(1, 50_00, day=70, status="voided"),), 34_96),
            Step("cancellation", self._cancellation(day=90), 34_96),
        )

    def _id(self, kind: str) -> str:
        return f"{kind}-s{self.number}"

    def _at(self, day: float) -> int:
        return int((self.since + timedelta(days=day)).timestamp())

    def _event(self, kind: str, *, day: float, **content: Json) -> Json:
        customer = objects.customer(self._id("cust"), cf_click_id=self.token)
        owned: Any = {
            name: {**thing, "customer_id": customer["id"]} for name, thing in content.items()
        }
        return objects.event(kind, at=self._at(day), **owned, customer=customer)

    def _subscription(self, **fields: Any) -> Json:
        return objects.subscription(self._id("sub"), **fields)

    def _invoice(self, n: int, *, day: float, **fields: Any) -> Json:
        return objects.invoice(
            f"{self._id('inv')}-{n}",
            subscription=self._id("sub"),
            lines=[objects.line(subscription=self._id("sub"))],
            paid_at=self._at(day),
            **fields,
        )

    def _trial(self) -> tuple[Json, ...]:
        trialing = self._subscription(status="in_trial")
        return (
            self._event("customer_created", day=0),
            self._event("subscription_created", day=0, subscription=trialing),
        )

    def _bill(self, n: int, *, day: float) -> tuple[Json, ...]:
        paid = self._invoice(n, day=day, total=119_00, tax=19_00, amount_paid=119_00)
        due = {**paid, "status": "payment_due", "amount_paid": 0, "paid_at": None}
        payment = objects.transaction(f"{self._id('txn')}-{n}", invoices=(paid["id"],))
        return (
            self._event("invoice_generated", day=day, invoice=due),
            self._event("transaction_created", day=day, transaction=payment),
            self._event("payment_succeeded", day=day, invoice=paid, transaction=payment),
            self._event("invoice_updated", day=day, invoice=paid),
            self._event("subscription_renewed", day=day, subscription=self._subscription()),
        )

    def _upgrade(self, *, day: float) -> tuple[Json, ...]:
        sold = self._invoice(3, day=day, total=142_80, tax=22_80, amount_paid=83_30)
        changed = self._subscription()
        return (
            # What is left of the smaller plan is credit, and nothing goes back.
            self._note(2, 59_50, 0, day=day, name="credit"),
            self._event("subscription_changed", day=day, invoice=sold, subscription=changed),
            self._event("invoice_generated", day=day, invoice=sold),
        )

    def _refund(self, n: int, total: int, *, day: float) -> tuple[Json, ...]:
        """The note is made and paid out within one second."""
        return (
            self._note(n, total, 0, day=day, status="refund_due"),
            self._note(n, total, total, day=day, kind="payment_refunded"),
        )

    def _note(
        self,
        n: int,
        total: int,
        refunded: int,
        *,
        day: float,
        kind: str = "credit_note_created",
        name: str = "note",
        **fields: Any,
    ) -> Json:
        note = objects.credit_note(
            f"{self._id(name)}-{n}",
            total=total,
            amount_refunded=refunded,
            invoice=f"{self._id('inv')}-{n}",
            version_ms=self._at(day) * 1_000 + (250 if refunded else 1),
            **fields,
        )
        return self._event(kind, day=day, credit_note=note)

    def _chargeback(self, n: int, total: int, *, day: float, status: str = "refunded") -> Json:
        return self._note(
            n, total, total, day=day, name="chargeback", reason="chargeback", status=status
        )

    def _cancellation(self, *, day: float) -> tuple[Json, ...]:
        ended = self._subscription(status="cancelled", cancelled_at=self._at(day))
        return (self._event("subscription_cancelled", day=day, subscription=ended),)
