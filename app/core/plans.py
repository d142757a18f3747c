"""The plan language: a document becomes a Plan or is refused with all that is wrong in it.

A plan is a program's terms in one version: how long money is held, whose touch counts, and the
rules in the order in which they are tried.
"""

from collections.abc import Mapping
from dataclasses import field
from typing import Final, Literal, cast

from app.core.asks import asked
from app.core.attribution_terms import AttributionTerms, attribution_document, read_attribution
from app.core.binding_terms import BindingTerms, binding_document, read_binding
from app.core.conditions import OF_QUALIFICATION
from app.core.documents import Node, PlanProblem
from app.core.gates import OPEN, Gates, gates_document, read_gates
from app.core.matches import Match
from app.core.pays import CustomerCap, Flat, Percent
from app.core.records import record
from app.core.rule_groups import Groups, grouped, refuse_uncompared
from app.core.rules import Rule, one, read_rule, rule_document
from app.core.tallies import Ask

__all__ = [
    "Flat",
    "Match",
    "Percent",
    "Plan",
    "PlanError",
    "PlanProblem",
    "Rule",
    "canonical",
    "parse",
]

Combine = Literal["first_match", "best", "sum"]

MAX_RULES: Final = 100
MAX_HOLD_DAYS: Final = 3_650
MAX_LATE_DAYS: Final = 365
DEFAULT_LATE_DAYS: Final = 1
_PROGRAMS_OWN: Final = ("hold_days", "late_days", "attribution", "binding")


class PlanError(ValueError):
    """A document that is no plan. problems: all of them."""

    def __init__(self, problems: tuple[PlanProblem, ...]) -> None:
        super().__init__("; ".join(f"{p.place or 'plan'}: {p.problem}" for p in problems))
        self.problems = problems


@record
class Plan:
    """One version of a program's terms.

    hold_days, late_days: how long a commission stays pending and may still be re-decided.
    combine: of the rules that match, the first pays, or the one that pays most, or all.
    gates: who may earn by it. uses: the facts that its conditions name. groups: its rules by
    whom they pay; None if all pay the partner in cash. asks: the partners' totals that it
    looks at. caps_customers: whether what a rule pays depends on what it paid for the customer
    before.
    """

    hold_days: int
    late_days: int
    attribution: AttributionTerms
    binding: BindingTerms
    combine: Combine
    rules: tuple[Rule, ...]
    gates: Gates = OPEN
    uses: frozenset[str] = field(init=False, compare=False, repr=False)
    groups: Groups | None = field(init=False, compare=False, repr=False)
    asks: frozenset[Ask] = field(init=False, compare=False, repr=False)
    caps_customers: bool = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        conditions = [rule.when for rule in self.rules if rule.when is not None]
        used = frozenset(name for condition in conditions for name in condition.uses)
        object.__setattr__(self, "uses", used)
        object.__setattr__(self, "groups", grouped(self.rules))
        object.__setattr__(self, "asks", asked(self.rules, used))
        caps = any(isinstance(rule.cap, CustomerCap) for rule in self.rules)
        object.__setattr__(self, "caps_customers", caps)

    def attributes_like(self, other: "Plan") -> bool:
        """Whether each conversion goes to the same by either: it is not asked what they pay."""
        return (
            self.attribution == other.attribution
            and self.binding == other.binding
            and self.hold_days == other.hold_days
            and self.late_days == other.late_days
        )

    @property
    def asks_qualification(self) -> bool:
        """Whether it matters what its partners have: a tier, a certificate, an agreement."""
        return bool(
            self.gates
            or not self.uses.isdisjoint(OF_QUALIFICATION)
            or any(rule.match.tiers for rule in self.rules)
        )


def parse(document: Mapping[str, object]) -> Plan:
    """Raises PlanError; nothing is guessed, converted or left out."""
    problems: list[PlanProblem] = []
    fields = Node(document, "", problems).fields(
        ("hold_days", "attribution", "combine", "rules"), ("late_days", "binding", "gates")
    )
    combine = fields["combine"].choice(("first_match", "best", "sum"), default="first_match")
    plan = Plan(
        hold_days=fields["hold_days"].integer(0, MAX_HOLD_DAYS),
        late_days=fields["late_days"].integer(0, MAX_LATE_DAYS, default=DEFAULT_LATE_DAYS),
        attribution=read_attribution(fields["attribution"]),
        binding=read_binding(fields["binding"]),
        combine=cast("Combine", combine),
        rules=_read_rules(fields["rules"], combine),
        gates=read_gates(fields["gates"]),
    )
    if problems:
        raise PlanError(tuple(problems))
    return plan


def parse_agreement(document: Mapping[str, object]) -> Plan:
    """One partner's own terms: `combine`, `rules` and `gates` of a plan. Raises PlanError.

    How long money is held and whose touches count is the program's in any case: a conversion is
    attributed and closes once for all who share it. So nobody asks this plan for it.
    """
    problems: list[PlanProblem] = []
    node = Node(document, "", problems)
    fields = node.fields(("combine", "rules"), ("gates", *_PROGRAMS_OWN))
    for name in _PROGRAMS_OWN:
        if not fields[name].absent:
            fields[name].refuse("is the program's, not one partner's", "Leave it out.")
    combine = fields["combine"].choice(("first_match", "best", "sum"), default="first_match")
    plan = Plan(
        hold_days=0,
        late_days=0,
        attribution=AttributionTerms("last_click", 0),
        binding=BindingTerms(),
        combine=cast("Combine", combine),
        rules=_read_rules(fields["rules"], combine),
        gates=read_gates(fields["gates"]),
    )
    if problems:
        raise PlanError(tuple(problems))
    return plan


def canonical(plan: Plan) -> dict[str, object]:
    """The normal form that is stored, defaults written out: `parse(canonical(p)) == p`."""
    binding = binding_document(plan.binding)
    return {
        "hold_days": plan.hold_days,
        "late_days": plan.late_days,
        "attribution": attribution_document(plan.attribution),
        **({"binding": binding} if binding else {}),
        **canonical_agreement(plan),
    }


def canonical_agreement(plan: Plan) -> dict[str, object]:
    """The normal form of one partner's own terms, and of what they share with a program's."""
    gates = gates_document(plan.gates)
    return {
        **({"gates": gates} if gates else {}),
        "combine": plan.combine,
        "rules": [rule_document(rule) for rule in plan.rules],
    }


def _read_rules(node: Node, combine: str) -> tuple[Rule, ...]:
    elements = node.elements(least=0, most=MAX_RULES)
    rules = tuple(one(read_rule(element)) for element in elements)
    if combine == "best":
        refuse_uncompared(node, rules)
    first: dict[str, int] = {}
    for i, rule in enumerate(rules):
        if rule.id and first.setdefault(rule.id, i) != i:
            elements[i].child("id").refuse(
                f"is the id of rule {first[rule.id]} too", "Give each rule an id of its own."
            )
    return rules
