"""Made-up customers of one Stripe account: what each buys, gives back, disputes, and is called."""

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from app.core.click_token import ClickToken, sign
from app.core.traffic import HUMAN
from faults.stage import KEYS
from tests.contract import stripe_objects as objects
from tests.contract.stripe_invoices import invoice, invoice_payment
from tests.contract.stripe_objects import Json
from tests.contract.stripe_reversals import dispute

_MOST_RENEWALS = 3
_MERGED = 0.05
_UNBROUGHT = 0.1


@dataclass(frozen=True)
class Histories:
    """Events by their ids. late: those about a payment, which may come before it."""

    events: dict[str, Json]
    late: frozenset[str]


def histories(dice: random.Random, links: list[UUID], events: int, days: int) -> Histories:
    """Customers until there are so many events: one half of them lives within the last twelve
    hours, the other one any time in so many days before. Each of them is done within a day.
    """
    made: dict[str, Json] = {}
    late: set[str] = set()
    number = 0
    while len(made) < events:
        number += 1
        customer = _Customer(dice, number, dice.choice((0.0, dice.uniform(0, days))))
        if dice.random() > _UNBROUGHT:
            click = _click_at(customer.began - timedelta(minutes=dice.randint(1, 600)), dice)
            customer.click = sign(ClickToken(click, dice.choice(links), HUMAN), KEYS)
        customer.live()
        late |= customer.late
        made |= customer.events
    return Histories(made, frozenset(late))


class _Customer:
    """Subscribes, pays some times, and does what customers do with what they paid."""

    def __init__(self, dice: random.Random, number: int, days_ago: float) -> None:
        self._dice, self._number = dice, number
        self._id = f"cus_{number}"
        self.began = datetime.now(UTC) - timedelta(days=days_ago, hours=dice.uniform(6, 12))
        self._clock = int(self.began.timestamp())
        self.click: str | None = None
        self.events: dict[str, Json] = {}
        self.late: set[str] = set()

    def live(self) -> None:
        self._subscribe()
        for time in range(1, self._dice.randint(1, _MOST_RENEWALS) + 1):
            self._pay(time)
        if self._number > 1 and self._dice.random() < _MERGED:
            # Somebody who subscribed before under another address turns out to be the same.
            for one in (self._id, f"cus_{self._number - 1}"):
                same = objects.customer(one, metadata={"finderfee_customer_id": f"u{self._number}"})
                self._tell("customer.updated", same)
        if self._dice.random() < 0.3:
            ended = objects.subscription(
                f"sub_{self._number}", customer=self._id, ended_at=self._clock
            )
            self._tell("customer.subscription.deleted", ended)

    def _subscribe(self) -> None:
        session = objects.checkout_session(
            f"cs_{self._number}",
            mode="subscription",
            customer=self._id,
            payment_intent=None,
            invoice=f"in_{self._number}_1",
            subscription=f"sub_{self._number}",
            client_reference_id=self.click,
            created=self._clock,
        )
        self._tell("checkout.session.completed", session)

    def _pay(self, time: int) -> None:
        name, amount = f"{self._number}_{time}", self._dice.randint(100, 50_000)
        paid = invoice(
            f"in_{name}",
            customer=self._id,
            amount_paid=amount,
            total=amount,
            total_excluding_tax=amount - self._dice.randint(0, amount // 5),
            subscription=f"sub_{self._number}",
            paid_at=self._clock,
            created=self._clock,
        )
        self._tell("invoice.paid", paid)
        tie = invoice_payment(
            invoice=f"in_{name}", payment_intent=f"pi_{name}", created=self._clock
        )
        self._tell("invoice_payment.paid", tie, late=True)
        charged = objects.charge(
            f"ch_{name}",
            customer=self._id,
            payment_intent=f"pi_{name}",
            amount=amount,
            created=self._clock,
        )
        self._tell("charge.succeeded", charged, late=True)
        if self._dice.random() < 0.5:
            self._refund(name, amount)
        if self._dice.random() < 0.2:
            self._dispute(name, amount)

    def _refund(self, name: str, amount: int) -> None:
        for part in range(self._dice.randint(1, 3)):
            given = objects.refund(
                f"re_{name}_{part}",
                amount=self._dice.randint(1, amount // 3),
                charge=f"ch_{name}",
                payment_intent=f"pi_{name}",
                created=self._clock,
            )
            self._tell("refund.created", given, late=True)
            if self._dice.random() < 0.2:
                self._tell("refund.failed", given | {"status": "failed"}, late=True)

    def _dispute(self, name: str, amount: int) -> None:
        opened = dispute(
            f"dp_{name}",
            amount=amount,
            charge=f"ch_{name}",
            payment_intent=f"pi_{name}",
            created=self._clock,
        )
        self._tell("charge.dispute.created", opened, late=True)
        if self._dice.random() < 0.7:
            ended = opened | {"status": self._dice.choice(["won", "lost"])}
            self._tell("charge.dispute.closed", ended, late=True)

    def _tell(self, kind: str, thing: Json, *, late: bool = False) -> None:
        """Each a little after the one before; sometimes within the same second."""
        self._clock += self._dice.choice((0, 1, 60, 600))
        name = f"evt_{self._number}_{len(self.events)}"
        self.events[name] = objects.event(kind, thing, id=name, created=self._clock)
        if late:
            self.late.add(name)


def _click_at(at: datetime, dice: random.Random) -> UUID:
    """A UUIDv7 of that time."""
    ms = int(at.timestamp() * 1_000)
    return UUID(
        int=ms << 80 | 7 << 76 | dice.getrandbits(12) << 64 | 2 << 62 | dice.getrandbits(62)
    )
