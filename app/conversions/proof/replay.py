"""Decide a customer again from what its decisions stored, without a look at what came of it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from app.conversions.canon import Json, event_of
from app.conversions.proof.engines import ENGINES, Engine
from app.conversions.proof.shape import unreadable
from app.conversions.tally_canon import moves_of, tallies_of
from app.conversions.world_canon import world_of
from app.core.conversions import Conversion
from app.core.drafts import History
from app.core.events import Event
from app.core.tallies import Positions
from app.core.transfers import Standing, Transfer, mature
from app.core.world import PlanFact


@dataclass(slots=True)
class Replay:
    """A customer as its decisions make it: compare with what is stored."""

    workspace: UUID
    plans: Mapping[UUID, PlanFact]
    matured: Mapping[UUID, datetime]
    """When each commission matured, as stored: a time, not a decision."""
    events: list[Event] = field(default_factory=list)
    conversions: tuple[Conversion, ...] = ()
    superseded: dict[UUID, UUID] = field(default_factory=dict)
    standings: dict[UUID, Standing] = field(default_factory=dict)
    transfers: dict[UUID, list[Transfer]] = field(default_factory=dict)
    positions: dict[UUID, Positions] = field(default_factory=dict)

    def absorb(self, other: "Replay") -> None:
        """Another customer turned out to be this one."""
        self.events += other.events
        self.conversions += other.conversions
        self.superseded |= other.superseded
        self.standings |= other.standings
        self.transfers |= other.transfers
        self.positions |= other.positions

    def decide(self, customer: UUID, facts: Json, engine: Engine) -> bytes:
        """Run one decision again by the core that made it; gives the digest of its outcome."""
        now = datetime.fromisoformat(facts["now"])
        self._mature(now)
        self.events += [event_of(event) for event in facts["events"]]
        history = History(
            workspace=self.workspace,
            events=tuple(self.events),
            prior=self.conversions,
            as_of=datetime.fromisoformat(facts["as_of"]),
            now=now,
            tallies=tallies_of(moves_of(facts.get("tallies", ()))),
            positions=self.positions,
            customer=customer,
        )
        folded = engine.fold(history, world_of(facts["world"], self.plans))
        settled = engine.settle(self.standings, folded.conversions, folded.disputed)
        self.standings = dict(settled.standings)
        self._note(settled.transfers)
        self.conversions = folded.conversions
        self.positions = dict(folded.positions)
        self.superseded |= folded.superseded
        return engine.digest(folded)

    def finish(self) -> None:
        """Whatever matured after the last decision."""
        self._mature(datetime.max.replace(tzinfo=UTC))

    def _mature(self, until: datetime) -> None:
        for commission, standing in self.standings.items():
            at = self.matured.get(commission)
            if standing.matured or at is None or at > until:
                continue
            moves = mature(standing)
            self._note(moves)
            self.standings[commission] = replace(
                standing, matured=True, transfers=standing.transfers + len(moves)
            )

    def _note(self, transfers: Iterable[Transfer]) -> None:
        for transfer in transfers:
            self.transfers.setdefault(transfer.commission_id, []).append(transfer)


def replay(
    decisions: Sequence[Mapping[str, Any]],
    *,
    workspace: UUID,
    plans: Mapping[UUID, PlanFact],
    matured: Mapping[UUID, datetime],
) -> tuple[dict[UUID, Replay], list[tuple[int, str]]]:
    """Customers by id after all their decisions, and the decisions that came out otherwise.

    decisions: rows in the order of their numbers, of customers that absorbed each other whole.
    """
    people: dict[UUID, Replay] = {}
    broken: list[tuple[int, str]] = []
    for row in decisions:
        person = people.setdefault(row["customer_id"], Replay(workspace, plans, matured))
        problem = unreadable(row)
        if problem:
            broken.append((row["decision_no"], f"its facts can't be read: {problem}"))
            continue
        for absorbed in row["facts"]["absorbed"]:
            if other := people.pop(UUID(absorbed), None):
                person.absorb(other)
        engine = ENGINES.get(row["engine"])
        if engine is None:
            broken.append((row["decision_no"], f"engine {row['engine']} is not at hand"))
            continue
        try:
            outcome = person.decide(row["customer_id"], row["facts"], engine)
        except Exception as error:  # noqa: BLE001 (tampered facts may break anything; it is told)
            broken.append((row["decision_no"], f"its facts can't be read: {error!r}"))
            continue
        if outcome != row["outcome"]:
            broken.append((row["decision_no"], "its facts give another outcome than was decided"))
    for person in people.values():
        person.finish()
    return people, broken
