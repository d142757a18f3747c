"""A subscriber's life as Stripe tells it: trial, sale, renewal, upgrade, refund, dispute, end.

Every figure is in cents, tax 19 %; commissions are 20 % of what is left without it.
"""

from datetime import timedelta
from typing import Any

from tests.contract import stripe_invoices as bills
from tests.contract import stripe_objects as objects
from tests.contract import stripe_reversals as reversals
from tests.contract.steps import Step, Subscriber
from tests.contract.stripe_objects import Json


class StripeSubscriber(Subscriber):
    def story(self) -> tuple[Step[Json], ...]:
        return (
            Step("trial", self._trial(), 0, 0),
            # 20 % of 100.00.
            Step("sale", self._bill(1, day=14), 20_00, 0),
            Step("renewal", self._bill(2, day=44), 40_00, 0),
            # 120.00 for the larger plan less 50.00 for the rest of the smaller: 20 % of 70.00.
            Step("upgrade", self._upgrade(day=50), 54_00, 0),
            # 20.00 × 30.00 ÷ 119.00 is 5.042.
            Step("partial refund", self._refund(day=51), 48_96, 0),
            # 20.00 × 11.90 ÷ 119.00 goes to the customer's balance.
            Step("credit note", self._credit(day=52), 46_96, 0),
            Step("inquiry", self._dispute("warning_needs_response", "created", day=53), 46_96, 0),
            # The upgrade's 83.30 whole: its 14.00 are stopped.
            Step(
                "dispute", self._dispute("needs_response", "funds_withdrawn", day=55), 32_96, 14_00
            ),
            # 50.00 of the first sale's 119.00: 20.00 × 61.90 ÷ 119.00 is 10.403, 2.00 are gone.
            Step(
                "second dispute",
                self._second_dispute("needs_response", "created", 56),
                24_56,
                22_40,
            ),
            Step("evidence", self._dispute("under_review", "updated", day=60), 24_56, 22_40),
            Step("lost", self._dispute("lost", "closed", day=80), 24_56, 8_40),
            Step("won", self._second_dispute("won", "funds_reinstated", 85), 32_96, 0),
            Step("cancellation", self._cancellation(day=90), 32_96, 0),
        )

    def events(self, *, until: str = "") -> list[Json]:
        """All of them in their order; until: the last step that happens."""
        told: list[Json] = []
        for step in self.story():
            told += step.messages
            if step.name == until:
                break
        return told

    def _id(self, kind: str) -> str:
        return f"{kind}_s{self.number}"

    def _at(self, day: float, seconds: int = 0) -> int:
        return int((self.since + timedelta(days=day, seconds=seconds)).timestamp())

    def _event(self, kind: str, thing: Json, at: int) -> Json:
        return objects.event(kind, thing, created=at, livemode=True)

    def _trial(self) -> tuple[Json, ...]:
        at = self._at(0)
        session = objects.checkout_session(
            self._id("cs"),
            mode="subscription",
            customer=self._id("cus"),
            payment_intent=None,
            invoice=self._id("in_0"),
            subscription=self._id("sub"),
            amount_total=0,
            amount_tax=0,
            payment_status="no_payment_required",
            client_reference_id=self.token,
            created=at,
        )
        nothing = self._invoice(0, at, amount_paid=0, total=0, total_excluding_tax=0)
        begun = objects.subscription(self._id("sub"), customer=self._id("cus"), created=at)
        return (
            self._event("customer.created", objects.customer(self._id("cus"), created=at), at),
            self._event("customer.subscription.created", begun, at),
            self._event("invoice.paid", nothing, at),
            self._event("checkout.session.completed", session, at + 1),
        )

    def _bill(self, number: int, *, day: int, **figures: Any) -> tuple[Json, ...]:
        """An invoice that is paid, with all that Stripe sends along."""
        at = self._at(day)
        paid = self._invoice(number, at, **figures)
        intent, charge = self._id(f"pi_{number}"), self._id(f"ch_{number}")
        amount = paid["amount_paid"]
        of_customer: Json = {"customer": self._id("cus"), "created": at}
        settled = bills.invoice_payment(invoice=paid["id"], payment_intent=intent, created=at)
        return (
            self._event(
                "charge.succeeded",
                objects.charge(charge, payment_intent=intent, amount=amount, **of_customer),
                at,
            ),
            self._event(
                "payment_intent.succeeded",
                objects.payment_intent(
                    intent, latest_charge=charge, amount_received=amount, **of_customer
                ),
                at,
            ),
            self._event("invoice_payment.paid", settled, at + 1),
            self._event("invoice.paid", paid, at + 1),
            self._event("invoice.payment_succeeded", paid, at + 1),
        )

    def _upgrade(self, *, day: int) -> tuple[Json, ...]:
        lines = [bills.invoice_line(amount=120_00), bills.invoice_line(amount=-50_00)]
        changed = objects.subscription(
            self._id("sub"), customer=self._id("cus"), created=self._at(0)
        )
        return (
            self._event("customer.subscription.updated", changed, self._at(day)),
            *self._bill(
                3, day=day, amount_paid=83_30, total=83_30, total_excluding_tax=70_00, lines=lines
            ),
        )

    def _invoice(self, number: int, at: int, **figures: Any) -> Json:
        gross: Json = {"amount_paid": 119_00, "total": 119_00, "total_excluding_tax": 100_00}
        return bills.invoice(
            self._id(f"in_{number}"),
            customer=self._id("cus"),
            subscription=self._id("sub"),
            paid_at=at,
            created=at,
            **{**gross, **figures},
        )

    def _refund(self, *, day: int) -> tuple[Json, ...]:
        """30.00 of the renewal."""
        at, intent, charge = self._at(day), self._id("pi_2"), self._id("ch_2")
        given = objects.refund(
            self._id("re"), amount=30_00, charge=charge, payment_intent=intent, created=at
        )
        refunded = objects.charge(
            charge,
            customer=self._id("cus"),
            payment_intent=intent,
            amount=119_00,
            amount_refunded=30_00,
            created=self._at(44),
        )
        return (
            self._event("refund.created", {**given, "status": "pending"}, at),
            self._event("charge.refunded", refunded, at),
            self._event("refund.updated", given, at + 2),
        )

    def _credit(self, *, day: int) -> tuple[Json, ...]:
        """11.90 of the first sale; another note was a mistake."""
        at = self._at(day)
        of: Json = {"invoice": self._id("in_1"), "created": at}
        kept = reversals.credit_note(self._id("cn_1"), post_payment_amount=11_90, **of)
        wrong = reversals.credit_note(self._id("cn_2"), post_payment_amount=5_00, **of)
        notes = [{**note, "customer": self._id("cus")} for note in (kept, wrong)]
        return (
            *(self._event("credit_note.created", note, at) for note in notes),
            self._event("credit_note.voided", {**notes[1], "status": "void"}, at + 60),
        )

    def _dispute(self, status: str, news: str, *, day: int) -> tuple[Json, ...]:
        """Over the whole upgrade."""
        return self._disputed(3, 83_30, status, news, day)

    def _second_dispute(self, status: str, news: str, day: int) -> tuple[Json, ...]:
        """Over a part of the first sale."""
        return self._disputed(1, 50_00, status, news, day)

    def _disputed(
        self, payment: int, amount: int, status: str, news: str, day: int
    ) -> tuple[Json, ...]:
        thing = reversals.dispute(
            self._id(f"dp_{payment}"),
            status=status,
            amount=amount,
            charge=self._id(f"ch_{payment}"),
            payment_intent=self._id(f"pi_{payment}"),
        )
        return (self._event(f"charge.dispute.{news}", thing, self._at(day)),)

    def _cancellation(self, *, day: int) -> tuple[Json, ...]:
        at = self._at(day)
        ended = objects.subscription(self._id("sub"), customer=self._id("cus"), ended_at=at)
        return (self._event("customer.subscription.deleted", ended, at),)
