"""Made-up messages of a few customers, as histories draw them: few names and times, so that many
meet.
"""

from datetime import UTC, datetime, timedelta
from typing import Literal

from hypothesis import strategies as st

from app.conversions.providers.mapping import Alias
from app.core.events import (
    Body,
    Churn,
    Dispute,
    Kind,
    Lead,
    Named,
    Payment,
    Refund,
    RefundTotal,
    Tie,
)

STATES: tuple[Literal["open", "won", "lost"], ...] = ("open", "won", "lost")
STARTED = datetime(2026, 3, 1, 12, tzinfo=UTC)
AGES_D = (0, 0, 1, 3)
"""Days before STARTED at which things happen: few, so that many happen at once."""
CUSTOMERS, PAYMENTS, OBJECTS = 3, 4, 3
OWN_IDS = ("user-1", "user-2")
ADDRESSES = ("kim@example.com", "lee@example.com")
numbers = st.integers(1, OBJECTS)
amounts = st.sampled_from((1, 999, 5_000, 10_000))
times = st.sampled_from([STARTED - timedelta(days=d) for d in AGES_D])


def payment_keys(number: int, *kinds: str) -> tuple[str, ...]:
    return tuple(f"stripe::{kind}:{kind}_{number}" for kind in kinds)


@st.composite
def bodies(draw: st.DrawFn) -> tuple[Kind, Body, tuple[str, ...]]:
    """What a message says, and which payments it names."""
    number, amount = draw(st.integers(1, PAYMENTS)), draw(amounts)
    kind = draw(st.sampled_from(_KINDS))
    charge = payment_keys(number, draw(st.sampled_from(("payment_intent", "charge"))))
    counts = draw(st.booleans())
    match kind:
        case "payment":
            paid = Payment(
                authority=draw(st.sampled_from((2, 3))),
                gross=amount,
                base=amount - draw(st.sampled_from((0, amount // 6))),
                currency="usd",
                subscription=draw(st.sampled_from(("", "stripe::subscription:sub_1"))),
            )
            return kind, paid, payment_keys(number, "invoice")
        case "tie":
            return kind, Tie(), payment_keys(number, "invoice", "payment_intent", "charge")
        case "refund":
            refund = Refund(f"re_{draw(numbers)}", amount // 2 or 1, "usd", counts=counts)
            return kind, refund, charge
        case "refund_total":
            return kind, RefundTotal(amount // 3, "usd", dated=True), charge
        case "dispute":
            state = draw(st.sampled_from(STATES))
            return kind, Dispute(f"dp_{draw(numbers)}", amount, "usd", state), charge
        case "lead":
            return kind, Lead("signup"), ()
        case "churn":
            return kind, Churn("stripe::subscription:sub_1"), ()
        case _:
            return "named", Named(), ()


_KINDS: tuple[Kind, ...] = (
    "payment", "payment", "tie", "refund", "refund_total", "dispute", "lead", "churn", "named",
)  # fmt: skip


@st.composite
def people(draw: st.DrawFn, *, needed: bool) -> tuple[Alias, ...]:
    """One customer, by Stripe's id or by an own one; now and then by both, which joins them."""
    if not needed and draw(st.booleans()):
        return ()
    customer = Alias("stripe:", f"cus_{draw(st.integers(1, CUSTOMERS))}")
    own = Alias("own", draw(st.sampled_from(OWN_IDS)))
    return draw(st.sampled_from(((customer,), (customer,), (own,), (customer, own))))
