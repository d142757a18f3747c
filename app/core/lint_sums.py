"""What percentages come to that are paid for the same sale."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

from app.core.lint_combinations import Effort, combinations
from app.core.lint_proofs import Proofs
from app.core.lint_space import Value, highest_rate
from app.core.money import BPS
from app.core.pays import Percent
from app.core.records import record
from app.core.rules import Rule


@record
class Together:
    """Rules that may pay for one sale, and what they come to of its base."""

    rules: tuple[int, ...]
    total_bps: int
    is_proved: bool


@dataclass(frozen=True)
class Sums:
    """Of one plan. Rules go by their index."""

    proofs: Proofs
    effort: Effort = field(default_factory=Effort)

    def together(self, limit_bps: int) -> Together | None:
        """Percentages that may be paid for one sale, or one line of it, if they sum to more."""
        most: Together | None = None
        for space in self.proofs.spaces:
            if space.kind.kind == "lead":
                continue
            parts = [
                {value.fits & ~value.stops for value in values}
                for name, values in space.dimensions.items()
                if name != "product_ids"
            ]
            sets = combinations(parts, self.effort, least=False)
            products = {value.fits: value for value in space.dimensions["product_ids"]}
            if not sets or not self.effort.take(
                len(sets) * len(products) * len(self.proofs.plan.rules)
            ):
                continue
            for value in products.values():
                for fitting in sets:
                    # Of a sale that has all products, and of one that has only this one.
                    for left in (fitting, fitting & value.fits):
                        found = self._sum(self._chosen(left & self._all, value))
                        if found.total_bps > max(limit_bps, most.total_bps if most else 0):
                            most = found
        return most

    @property
    def _all(self) -> int:
        return (1 << len(self.proofs.plan.rules)) - 1

    def _chosen(self, fitting: int, product: Value) -> list[int]:
        """Rules with a percentage that may be paid of a line of the product, of those that fit."""
        adding, rivals = list[int](), dict[object, list[int]]()
        over: set[object] = set()
        for i in _indexes(fitting):
            rule = self.proofs.plan.rules[i]
            group = self.proofs.recipients[i]
            is_counted = rule.pay.per == "sale" or bool(product.fits & 1 << i)
            own = [i] if self.rates[i] and is_counted else []
            if rule.adds:
                adding += own
            elif group not in over:
                rivals.setdefault(group, []).extend(own)
                if self.proofs.plan.combine == "first_match" and self.proofs.plain[i]:
                    over.add(group)
        if self.proofs.plan.combine != "sum":
            rivals = {
                g: [max(found, key=self.rates.__getitem__)] for g, found in rivals.items() if found
            }
        return sorted([*adding, *(i for found in rivals.values() for i in found)])

    def _sum(self, chosen: list[int]) -> Together:
        """A share of the commission is of what the partner earns."""
        rules = [self.proofs.plan.rules[i] for i in chosen]
        earned = sum(self.rates[i] for i in chosen if self.proofs.recipients[i][0] == "partner")
        total = sum(
            self.rates[i] * earned // BPS
            if _is_of_commission(self.proofs.plan.rules[i])
            else self.rates[i]
            for i in chosen
        )
        is_proved = all(
            self.proofs.plain[i] and rule.cap is None and isinstance(rule.pay.how, Percent)
            for i, rule in zip(chosen, rules, strict=True)
        )
        return Together(tuple(chosen), total, is_proved)

    @cached_property
    def rates(self) -> tuple[int, ...]:
        """The highest percentage of each rule, in 1/10,000."""
        return tuple(highest_rate(rule) for rule in self.proofs.plan.rules)


def _is_of_commission(rule: Rule) -> bool:
    return rule.pay.reward is not None and rule.pay.reward.of == "commission"


def _indexes(bits: int) -> Iterable[int]:
    return (i for i in range(bits.bit_length()) if bits >> i & 1)
