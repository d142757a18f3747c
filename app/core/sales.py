"""One sale is one payment: messages that name the same payment are read as one sale."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from app.core.events import Dispute, Event, Payment, Refund, RefundTotal, Subscribed
from app.core.records import record

_RANK: Final = {"invoice": 0, "payment_intent": 1, "charge": 2, "session": 3}
_FINALITY: Final = {"open": 0, "won": 1, "lost": 2}
DUPLICATE: Final = "duplicate_sale"
"""A dispute of this id is a person's word on whether the sale is another one told again."""
_OF_ONE_CHARGE: Final = frozenset({"payment_intent", "charge"})


@record
class Sale:
    """One payment as all its messages together describe it.

    keys: every id it goes by, the one that names it first. payments, refunds, totals, disputes:
    the messages in deciding order. payments may be empty: then a refund waits for its sale.
    """

    keys: tuple[str, ...]
    payments: tuple[tuple[Event, Payment], ...]
    refunds: tuple[tuple[Event, Refund], ...]
    totals: tuple[tuple[Event, RefundTotal], ...]
    disputes: tuple[tuple[Event, Dispute], ...]
    named_together: tuple[tuple[str, ...], ...]
    """Ids that one message named, for each message."""
    subscriptions: tuple[str, ...] = ()
    """What others than its payments say that it is of, the latest last."""

    @property
    def messages(self) -> tuple[Event, ...]:
        told = (*self.payments, *self.refunds, *self.totals, *self.disputes)
        return tuple(event for event, _ in told)

    @property
    def may_be_reversed(self) -> bool:
        """Whether any message tells of a refund or a dispute."""
        return bool(self.refunds or self.totals or self.disputes)

    @property
    def told_by(self) -> tuple[Event, Payment]:
        """Whose figures win: the invoice's, then the session's; the latest of equals."""
        if len(self.payments) == 1:
            return self.payments[0]
        return max(self.payments, key=lambda told: (told[1].authority, told[0].order))


def group(events: Iterable[Event]) -> tuple[Sale, ...]:
    """Sales among a customer's events, which come in deciding order."""
    relevant = [event for event in events if event.payments]
    if len(relevant) < 2:
        return tuple([_sale([event]) for event in relevant])
    leaders = _leaders([event.payments for event in relevant])
    members: dict[str, list[Event]] = defaultdict(list)
    for event in relevant:
        members[_find(leaders, event.payments[0])].append(event)
    return tuple(_sale(component) for component in members.values())


def refunded(sale: Sale, *, gross: int, currency: str) -> int:
    """Cumulative gross refunded, minor units, between 0 and gross.

    Several charges may have paid one invoice: each has its own refunds, and they sum. Another
    currency counts nothing.
    """
    charges = _leaders([_charge_ids(keys) for keys in sale.named_together])
    refunds: dict[str, list[tuple[Event, Refund]]] = defaultdict(list)
    totals: dict[str, list[tuple[Event, RefundTotal]]] = defaultdict(list)
    for event, refund in sale.refunds:
        if refund.currency == currency:
            refunds[_charge_of(charges, event)].append((event, refund))
    for event, total in sale.totals:
        if total.currency == currency:
            totals[_charge_of(charges, event)].append((event, total))
    returned = sum(_returned(refunds[c], totals[c]) for c in refunds.keys() | totals.keys())
    return min(gross, returned)


@record
class Disputed:
    """What disputes of a sale are about, by their newest state; minor units of gross."""

    open: int
    won: int
    lost: int


def disputed(sale: Sale, *, currency: str) -> Disputed:
    """Sums over the sale's disputes, each in its newest state. Another currency counts nothing."""
    sums = dict.fromkeys(_FINALITY, 0)
    for dispute in _newest(sale).values():
        if dispute.currency == currency and dispute.dispute_id != DUPLICATE:
            sums[dispute.state] += dispute.amount
    return Disputed(**sums)


def taken_back(sale: Sale, *, gross: int, returned: int, disputed: Disputed) -> int:
    """Of the gross: what refunds and lost disputes took, all if it is another sale told again."""
    return gross if is_duplicate(sale) else min(gross, returned + disputed.lost)


def is_duplicate(sale: Sale) -> bool | None:
    """What a person said last: it is another sale told again, or it is not; None: nothing."""
    verdict = _newest(sale).get(DUPLICATE)
    return None if verdict is None else verdict.state == "lost"


