"""One sale is one payment: messages that name the same payment are read as one sale."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from app.core.events import Event, Payment, Refund, RefundTotal, Tie

_RANK: Final = {"invoice": 0, "payment_intent": 1, "charge": 2, "session": 3}


@dataclass(frozen=True, slots=True)
class Sale:
    """One payment as all its messages together describe it.

    keys: every id it goes by, the one that names it first. payments, refunds, totals: the
    messages in deciding order. payments may be empty: then a refund waits for its sale.
    """

    keys: tuple[str, ...]
    payments: tuple[tuple[Event, Payment], ...]
    refunds: tuple[tuple[Event, Refund], ...]
    totals: tuple[tuple[Event, RefundTotal], ...]

    @property
    def messages(self) -> tuple[Event, ...]:
        return tuple(event for event, _ in (*self.payments, *self.refunds, *self.totals))

    @property
    def told_by(self) -> tuple[Event, Payment]:
        """Whose figures win: the invoice's, then the session's; the latest of equals."""
        return max(self.payments, key=lambda told: (told[1].authority, told[0].order))


def group(events: Iterable[Event]) -> tuple[Sale, ...]:
    """Sales among a customer's events, which come in deciding order."""
    relevant = [e for e in events if isinstance(e.body, Payment | Tie | Refund | RefundTotal)]
    leaders = _leaders(relevant)
    members: dict[str, list[Event]] = defaultdict(list)
    for event in relevant:
        if event.payments:
            members[_find(leaders, event.payments[0])].append(event)
    return tuple(_sale(component) for component in members.values())


def refunded(sale: Sale, *, gross: int, currency: str) -> int:
    """Cumulative gross refunded, minor units, between 0 and gross.

    The larger of what the refund objects sum to, each in its newest state, and what the newest
    cumulative figure says, less objects that failed since. Another currency counts nothing.
    """
    newest: dict[str, tuple[Event, Refund]] = {}
    # Of two states in one second the failed one is the later: money that went back can bounce,
    # a refund that failed stays failed.
    for event, refund in sorted(
        sale.refunds, key=lambda seen: (seen[0].occurred_at, not seen[1].counts)
    ):
        if refund.currency == currency:
            newest[refund.refund_id] = (event, refund)
    by_objects = sum(refund.amount for _, refund in newest.values() if refund.counts)
    totals = [(e, t) for e, t in sale.totals if t.currency == currency]
    dated = [(e, t) for e, t in totals if t.dated]
    by_total = max((t.amount for _, t in totals if not t.dated), default=0)
    if dated:
        # Of equal instants the larger figure: it has seen more refunds.
        event, total = max(dated, key=lambda told: (told[0].occurred_at, told[1].amount))
        failed_since = sum(
            refund.amount
            for seen, refund in newest.values()
            if not refund.counts and seen.occurred_at >= event.occurred_at
        )
        by_total = max(by_total, total.amount - failed_since)
    return min(gross, max(by_objects, by_total, 0))


def key_rank(key: str) -> tuple[int, str]:
    """Which of a sale's ids names it: invoice, payment intent, charge, session."""
    return (_RANK.get(key.split(":", 3)[2], len(_RANK)), key)


def _sale(component: list[Event]) -> Sale:
    keys = sorted({key for event in component for key in event.payments}, key=key_rank)
    return Sale(
        keys=tuple(keys),
        payments=tuple((e, e.body) for e in component if isinstance(e.body, Payment)),
        refunds=tuple((e, e.body) for e in component if isinstance(e.body, Refund)),
        totals=tuple((e, e.body) for e in component if isinstance(e.body, RefundTotal)),
    )


def _leaders(events: list[Event]) -> dict[str, str]:
    """Union-find over payment keys: ids that one message names together are one payment."""
    leaders: dict[str, str] = {}
    for event in events:
        for key in event.payments:
            leaders.setdefault(key, key)
        for key in event.payments[1:]:
            leaders[_find(leaders, key)] = _find(leaders, event.payments[0])
    return leaders


def _find(leaders: dict[str, str], key: str) -> str:
    while leaders[key] != key:
        leaders[key] = leaders[leaders[key]]
        key = leaders[key]
    return key
