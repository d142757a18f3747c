"""What is proved of a plan's rules: which can never match or pay, and which can pay together."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, reduce
from operator import or_

from app.core.bands import Bands
from app.core.lint_combinations import Effort, combinations
from app.core.lint_space import (
    Kind,
    Space,
    Value,
    cap_currency,
    currency_of,
    is_plain,
    recipient,
    spaces,
)
from app.core.pays import Flat, Percent
from app.core.plans import Plan


@dataclass(frozen=True)
class Proofs:
    """Of one plan. Rules go by their index."""

    plan: Plan
    effort: Effort = field(default_factory=Effort)

    @cached_property
    def spaces(self) -> tuple[Space, ...]:
        return spaces(self.plan.rules, self.plan.gates)

    def never_fits(self, index: int) -> tuple[str, str] | None:
        """The field by which no sale fits, and of which sales; None if some may."""
        bit = 1 << index
        missed: list[tuple[str, str]] = []
        for space in self.spaces:
            if not space.dimensions["kind"][0].fits & bit:
                continue
            lacking = [
                name
                for name, values in space.dimensions.items()
                if not any(value.fits & bit for value in values)
            ]
            if not lacking:
                return None
            missed.append((lacking[0], space.kind.told))
        return missed[0] if missed else None

    def pays_in(self, index: int) -> tuple[Space, ...]:
        """The kinds of sales for which the rule may pay something, by itself."""
        return self._paying[index]

    @cached_property
    def _paying(self) -> tuple[tuple[Space, ...], ...]:
        return tuple(map(self._pays_in, range(len(self.plan.rules))))

    def _pays_in(self, index: int) -> tuple[Space, ...]:
        rule = self.plan.rules[index]
        bit = 1 << index
        is_paid_only = isinstance(rule.pay.how, Percent) or rule.pay.per != "sale"
        if isinstance(rule.pay.how, Bands):
            is_paid_only = all(step.flat is None for step in rule.pay.how.steps)
        return tuple(
            space
            for space in self.spaces
            if all(any(v.fits & bit for v in values) for values in space.dimensions.values())
            and any(self._pays(index, value, space) for value in space.dimensions["min_amount"])
            and not (space.kind.kind == "lead" and is_paid_only)
        )

    def before(self, index: int) -> tuple[int, ...] | None:
        """Earlier rules of which one always goes first; None if the rule's turn may come."""
        rules = self.plan.rules
        if self.plan.combine != "first_match" or rules[index].adds:
            return None
        return self._covers(index, _bits(self._goers(index)), 0)

    def stopped(self, index: int) -> tuple[int, ...] | None:
        """Rules of which one always can't be worked out, so that nobody is paid."""
        rules, first = self.plan.rules, self.plan.combine == "first_match"
        stoppers = [
            i
            for i in self._rivals(index)
            if i != index and self.plain[i] and (rules[i].adds or not first)
        ]
        goers = self._goers(index) if first and not rules[index].adds else []
        return self._covers(index, _bits(goers), _bits(stoppers))

    def mates(self, index: int) -> tuple[int, ...]:
        """Earlier rules that may pay for the same sale."""
        found, bit = 0, 1 << index
        for space in self.pays_in(index):
            together = self._payable[space.kind]
            for name, values in space.dimensions.items():
                if name == "product_ids":
                    continue  # A sale can have a product of each.
                if name == "min_amount":
                    fits = [v.fits & ~v.stops for v in values if self._pays(index, v, space)]
                else:
                    fits = [v.fits for v in values if v.fits & bit]
                together &= reduce(or_, fits, 0)
            found |= together
        return tuple(i for i in _indexes(found) if i < index)

    @cached_property
    def _payable(self) -> dict[Kind, int]:
        """By kind of sale, the rules that may pay for it."""
        return {
            space.kind: _bits(i for i in range(len(self.plan.rules)) if space in self.pays_in(i))
            for space in self.spaces
        }

    def meet(self, one: int, other: int) -> str | None:
        """A sale for which both may pay, in words; None if there is none."""
        both = 1 << one | 1 << other
        for space in self.pays_in(one):
            if space not in self.pays_in(other):
                continue
            words: list[str] = [space.kind.told]
            for name, values in space.dimensions.items():
                found = _for_both(name, values, one, other)
                if name == "min_amount":
                    found = [
                        v
                        for v in values
                        if v.fits & both == both
                        and self._pays(one, v, space)
                        and self._pays(other, v, space)
                    ]
                if not found:
                    break
                words += [found[0].told] if found[0].told and name in _SHOWN else []
            else:
                return " ".join(words)
        return None

    def currencies_meet(self, one: int, other: int) -> bool:
        """Whether both may pay for one lead, each in its own currency."""
        flats = {currency_of(self.plan.rules[i]) for i in (one, other)}
        return len(flats - {""}) > 1 and self.meet(one, other) is not None

    def beaten(self, index: int) -> int | None:
        """An earlier rule that pays as much or more wherever this one pays, where the best does."""
        rules = self.plan.rules
        own = rules[index]
        if self.plan.combine != "best" or own.adds or own.pay.per != "sale":
            return None
        for i in [i for i in self._rivals(index) if i < index]:
            other = rules[i]
            if not self.plain[i] or other.adds or other.cap or other.pay.per != "sale":
                continue
            match (own.pay.how, other.pay.how):
                case (Percent(less), Percent(more)) if more >= less:
                    pass
                case (Flat(little, one), Flat(much, same)) if much >= little and one == same:
                    pass
                case _:
                    continue
            if self._covers(index, 1 << i, 0) is not None:
                return i
        return None

    @cached_property
    def recipients(self) -> tuple[tuple[str, int | None], ...]:
        return tuple(map(recipient, self.plan.rules))

    @cached_property
    def plain(self) -> tuple[bool, ...]:
        return tuple(map(is_plain, self.plan.rules))

    def _rivals(self, index: int) -> list[int]:
        """Rules for the same recipient, itself too."""
        own = self.recipients[index]
        return [i for i, other in enumerate(self.recipients) if other == own]

    def _goers(self, index: int) -> list[int]:
        """Earlier ones of them that go first wherever they fit."""
        rules = self.plan.rules
        earlier = [i for i in self._rivals(index) if i < index]
        return [i for i in earlier if self.plain[i] and not rules[i].adds]

    def _pays(self, index: int, value: Value, space: Space) -> bool:
        """Whether the rule can be worked out at this amount."""
        rule, bit = self.plan.rules[index], 1 << index
        if not value.fits & bit or value.stops & bit:
            return False
        cap, flat = cap_currency(rule), currency_of(rule)
        if not cap:
            return True
        if space.kind.kind == "lead":
            return cap == flat
        return value.currency == cap

    def _covers(self, index: int, goers: int, stoppers: int) -> tuple[int, ...] | None:
        """The rules, if for each sale that this one may pay one of goers fits or of stoppers stops.

        None too if it never pays anyway, or if there is too much to tell apart.
        """
        bit = 1 << index
        found = 0
        payable = self.pays_in(index)
        for space in payable:
            parts: list[set[int]] = []
            for name, values in space.dimensions.items():
                if name == "min_amount":
                    parts.append(
                        {
                            v.fits & goers | v.stops & v.fits & stoppers
                            for v in values
                            if self._pays(index, v, space)
                        }
                    )
                else:
                    parts.append({v.fits & (goers | stoppers) for v in values if v.fits & bit})
            left = combinations(parts, self.effort, least=True)
            if left is None or 0 in left:
                return None
            found |= _few(left)
        return _indexes(found) if payable else None


_SHOWN = frozenset({"nth", "countries", "product_ids", "min_amount"})


def _for_both(name: str, values: Sequence[Value], one: int, other: int) -> list[Value]:
    """Values at which both fit. A sale can have a product of each."""
    both = 1 << one | 1 << other
    if name != "product_ids":
        return [value for value in values if value.fits & both == both]
    fit = [[v for v in values if v.fits & 1 << i] for i in (one, other)]
    if not all(fit):
        return []
    same = [value for value in fit[0] if value in fit[1]]
    if same:
        return same
    return [Value(both, " and ".join(values[0].told for values in fit))]


def _few(sets: set[int]) -> int:
    """Bits of which each set has one, as few as are easily found."""
    found = 0
    for one in sorted(sets, key=int.bit_count):
        if not one & found:
            found |= one & -one
    return found


def _bits(indexes: Iterable[int]) -> int:
    return sum(1 << i for i in indexes)


def _indexes(bits: int) -> tuple[int, ...]:
    return tuple(i for i in range(bits.bit_length()) if bits >> i & 1)
