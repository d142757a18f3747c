"""Whom each of a customer's conversions goes to: a binding while one holds, else who is found."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import lru_cache
from itertools import takewhile
from typing import Final, Literal
from uuid import UUID

from app.core.attribution import (
    Attribution,
    Binding,
    binding_of,
    by_binding,
    by_touches,
    nobody,
)
from app.core.attribution_terms import TouchKind
from app.core.binding_terms import months_after
from app.core.conversions import Conversion, Credit
from app.core.drafts import Draft, History, Told
from app.core.events import Event, Reassigned
from app.core.money import BPS
from app.core.occasions import Occasion
from app.core.reasons import Reason, because
from app.core.records import record
from app.core.world import Rank, World

_NEVER: Final = datetime.max.replace(tzinfo=UTC)
_NOTHING_FOUND: Final = frozenset({"no_touch", "no_eligible_touch"})


@record
class Ended:
    """A binding that held until an instant. why: its term, or its partners' leaving."""

    binding: Binding
    at: datetime
    why: Literal["term", "suspended"]

    @property
    def reasons(self) -> tuple[Reason, ...]:
        return tuple(
            because(
                "binding_ended",
                partner_id=credit.partner_id,
                program_id=self.binding.program_id,
                since=self.binding.since,
                ended_at=self.at,
                why=self.why,
            )
            for credit in self.binding.credits
        )


def answers(told: Told, history: History, world: World) -> dict[UUID, Attribution]:
    """Who each conversion goes to, by its id; those that have closed stay whose they are.

    It depends on no award, so all of them can be told before the first one is worked out.
    """
    drafts = told.drafts
    following = Following.of(drafts, told.events, world)
    first_at = drafts[0].at if drafts else history.now
    return {
        draft.id: following.answer(
            Occasion(
                at=draft.at,
                read_at=min(draft.at, draft.recorded_at or history.now),
                first_at=first_at,
                program_ids=draft.event.program_ids,
                prior=draft.prior,
                as_of=history.as_of,
            )
        )
        for draft in drafts
        if draft.final is None
    }


