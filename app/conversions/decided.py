"""Decisions of a batch in memory: each customer's state after each step, and what it moved."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from app.conversions.canon import (
    Json,
    decision_hash,
    dumps,
    event_json,
    instant,
    outcome_digest,
)
from app.conversions.facts import Counters, Known
from app.conversions.identities import Someone
from app.conversions.tally_canon import tallies_json
from app.conversions.world_canon import world_json
from app.core.conversions import Award, Conversion
from app.core.drafts import History
from app.core.events import Event
from app.core.fold import ENGINE, Folded, fold
from app.core.settle import settle
from app.core.tallies import Kept, Positions, Tallies, TallyKey
from app.core.transfers import Standing, Transfer
from app.core.world import World


@dataclass(slots=True)
class DecisionRow:
    """One run of the fold, as it is stored."""

    number: int
    customer: UUID | None
    facts: bytes
    outcome: bytes
    hash: bytes


@dataclass(slots=True)
class Decided:
    """One customer of the batch: what was known, and what stands after its steps so far."""

    person: Someone
    known: Known
    world: World
    events: list[Event] = field(init=False)
    conversions: tuple[Conversion, ...] = field(init=False)
    standings: dict[UUID, Standing] = field(init=False)
    positions: Mapping[UUID, Positions] = field(init=False)
    """By conversion, the partners' totals that it was decided at, where there are some."""
    superseded: dict[UUID, UUID] = field(default_factory=dict)
    """Conversions that no longer stand, with what each turned out to be."""
    passed: dict[UUID, Conversion] = field(default_factory=dict)
    """Those of them that came within this batch."""
    awarded: dict[UUID, tuple[Conversion, Award]] = field(default_factory=dict)
    """By commission: the latest award of this batch, also if a later step dropped it."""
    waiting: frozenset[UUID] = frozenset()
    told: dict[UUID, UUID] = field(default_factory=dict)
    first_seen: dict[UUID, int] = field(default_factory=dict)
    """News → the number of the decision that saw it first."""
    changed: dict[UUID, int] = field(default_factory=dict)
    """Conversions and commissions → the latest decision that changed them."""

    def __post_init__(self) -> None:
        self.events = list(self.known.events.values())
        self.conversions = tuple(self.known.conversions.values())
        self.standings = dict(self.known.standings)
        self.positions = self.known.positions


@dataclass(slots=True)
class Batch:
    """What one lane transaction decides. counters grow as decisions and transfers are made.

    contacts: by event of the news, whom it names in clear. refused: news of nobody, since they
    name a payment that is another customer's. namesakes: news whose address is another one's.
    totals: partners', as they stand now; kept: which of them are tallied.
    """

    workspace: UUID
    counters: Counters
    orphans: tuple[Event, ...]
    contacts: Mapping[UUID, Mapping[str, Any]] = field(default_factory=dict)
    decided: list[Decided] = field(default_factory=list)
    decisions: list[DecisionRow] = field(default_factory=list)
    transfers: list[tuple[Transfer, datetime]] = field(default_factory=list)
    """Each with the time that it is about."""
    refused: tuple[Event, ...] = ()
    namesakes: frozenset[UUID] = frozenset()
    totals: dict[TallyKey, int] = field(default_factory=dict)
    kept: Collection[Kept] | None = frozenset()
    moved: dict[TallyKey, int] = field(default_factory=dict)
    """Totals that are to be written."""

    def cut(self) -> "Batch":
        """What was decided since the last cut, to be written; the counters grow on in both."""
        part = replace(self)
        self.orphans, self.decided, self.decisions, self.transfers = (), [], [], []
        self.refused, self.moved = (), {}
        return part


def decide_step(batch: Batch, decided: Decided, as_of: datetime, news: tuple[Event, ...]) -> None:
    """Fold one step's news into a customer's state and note what moves."""
    first_step = not decided.first_seen
    decided.events.extend(news)
    history = History(
        workspace=batch.workspace,
        events=tuple(decided.events),
        prior=decided.conversions,
        as_of=as_of,
        now=batch.counters.now,
        customer=decided.person.id,
        tallies=Tallies(batch.totals, batch.kept),
        positions=decided.positions,
    )
    folded = fold(history, decided.world)
    facts: Json = {
        "as_of": instant(as_of),
        "now": instant(history.now),
        "engine": ENGINE,
        "absorbed": [str(i) for i in decided.person.absorbed] if first_step else [],
        "events": [event_json(event) for event in news],
        "world": world_json(decided.world),
    }
    if folded.tallies:
        # Only where there are some, so that other decisions keep their form.
        facts["tallies"] = tallies_json(folded.tallies)
    decision = next_decision(
        batch.counters, batch.workspace, decided.person.id, dumps(facts), outcome_digest(folded)
    )
    batch.decisions.append(decision)
    number = decision.number
    decided.first_seen |= {event.id: number for event in news}
    _apply(batch, decided, folded, number, max(event.occurred_at for event in news))


def next_decision(
    counters: Counters, workspace: UUID, customer: UUID | None, facts: bytes, outcome: bytes
) -> DecisionRow:
    """The next link of the workspace's chain. customer: None for a period that is settled."""
    counters.decision_no += 1
    counters.chain_hash = decision_hash(
        counters.chain_hash,
        workspace=workspace,
        number=counters.decision_no,
        customer=customer,
        facts=facts,
        outcome=outcome,
    )
    return DecisionRow(counters.decision_no, customer, facts, outcome, counters.chain_hash)


def _apply(
    batch: Batch, decided: Decided, folded: Folded, number: int, occurred_at: datetime
) -> None:
    before = {conversion.id: conversion for conversion in decided.conversions}
    for conversion in folded.conversions:
        if before.get(conversion.id) != conversion:
            decided.changed[conversion.id] = number
    if folded.tallies or folded.positions or decided.positions:
        _count(batch, decided, folded, number)
    settled = settle(decided.standings, folded.conversions, folded.disputed)
    batch.transfers += [(transfer, occurred_at) for transfer in settled.transfers]
    decided.changed |= dict.fromkeys(settled.changed, number)
    decided.standings = dict(settled.standings)
    decided.awarded |= {
        award.commission_id: (conversion, award)
        for conversion in folded.conversions
        for award in conversion.awards
    }
    decided.passed |= {old: before[old] for old in folded.superseded}
    decided.conversions = folded.conversions
    decided.superseded |= folded.superseded
    decided.changed |= dict.fromkeys(folded.superseded, number)
    decided.waiting = folded.waiting
    decided.told = dict(folded.told)


def _count(batch: Batch, decided: Decided, folded: Folded, number: int) -> None:
    """What the decision left of partners' totals, and the places that conversions have now."""
    for key, (before, after) in folded.tallies.items():
        if before != after:
            batch.totals[key] = batch.moved[key] = after
    for conversion in folded.conversions:
        if decided.positions.get(conversion.id) != folded.positions.get(conversion.id):
            decided.changed[conversion.id] = number
    decided.positions = folded.positions
