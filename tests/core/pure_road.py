"""Road 2 without Postgres: the same steps and the same core on dictionaries, as a reference.

Receive mapped events as the inbox would, one at a time or as a batch, or follow decisions in the
order that they were made in; read back customers, transfers and balances. Whose an event is, the
steps, the fold, what moves and what a period still comes to are the app's own.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from app.conversions import identities, road
from app.conversions.decided import Batch, Decided, DecisionRow
from app.conversions.facts import Counters, Known
from app.conversions.surroundings import Everything
from app.core.conversions import Conversion
from app.core.events import Event
from app.core.status import Status, status_of
from app.core.tallies import TallyKey
from app.core.transfers import AccountRef, Standing, Transfer, mature
from app.core.true_up import Period, TrueUp, award, terms_of, true_up
from app.core.world import World

WORKSPACE = UUID("00000000-0000-7000-8000-00000000ff00")


@dataclass(slots=True)
class PureRoad:
    """One workspace in memory. names: customers by alias and payment, as `customer_names`.

    own, emails: digests of the workspace's own ids, and of addresses. refused: what named another
    customer's payment.
    """

    world: World
    workspace: UUID = WORKSPACE
    customers: dict[UUID, Known] = field(default_factory=dict)
    names: dict[str, UUID] = field(default_factory=dict)
    own: frozenset[str] = frozenset()
    emails: frozenset[str] = frozenset()
    parked: list[Event] = field(default_factory=list)
    refused: list[Event] = field(default_factory=list)
    transfers: list[Transfer] = field(default_factory=list)
    decisions: int = 0
    totals: dict[TallyKey, int] = field(default_factory=dict)
    """Partners' totals, by all that the terms ask for."""
    rows: list[DecisionRow] = field(default_factory=list)
    """Every decision, as it would be stored."""
    owners: dict[UUID, UUID] = field(default_factory=dict)
    """By partner, the customer who it is."""
    true_ups: dict[Period, Standing] = field(default_factory=dict)
    """Where the commission of each settled period stands, also if it comes to nothing."""
    _told: set[tuple[str, str]] = field(default_factory=set)
    _chain_hash: bytes = b""

    def receive(self, *events: Event, now: datetime | None = None) -> None:
        """Decide events as one batch. now: when it is recorded, else the last one's receipt."""
        fresh: dict[tuple[str, str], Event] = {}
        for event in sorted(events, key=lambda e: (e.received_at, e.id)):
            if (event.source, event.external_id) not in self._told:
                fresh.setdefault((event.source, event.external_id), event)
        if not fresh:
            return
        self._told |= fresh.keys()
        news = list(fresh.values())
        at = now or news[-1].received_at
        for event in self._decide(news, at):
            self._decide([event], at)

    def follow(self, *events: Event, now: datetime) -> None:
        """Decide at once what one stored decision was the first to see."""
        self._decide(list(events), now, apart=False)

    def settle(self, period: Period) -> TrueUp:
        """Settle a partner's period by the totals as they stand."""
        assert period not in self.true_ups
        program = self.world.programs[period.program_id]
        enrollment = self.world.enrollments[period.program_id, period.partner_id]
        found = terms_of(program, enrollment, period)
        assert found is not None
        rest = true_up(found[1], period, self.totals)
        self.true_ups[period], moves = award(period, rest)
        self.transfers += moves
        self.decisions += 1
        return rest

    def mature_true_ups(self) -> None:
        """Make them all payable."""
        for period, standing in self.true_ups.items():
            if standing.amount and not standing.matured:
                moves = mature(standing)
                self.transfers += moves
                moved_so_far = standing.transfers + len(moves)
                self.true_ups[period] = replace(standing, matured=True, transfers=moved_so_far)

    def _decide(self, news: list[Event], now: datetime, *, apart: bool = True) -> list[Event]:
        """One batch, as `road` decides it; gives the events that it leaves for one by one.

        apart: whether it leaves any.
        """
        asked = {event.id: event for event in news if apart}
        sorted_out = self._whose(news)
        people, postponed = road.together(sorted_out.people, set(asked))
        decided = {event.id for person in people for event in person.news}
        orphans = {event.id: event for event in sorted_out.orphans}
        self.parked = [e for e in self.parked if e.id not in decided and e.id not in orphans]
        self.parked += orphans.values()
        self.refused += sorted_out.refused
        counters = Counters(now, self.decisions, len(self.transfers), self._chain_hash)
        batch = Batch(
            workspace=self.workspace,
            counters=counters,
            orphans=sorted_out.orphans,
            totals=self.totals,
            kept=None,
        )
        for person in people:
            known = road._united(person, self.customers)
            self._keep(road._decide_one(batch, person, known, Everything(self.world, self.owners)))
        self.transfers += [transfer for transfer, _ in batch.transfers]
        self.rows += batch.decisions
        self.decisions, self._chain_hash = counters.decision_no, counters.chain_hash
        return [asked[i] for i in postponed]

    def mature(self, now: datetime) -> None:
        """Make payable what closed before now."""
        for known in self.customers.values():
            closes = {a.commission_id: c for c in known.conversions.values() for a in c.awards}
            for commission, standing in known.standings.items():
                conversion = closes.get(commission)
                if standing.matured or conversion is None:
                    continue
                # A void one has nothing to mature; a refund that fails later brings it back.
                if standing.reversed == standing.amount:
                    continue
                assert conversion.hold_until is not None
                if conversion.hold_until < now:
                    moves = mature(standing)
                    self.transfers += moves
                    known.standings[commission] = replace(
                        standing, matured=True, transfers=standing.transfers + len(moves)
                    )

    @property
    def conversions(self) -> dict[UUID, Conversion]:
        """All that stand."""
        return {i: c for known in self.customers.values() for i, c in known.conversions.items()}

    @property
    def standings(self) -> dict[UUID, Standing]:
        """All commissions, those of superseded conversions too."""
        return {i: s for known in self.customers.values() for i, s in known.standings.items()}

    @property
    def statuses(self) -> dict[UUID, Status]:
        """Of the commissions that stand."""
        return {
            i: status_of(
                amount=s.amount, reversed_=s.reversed, paid=0, matured=s.matured, held=s.held
            )
            for i, s in self.standings.items()
            if not s.superseded
        }

    @property
    def balances(self) -> dict[AccountRef, int]:
        """Credits less debits of each account, empty ones left out."""
        return moved(self.transfers)

    def _whose(self, news: list[Event]) -> identities.Sorted:
        """As `road` does: what was parked joins in."""
        events = {event.id: event for event in news}
        names, asked = identities.names_of(news), set[str]()
        while names - asked:
            found = [event for event in self.parked if not names.isdisjoint(event.payments)]
            asked |= names
            events |= {event.id: event for event in found}
            names |= identities.names_of(found)
        owners = {self.names[name] for name in self.own if name in self.names}
        apart = identities.Apart(self.own, self.emails, owners)
        return identities.sort_out(list(events.values()), self.names, apart)

    def _keep(self, decided: Decided) -> None:
        person = decided.person
        gone = set(person.absorbed)
        for customer in gone:
            self.customers.pop(customer, None)
        if gone:
            self.names = {n: person.id if c in gone else c for n, c in self.names.items()}
        self.names |= dict.fromkeys(person.new_names, person.id)
        self.customers[person.id] = Known(
            events={event.id: event for event in decided.events},
            conversions={conversion.id: conversion for conversion in decided.conversions},
            standings=decided.standings,
            positions=dict(decided.positions),
        )


def moved(transfers: Iterable[Transfer]) -> dict[AccountRef, int]:
    """What transfers leave on each account, empty ones left out."""
    sums: dict[AccountRef, int] = defaultdict(int)
    for transfer in transfers:
        sums[transfer.debit] -= transfer.amount
        sums[transfer.credit] += transfer.amount
    return {account: amount for account, amount in sums.items() if amount}


def owed(pure: PureRoad) -> dict[AccountRef, int]:
    """What the accounts should hold by the conversions alone, however they came about."""
    sums: dict[AccountRef, int] = defaultdict(int)
    for conversion in pure.conversions.values():
        for one in conversion.awards:
            standing = pure.standings[one.commission_id]
            left = one.amount - one.reversed
            sums[standing.outstanding] += left - standing.held
            sums[standing.stopped] += standing.held
            sums[standing.expense] -= left
    return {account: amount for account, amount in sums.items() if amount}