def without_verdicts(sale: Sale, *, on: AbstractSet[str]) -> Sale:
    """The sale without what people said of others that closed apart from it, by their keys."""
    if not on:
        return sale
    kept = [
        (event, dispute)
        for event, dispute in sale.disputes
        if dispute.dispute_id != DUPLICATE or on.isdisjoint(event.payments)
    ]
    return replace(sale, disputes=tuple(kept))


def key_rank(key: str) -> tuple[int, str]:
    """Which of a sale's ids names it: invoice, payment intent, charge, session."""
    return (_RANK.get(_type(key), len(_RANK)), key)


def _returned(
    refunds: Sequence[tuple[Event, Refund]], totals: Sequence[tuple[Event, RefundTotal]]
) -> int:
    """What went back of one charge.

    The larger of what the refund objects sum to, each in its newest state, and what the newest
    cumulative figure says, less objects that failed since.
    """
    newest: dict[str, tuple[Event, Refund]] = {}
    # Of two states in one second the failed one is the later: money that went back can bounce,
    # a refund that failed stays failed.
    for event, refund in sorted(
        refunds, key=lambda seen: (seen[0].occurred_at, not seen[1].counts)
    ):
        newest[refund.refund_id] = (event, refund)
    by_objects = sum(refund.amount for _, refund in newest.values() if refund.counts)
    by_total = max((total.amount for _, total in totals if not total.dated), default=0)
    dated = [(event, total) for event, total in totals if total.dated]
    if dated:
        # Of equal instants the larger figure: it has seen more refunds.
        event, total = max(dated, key=lambda told: (told[0].occurred_at, told[1].amount))
        failed_since = sum(
            refund.amount
            for seen, refund in newest.values()
            if not refund.counts and seen.occurred_at >= event.occurred_at
        )
        by_total = max(by_total, total.amount - failed_since)
    return max(by_objects, by_total, 0)


def _observed(told: tuple[Event, Dispute]) -> tuple[datetime, int, int, str]:
    """Later states behind earlier ones. Of one instant a final state is the later."""
    event, dispute = told
    return (event.occurred_at, _FINALITY[dispute.state], dispute.amount, dispute.currency)


def _newest(sale: Sale) -> dict[str, Dispute]:
    """The sale's disputes by their ids, each in its newest state."""
    ordered = sorted(sale.disputes, key=_observed)
    return {dispute.dispute_id: dispute for _, dispute in ordered}


def _charge_ids(keys: tuple[str, ...]) -> tuple[str, ...]:
    """The ids among them that stand for one charge, not for the whole invoice or session."""
    return tuple(key for key in keys if _type(key) in _OF_ONE_CHARGE)


def _charge_of(charges: dict[str, str], event: Event) -> str:
    """Which charge a refund is about; empty: the sale as a whole."""
    ids = _charge_ids(event.payments)
    return _find(charges, ids[0]) if ids else ""


def _sale(component: list[Event]) -> Sale:
    keys = sorted({key for event in component for key in event.payments}, key=key_rank)
    told: dict[type, list[tuple[Event, Any]]] = {}
    for event in component:
        told.setdefault(type(event.body), []).append((event, event.body))
    return Sale(
        keys=tuple(keys),
        payments=tuple(told.get(Payment, ())),
        refunds=tuple(told.get(Refund, ())),
        totals=tuple(told.get(RefundTotal, ())),
        disputes=tuple(told.get(Dispute, ())),
        named_together=tuple([event.payments for event in component]),
        subscriptions=tuple([body.subscription for _, body in told.get(Subscribed, ())]),
    )


def _leaders(named_together: Iterable[tuple[str, ...]]) -> dict[str, str]:
    """Union-find over keys: ids that one message names together are one."""
    leaders: dict[str, str] = {}
    for keys in named_together:
        for key in keys:
            leaders.setdefault(key, key)
        for key in keys[1:]:
            leaders[_find(leaders, key)] = _find(leaders, keys[0])
    return leaders


def _find(leaders: dict[str, str], key: str) -> str:
    while leaders[key] != key:
        leaders[key] = leaders[leaders[key]]
        key = leaders[key]
    return key


def _type(key: str) -> str:
    """`stripe::charge:ch_1` → `charge`."""
    return key.split(":", 3)[2]
