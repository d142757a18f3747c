"""Whom each of a customer's conversions goes to: a binding while one holds, else who is found."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile
from typing import Final

from app.core.attribution import Attribution, Binding, binding_of, by_binding, by_touches
from app.core.attribution_terms import TouchKind
from app.core.conversions import Conversion
from app.core.drafts import Draft
from app.core.events import Event
from app.core.occasions import Occasion
from app.core.reasons import because
from app.core.world import World

_NOTHING_FOUND: Final = frozenset({"no_touch", "no_eligible_touch"})


@dataclass(slots=True)
class Following:
    """A customer's bindings while the fold walks on. closed: conversions that made or followed
    one and have closed, in deciding order. opened: the bindings that open conversions made.
    """

    events: Sequence[Event]
    world: World
    closed: tuple[Conversion, ...]
    opened: list[Binding] = field(default_factory=list)

    @classmethod
    def of(cls, drafts: Sequence[Draft], events: Sequence[Event], world: World) -> "Following":
        finals = [draft.final for draft in drafts if draft.final is not None]
        return cls(events, world, tuple(c for c in finals if c.credits and c.bound_at is not None))

    def answer(self, occasion: Occasion) -> Attribution:
        """Who an open conversion goes to. Conversions are asked about in deciding order."""
        ranks = self.world.precedence_at(occasion.read_at)
        kinds = tuple(rank for rank in ranks if rank != "binding")
        binding = self._binding(occasion)
        if binding is None:
            answer = by_touches(self.events, self.world, replace(occasion, kinds=kinds))
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

    def _binding(self, occasion: Occasion) -> Binding | None:
        """What the earliest closed conversion made of the customer, from its time on; else what
        the earliest open one did.
        """
        if self.closed:
            closed = binding_of(self.closed[0])
            if occasion.at >= closed.since:
                return closed
        return self.opened[0] if self.opened else None


def _made(answer: Attribution, occasion: Occasion) -> Binding:
    assert answer.program_id is not None
    return Binding(answer.program_id, answer.credits, occasion.at, answer.brought)
