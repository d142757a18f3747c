"""What one sale pays by a plan: the rules that match and count, and why the others do not.

A rule that can't be worked out stops the ruling: it pays nobody, and no later rule stands in.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from app.core.conditions import OF_LINES, Condition, Facts, Failed, bind, holds
from app.core.matching import mismatch, no_rate, unknown_minimum
from app.core.paying import Paid, pay
from app.core.plans import Plan, Rule
from app.core.reasons import Reason, because
from app.core.records import record
from app.core.sale_facts import Earlier, SaleFacts, cel_facts


@record
class Ruling:
    """paid: what the rules that decided come to, which may be 0; none if none matched or one
    failed. reasons: one or more for each rule that was tried, in listed order.
    """

    paid: tuple[Paid, ...]
    reasons: tuple[Reason, ...]


def rule_on(
    plan: Plan,
    facts: SaleFacts,
    rules: tuple[Rule, ...] | None = None,
    tried: "Tried | None" = None,
) -> Ruling:
    """By the plan's way to combine; rules that add are tried whatever the others come to.

    rules: those of another recipient; if not said, those of the credited partner. tried: what
    another plan's rules came to on equal facts.
    """
    if rules is None:
        rules = plan.groups.own if plan.groups else plan.rules
    steps: list[Paid | Reason] = []
    known = _Known(facts, plan.uses)
    answers = None if tried is None else tried.on(facts)
    is_decided = False
    for rule in rules:
        if is_decided and plan.combine == "first_match" and not rule.adds:
            continue
        told = answers.get(rule.id) if answers else None
        answer = told[1] if told and told[0] is rule else _try(rule, known)
        if answers is not None:
            answers[rule.id] = rule, answer
        if isinstance(answer, _Stop):
            return Ruling((), _told([*steps, answer.reason], ()))
        steps.append(answer)
        if isinstance(answer, Paid) and not rule.adds:
            is_decided = True
    if plan.combine == "best":
        return _best(plan, rules, steps, facts)
    return _all(plan, rules, steps)


@record
class _Stop:
    """Why nobody can be paid."""

    reason: Reason


@dataclass(slots=True)
class _Known:
    """A sale's facts. Bound for conditions once for all rules: it costs more than an evaluation.

    uses: what any of the conditions names.
    """

    facts: SaleFacts
    uses: frozenset[str]
    bound: Facts | None = None

    def holds(self, condition: Condition) -> bool | Failed:
        if self.bound is None:
            self.bound = bind(cel_facts(self.facts, self.uses))
        return holds(condition, self.bound)


_Answer = Paid | Reason | _Stop


@dataclass(slots=True)
class Tried:
    """What rules came to on some facts, for other plans that have some of the same rules.

    It depends on the rule and the facts alone. Equal rules are one object, see `rules.one`.
    alike: whether the facts can differ in nothing but what was paid before.
    """

    alike: bool = False
    _facts: SaleFacts | None = None
    _answers: dict[str, tuple[Rule, _Answer]] = field(default_factory=dict)

    def on(self, facts: SaleFacts) -> dict[str, tuple[Rule, _Answer]]:
        """By the rules' ids. Of other facts than the last ones nothing is known."""
        if facts is not self._facts and facts != self._facts:
            self._facts, self._answers = facts, {}
        return self._answers

    def known(self, earlier: tuple[Earlier, ...]) -> SaleFacts | None:
        """The facts, if they must be the same again. earlier: what was paid before."""
        facts = self._facts if self.alike else None
        return facts if facts is not None and facts.earlier == earlier else None


def _try(rule: Rule, known: _Known) -> _Answer:
    """What the rule comes to, why it does not apply, or why it can't be worked out."""
    facts = known.facts
    differs = mismatch(rule, facts)
    if differs is not None:
        return differs
    unknown = unknown_minimum(rule, facts)
    if unknown is not None:
        return _Stop(unknown)
    if rule.when is not None:
        if not facts.lines_complete and not rule.when.uses.isdisjoint(OF_LINES):
            return _Stop(because("lines_unknown", rule=rule.id))
        held = known.holds(rule.when)
        if isinstance(held, Failed):
            return _Stop(because("rule_failed", rule=rule.id, error=held.error))
        if not held:
            return _is_false(rule.id)
    paid = pay(rule, facts)
    return paid if isinstance(paid, Paid) else _Stop(paid)


@lru_cache(maxsize=4_096)
def _is_false(rule: str) -> Reason:
    """The same few come again with every sale."""
    return because("rule_condition_false", rule=rule)


def _all(plan: Plan, rules: Sequence[Rule], steps: Sequence[Paid | Reason]) -> Ruling:
    paid = tuple(step for step in steps if isinstance(step, Paid))
    if not paid:
        steps = [*steps, _none_matched(plan, rules)]
    return Ruling(paid, _told(steps, paid))


def _best(
    plan: Plan, rules: Sequence[Rule], steps: Sequence[Paid | Reason], facts: SaleFacts
) -> Ruling:
    """Those that add, and of the others the one that pays most; of equals the first.

    Where one of them knows only what the partner's own slice comes to, slices are compared.
    """
    adding = {rule.id for rule in rules if rule.adds}
    paid = [step for step in steps if isinstance(step, Paid)]
    rivals = [one for one in paid if one.rule_id not in adding]
    for rival in rivals:
        # Only leads come here: what they pay is in each rule's own currency.
        if rival.currency != rivals[0].currency:
            rule = next(rule for rule in rules if rule.id == rival.rule_id)
            stop = no_rate(rule, rival.currency, rivals[0].currency)
            return Ruling((), _told([*steps, stop], ()))
    of_slices = any(rival.is_slice for rival in rivals)
    best = max(
        rivals,
        key=lambda rival: rival.part(facts) if of_slices else rival.amount,
        default=None,
    )
    chosen = tuple(one for one in paid if one is best or one.rule_id in adding)
    if not chosen:
        steps = [*steps, _none_matched(plan, rules)]
    return Ruling(chosen, _told(steps, chosen, best))


def _none_matched(plan: Plan, rules: Sequence[Rule]) -> Reason:
    """Where there are rules for several, it is only one of them who is not paid."""
    if plan.groups is None or not plan.groups.others:
        return because("no_rule_matched")
    reward = rules[0].pay.reward if rules else None
    level = {} if reward is None or reward.level is None else {"level": reward.level}
    return because("no_rule_for", to=reward.to if reward else "partner", **level)


def _told(
    steps: Sequence[Paid | Reason], paid: Sequence[Paid], best: Paid | None = None
) -> tuple[Reason, ...]:
    """What led to it. What a rule would have paid is told only of one that another one beat."""
    reasons: list[Reason] = []
    for step in steps:
        if isinstance(step, Reason):
            reasons.append(step)
        elif any(step is one for one in paid):
            reasons.extend(step.reasons)
        elif best is not None:
            reasons.append(
                because(
                    "rule_not_best",
                    rule=step.rule_id,
                    amount=step.amount,
                    best=best.rule_id,
                    currency=step.currency,
                )
            )
        else:
            reasons.append(because("rule_not_paid", rule=step.rule_id))
    return tuple(reasons)
