"""Leads and sales among a customer's events, before anyone is credited for them."""

from collections.abc import Mapping, Sequence
from dataclasses import field
from datetime import datetime
from operator import attrgetter
from typing import Final
from uuid import UUID

from app.core import sales
from app.core.buyers import NOBODY, Sold
from app.core.conversions import Conversion
from app.core.events import Event, Lead
from app.core.identity import conversion_id
from app.core.records import record
from app.core.tallies import ANYTHING, Positions, Tallies

_ORDER: Final = attrgetter("order")


@record
class History:
    """All that is known of one customer at one decision.

    events: every one, old and new. prior: its conversions as recorded, superseded ones left out.
    as_of: receipt of the earliest news; what closed before it is closed. now: when it is recorded.
    customer: who it is; whoever asks about nobody in particular leaves it out. tallies: partners'
    totals before the decision. positions: by conversion, the totals that it was decided at.
    """

    workspace: UUID
    events: tuple[Event, ...]
    prior: tuple[Conversion, ...]
    as_of: datetime
    now: datetime
    customer: UUID = NOBODY
    tallies: Tallies = ANYTHING
    positions: Mapping[UUID, Positions] = field(default_factory=dict)


@record
class Draft:
    """A lead or sale before it is attributed.

    id: of its conversion. key: what it goes by; keys: all that it could go by. event: the message
    that tells it; about: all messages about it. prior: it as recorded, of which final has closed.
    """

    id: UUID
    key: str
    keys: tuple[str, ...]
    event: Event
    about: tuple[UUID, ...]
    prior: tuple[Conversion, ...]
    final: Conversion | None
    sale: sales.Sale | None = None
    sold: Sold | None = None

    @property
    def at(self) -> datetime:
        return self.final.occurred_at if self.final else self.event.occurred_at

    @property
    def order(self) -> tuple[datetime, str, str, str, str]:
        """The event's; then the key, for what closed as two and is one."""
        return (self.at, *self.event.order[1:], self.key)

    @property
    def settled(self) -> bool:
        """Whether any message says that an earlier system has settled what it earned.

        Any, since the others can't know it: whoever tells the sale again must not have it paid
        again.
        """
        if self.sale is not None:
            return any(payment.settled for _, payment in self.sale.payments)
        return isinstance(self.event.body, Lead) and self.event.body.settled

    @property
    def recorded_at(self) -> datetime | None:
        return min([c.recorded_at for c in self.prior]) if self.prior else None


@record
class Told:
    """What a history tells, whatever the terms: events and drafts in deciding order."""

    events: Sequence[Event]
    groups: Sequence[sales.Sale]
    drafts: Sequence[Draft]


def told_by(history: History) -> Told:
    """All leads and sales of a customer."""
    events = sorted(history.events, key=_ORDER)
    groups = sales.group(events)
    drafts = [*_leads_among(events, history), *_sales_among(groups, history)]
    drafts.sort(key=_ORDER)
    return Told(events, groups, drafts)


def _leads_among(events: Sequence[Event], history: History) -> list[Draft]:
    """One lead per source and event name: the earliest, unless another has closed already."""
    named: dict[tuple[str, str], list[Event]] = {}
    for event in events:
        if isinstance(event.body, Lead):
            named.setdefault((event.source, event.body.event_name), []).append(event)
    drafts: list[Draft] = []
    for same in named.values():
        by_key = {f"{event.source}:{event.external_id}": event for event in same}
        keys, about = tuple(by_key), tuple(event.id for event in same)
        prior = tuple(c for c in history.prior if c.key in by_key)
        finals = [c for c in prior if is_closed(c, history.as_of)]
        drafts += [Draft(f.id, f.key, keys, by_key[f.key], about, (f,), f) for f in finals]
        if not finals:
            own_id = conversion_id(history.workspace, keys[0])
            drafts.append(Draft(own_id, keys[0], keys, same[0], about, prior, None))
    return drafts


def _sales_among(groups: Sequence[sales.Sale], history: History) -> list[Draft]:
    """One sale per payment, under its best key, or under the key that it closed with."""
    drafts: list[Draft] = []
    for sale in groups:
        if not sale.payments:
            continue
        event, payment = sale.told_by
        sold = Sold.of(payment, sale.subscriptions)
        prior = tuple([c for c in history.prior if c.key in sale.keys])
        finals = [c for c in prior if is_closed(c, history.as_of)]
        # More than one: they closed before anyone knew that they are one payment. They stand.
        for f in finals:
            own = sales.without_verdicts(sale, on={other.key for other in finals} - {f.key})
            about = _ids(own)
            drafts.append(Draft(f.id, f.key, sale.keys, event, about, (f,), f, own, sold))
        if not finals:
            key, about = sale.keys[0], _ids(sale)
            own_id = conversion_id(history.workspace, key)
            drafts.append(Draft(own_id, key, sale.keys, event, about, prior, None, sale, sold))
    return drafts


def _ids(sale: sales.Sale) -> tuple[UUID, ...]:
    return tuple([told.id for told in sale.messages])


def is_closed(conversion: Conversion, as_of: datetime) -> bool:
    """Whether what was received at as_of comes too late to change it."""
    return conversion.hold_until is not None and conversion.hold_until < as_of