@dataclass(slots=True)
class Following:
    """A customer's bindings while the fold walks on.

    times: of all its conversions, in order. closed: those that made or followed a binding and have
    closed, in deciding order. opened: the bindings that open ones made. said: the latest event by
    which people reassigned the customer.
    """

    events: Sequence[Event]
    world: World
    times: Sequence[datetime]
    closed: tuple[Conversion, ...]
    said: tuple[Event, Reassigned] | None
    opened: list[Binding] = field(default_factory=list)

    @classmethod
    def of(cls, drafts: Sequence[Draft], events: Sequence[Event], world: World) -> "Following":
        finals = [draft.final for draft in drafts if draft.final is not None]
        closed = tuple([c for c in finals if c.credits and c.bound_at is not None])
        said = [(event, event.body) for event in events if isinstance(event.body, Reassigned)]
        times = [draft.at for draft in drafts]
        return cls(events, world, times, closed, said[-1] if said else None)

    def answer(self, occasion: Occasion) -> Attribution:
        """Who an open conversion goes to. Conversions are asked about in deciding order."""
        if self.said is not None and self.said[1].partner_id is None:
            return nobody([because("reassigned_to_nobody", at=self.said[0].occurred_at)])
        ranks = self.world.precedence_at(occasion.read_at)
        kinds = _kinds_of(ranks)
        binding, ended = self._binding_at(occasion)
        if binding is None:
            asked = occasion if kinds == occasion.kinds else replace(occasion, kinds=kinds)
            answer = self._anew(asked, ended)
            if answer.credits:
                self.opened.append(_made(answer, occasion))
            return answer
        above = kinds[: ranks.index("binding")]
        if above:
            return self._contested(binding, above, occasion)
        return by_binding(binding, self.world, occasion)

    def _contested(
        self, binding: Binding, above: tuple[TouchKind, ...], occasion: Occasion
    ) -> Attribution:
        """Kinds of touches that go before the binding take this one conversion, if any of them
        may. The customer stays bound; what came before the binding has had its turn.
        """
        at_sale = replace(occasion, kinds=above, first_at=occasion.at, after=binding.since)
        answer = by_touches(self.events, self.world, at_sale)
        if not answer.credits:
            refused = takewhile(lambda reason: reason.code not in _NOTHING_FOUND, answer.reasons)
            bound = by_binding(binding, self.world, occasion)
            return replace(bound, reasons=(*refused, *bound.reasons))
        winner = next(brought.kind for brought in answer.brought.values())
        outranked = tuple(
            because(
                "binding_outranked",
                partner_id=credit.partner_id,
                program_id=binding.program_id,
                since=binding.since,
                winner=winner,
            )
            for credit in binding.credits
        )
        return replace(answer, reasons=(*outranked, *answer.reasons), bound_at=None)

    def _anew(self, occasion: Occasion, ended: Ended | None) -> Attribution:
        """By touches. After a binding has ended the customer is like a new one, whose first
        conversion is the first one since; what had made the binding counts no more.
        """
        if ended is None:
            return by_touches(self.events, self.world, occasion)
        first_at = next(at for at in self.times if at >= ended.at)
        since = replace(occasion, first_at=first_at, after=ended.binding.since)
        answer = by_touches(self.events, self.world, since)
        return replace(answer, reasons=(*ended.reasons, *answer.reasons))

    def _binding_at(self, occasion: Occasion) -> tuple[Binding | None, Ended | None]:
        """What holds at a conversion; if nothing does, what held last, if anything did."""
        ended: Ended | None = None
        while True:
            binding = self._binding(occasion, ended.at if ended else None)
            end = self._end_of(binding, occasion) if binding else None
            if end is None:
                return binding, ended
            # Later than the binding began, so that this comes to an end.
            ended = end

    def _binding(self, occasion: Occasion, since: datetime | None) -> Binding | None:
        """What people said last; else what the earliest closed conversion made of the customer,
        from its time on; else what the earliest open one did. since: of those that were made from
        then on.
        """
        if self.said is not None:
            assigned = _assigned(*self.said)
            if since is None or assigned.since >= since:
                return assigned
        for conversion in self.closed:
            made_at = conversion.bound_at
            if since is None or (made_at is not None and made_at >= since):
                closed = binding_of(conversion)
                if occasion.at >= closed.since:
                    return closed
                break
        return next((b for b in self.opened if since is None or b.since >= since), None)

    def _end_of(self, binding: Binding, occasion: Occasion) -> Ended | None:
        """The first thing that ended a binding before a conversion, by the terms of its day."""
        program = self.world.programs[binding.program_id]
        terms = program.plan_at(binding.since).plan.binding
        ends: list[Ended] = []
        if terms.months is not None:
            over_at = months_after(binding.since, terms.months)
            if occasion.at >= over_at:
                ends.append(Ended(binding, over_at, "term"))
        if "suspended" in terms.ends:
            left = [self._left(binding, credit.partner_id) for credit in binding.credits]
            left_at = max(left)
            if left_at <= occasion.read_at:
                ends.append(Ended(binding, left_at, "suspended"))
        return min(ends, key=lambda end: end.at, default=None)

    def _left(self, binding: Binding, partner: UUID) -> datetime:
        """When a partner first left the program after it was bound; the end of time if never."""
        place = self.world.enrollments[binding.program_id, partner]
        states = (s for s in place.states if s.since > binding.since and s.state != "active")
        return next((dated.since for dated in states), _NEVER)


@lru_cache
def _kinds_of(ranks: tuple[Rank, ...]) -> tuple[TouchKind, ...]:
    return tuple(rank for rank in ranks if rank != "binding")


def _assigned(event: Event, said: Reassigned) -> Binding:
    assert said.program_id is not None
    assert said.partner_id is not None
    credit = Credit(said.partner_id, BPS)
    return Binding(said.program_id, (credit,), event.occurred_at, {}, assigned=True)


def _made(answer: Attribution, occasion: Occasion) -> Binding:
    assert answer.program_id is not None
    return Binding(answer.program_id, answer.credits, occasion.at, answer.brought)
