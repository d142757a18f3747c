"""Who comes when: conversions use their partners' totals up in the order in which they are decided.

One that is decided again keeps its place where that gives the awards that it has; otherwise it
goes to the end, and finds what all others have left. So no news changes what it is not about, and
a cap is never exceeded.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self
from uuid import UUID

from app.core.conversions import Conversion
from app.core.drafts import Draft, History
from app.core.periods import PERIODS, kind_of, period_of
from app.core.tallies import Ask, Places, Positions, Tallies, TallyKey, uses_of
from app.core.world import World


@dataclass(slots=True)
class Queue:
    """The totals as one decision finds and changes them; grows as the fold walks on.

    asks: by program, where everything is kept that the terms ask for. places: by conversion, the
    totals that it was decided at, where there are some.
    """

    tallies: Tallies
    recorded: Mapping[UUID, Positions]
    asks: Mapping[UUID, frozenset[Ask]]
    places: dict[UUID, Positions] = field(default_factory=dict)
    _names: dict[tuple[UUID, str], list[str]] = field(default_factory=dict)
    _moved: dict[TallyKey, int] = field(default_factory=dict)
    """By how much totals have moved so far."""
    _read: set[TallyKey] = field(default_factory=set)

    @classmethod
    def of(cls, drafts: Sequence[Draft], history: History, world: World) -> Self | None:
        """None where nothing is tallied and nothing was decided by it. What stands no more gives
        back first; a conversion that turned out to be another one does so when that one is decided.
        """
        kept = history.tallies.kept
        asks = asks_of(world) if kept is None else {}
        if not kept and not asks and not history.positions:
            return None
        queue = cls(history.tallies, history.positions, asks)
        for program, name, period in kept or ():
            queue._names.setdefault((program, period), []).append(name)
        standing = {old.id for draft in drafts for old in draft.prior}
        for old in history.prior:
            if old.id not in standing:
                queue._add(old, -1)
        return queue

    def moved(self, before: Conversion, after: Conversion) -> None:
        """What has closed keeps its place; it has changed by what went back, or came back."""
        if places := self.recorded.get(before.id):
            self.places[before.id] = places
        if after is not before:
            self._add(before, -1)
            self._add(after, 1)

    def decide(
        self, prior: Sequence[Conversion], ruled: Callable[[Places], Conversion]
    ) -> Conversion:
        """The conversion at its place. prior: it as recorded, under whatever keys.

        ruled: the conversion as the terms have it at some places.
        """
        for old in prior:
            self._add(old, -1)
        conversion, places = self._kept(prior, ruled) or self._last(ruled)
        self._add(conversion, 1)
        if places.found:
            self.places[conversion.id] = places.found
        return conversion

    @property
    def changes(self) -> dict[TallyKey, tuple[int, int]]:
        """Totals that were looked at or moved, before and after, in the order of their keys."""
        touched = self._read | {key for key, moved in self._moved.items() if moved}
        totals = self.tallies.totals
        return {
            key: (totals.get(key, 0), totals.get(key, 0) + self._moved.get(key, 0))
            for key in sorted(touched)
        }

    def _kept(
        self, prior: Sequence[Conversion], ruled: Callable[[Places], Conversion]
    ) -> tuple[Conversion, Places] | None:
        """The conversion where it was, if it comes to what it has there."""
        if not prior:
            return None
        old = min(prior, key=lambda one: (one.recorded_at, one.id))
        places = Places(self.recorded.get(old.id, {}).get)
        conversion = ruled(places)
        if places.unknown or _earned(conversion) != _earned(old):
            return None
        return conversion, places

    def _last(self, ruled: Callable[[Places], Conversion]) -> tuple[Conversion, Places]:
        places = Places(self._total)
        return ruled(places), places

    def _total(self, key: TallyKey) -> int:
        if key.name not in self._named(key.program_id, key.period):
            raise LookupError(f"no tally is kept of {key.name} in {key.period}")
        self._read.add(key)
        return self.tallies.totals.get(key, 0) + self._moved.get(key, 0)

    def _add(self, conversion: Conversion, sign: int) -> None:
        program = conversion.program_id
        if program is None:
            return
        at = conversion.occurred_at
        periods = [period_of(at, kind) for kind in PERIODS]
        named = [(name, p) for p in periods for name in self._named(program, p)]
        for key, used in uses_of(conversion, named).items():
            self._moved[key] = self._moved.get(key, 0) + sign * used

    def _named(self, program: UUID, period: str) -> Collection[str]:
        """The tallies that are kept of a program's partners in a period."""
        if self.tallies.kept is not None:
            return self._names.get((program, period), ())
        kind = kind_of(period)
        return sorted({ask.name for ask in self.asks.get(program, ()) if ask.period == kind})


def asks_of(world: World) -> dict[UUID, frozenset[Ask]]:
    """What any version of a program's terms asks for, and its partners' own terms."""
    asks: dict[UUID, frozenset[Ask]] = {}
    for program in world.programs.values():
        for version in program.plans:
            if version.plan.asks:
                asks[program.id] = asks.get(program.id, frozenset()) | version.plan.asks
    for enrollment in world.enrollments.values():
        for own in enrollment.agreements:
            if own.plan.asks:
                program_id = enrollment.program_id
                asks[program_id] = asks.get(program_id, frozenset()) | own.plan.asks
    return asks


def _earned(conversion: Conversion) -> list[tuple[str, UUID, int, int, str]]:
    return sorted(
        (one.rule_id, one.partner_id, one.base, one.amount, one.currency)
        for one in conversion.awards
    )
