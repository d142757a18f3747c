"""What is wrong with a plan, or likely so, before it is published: proofs, not guesses.

What a rule's condition hides can't be proved; the shell samples it on stored sales.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from app.core.lint_findings import SEVERITIES, Finding, Limits, rule_place
from app.core.lint_proofs import Proofs
from app.core.lint_rules import about_rule, amounts, dead_currencies, percent
from app.core.lint_space import recipient
from app.core.lint_sums import Sums
from app.core.pays import Flat
from app.core.plans import Plan, PlanError, parse

_AT: Final = re.compile(r" \(line (\d+), column (\d+)\)$")
_MOST_NAMED: Final = 5
_USUAL: Final = Limits()


def lint(
    document: Mapping[str, object], *, currency: str = "", limits: Limits = _USUAL
) -> tuple[Finding, ...]:
    """Every finding, the worst first. currency: the program's, if it is known."""
    try:
        plan = parse(document)
    except PlanError as error:
        return tuple(_refused(p.place, p.problem, p.remedy) for p in error.problems)
    return linted(plan, currency=currency, limits=limits)


def linted(plan: Plan, *, currency: str = "", limits: Limits = _USUAL) -> tuple[Finding, ...]:
    """Every finding of what is a plan, the worst first."""
    expected = currency or next(
        (money.currency for rule in plan.rules for _, money in amounts(rule)), ""
    )
    proofs = Proofs(plan)
    found = [*_about_plan(plan, limits), *_together(proofs, limits)]
    for i, rule in enumerate(plan.rules):
        found += _dead(proofs, i)
        found += about_rule(i, rule, plan, expected, limits)
    found += _overlaps(proofs)
    if proofs.effort.left < 0:
        found.append(
            Finding(
                "note",
                "not_all_compared",
                "/rules",
                "make too many differences to compare all rules with each other",
                "Split long lists into fewer rules.",
            )
        )
    return tuple(sorted(found, key=lambda f: SEVERITIES.index(f.severity)))


def _refused(place: str, problem: str, remedy: str) -> Finding:
    at = _AT.search(problem)
    line, column = (int(at[1]), int(at[2])) if at else (None, None)
    pointer = f"/{place}" if place else ""
    return Finding("error", "refused", pointer, problem, remedy, None, line, column)


def _about_plan(plan: Plan, limits: Limits) -> Iterator[Finding]:
    if not plan.rules:
        yield Finding(
            "warning", "no_rules", "/rules", "has no rule, so nobody earns", "Add a rule."
        )
    if plan.hold_days > limits.hold_days:
        yield Finding(
            "note",
            "hold_too_long",
            "/hold_days",
            f"keeps what is earned for {plan.hold_days} days, more than {limits.hold_days}",
            "Shorten it to the time in which refunds come.",
        )
    rivals = [rule for rule in plan.rules if not rule.adds]
    if plan.rules and (plan.combine == "sum" or not rivals):
        why = "with sum every rule pays" if plan.combine == "sum" else "every rule says it"
        for i, rule in enumerate(plan.rules):
            if rule.adds:
                place = rule_place(i, "adds")
                yield Finding(
                    "note", "adds_says_nothing", place, f"changes nothing: {why}", "Leave it out."
                )
    for kind in ("sale", "renewal"):
        if plan.rules and not any(kind in rule.match.kinds for rule in plan.rules):
            yield Finding(
                "note",
                "kind_unpaid",
                "/rules",
                f"has no rule for a {kind}, so it earns nothing",
                "Leave it if that is what you want; else add a rule for it.",
            )


def _dead(proofs: Proofs, index: int) -> Iterator[Finding]:
    """Why a rule can never pay: the first reason that holds."""
    rule, place = proofs.plan.rules[index], rule_place(index)
    misfit = proofs.never_fits(index)
    if misfit is not None:
        field, which = misfit
        owner = "pay" if field in {"payments", "months"} else "match"
        yield Finding(
            "error",
            "never_matches",
            rule_place(index, owner, field),
            f"can't be met by {which}, and the rule is for nothing else",
            f"Change {field}, or what else the rule asks for.",
        )
        return
    mixed = dead_currencies(rule)
    if mixed and not proofs.pays_in(index):
        yield Finding(
            "error",
            "never_pays",
            place,
            f"compares {' with '.join(mixed)}, which no sale allows, so the rule never pays",
            "Give all amounts of a rule in one currency.",
        )
        return
    if not proofs.pays_in(index):
        is_flat = isinstance(rule.pay.how, Flat)
        yield Finding(
            "error",
            "never_pays",
            rule_place(index, "pay", "per" if is_flat else "percent_bps"),
            "is for leads, which have no amount and no lines, so the rule never pays",
            "Pay leads a flat amount per sale.",
            rule_place(index, "match", "kind"),
        )
        return
    yield from _overtaken(proofs, index)


def _overtaken(proofs: Proofs, index: int) -> Iterator[Finding]:
    """That others always go first, or stop what this rule would pay."""
    place = rule_place(index)
    for code, found, why, remedy in (
        (
            "shadowed",
            proofs.before(index),
            "is never reached: {} before it",
            "Put this rule first, narrow the earlier one, or leave this one out.",
        ),
        (
            "stopped",
            proofs.stopped(index),
            "never pays: for all its sales {} in another currency, and then nobody is paid",
            "Give the amounts of all rules in one currency, or narrow the other rule.",
        ),
    ):
        if found:
            names = _named(proofs.plan, found)
            verb = {"shadowed": "match all its sales", "stopped": "reckon"}[code]
            words = f"{names} {verb if len(found) > 1 else _singular(verb)}"
            yield Finding("error", code, place, why.format(words), remedy, rule_place(found[0]))
            return
    better = proofs.beaten(index)
    if better is not None:
        yield Finding(
            "error",
            "never_best",
            place,
            f"never pays most: {_named(proofs.plan, (better,))} pays as much or more for all its"
            " sales",
            "Raise this rule, narrow the other one, or leave this one out.",
            rule_place(better),
        )


def _singular(verb: str) -> str:
    first, *rest = verb.split(" ")
    return " ".join((f"{first}es" if first.endswith("ch") else f"{first}s", *rest))


def _together(proofs: Proofs, limits: Limits) -> Iterator[Finding]:
    found = Sums(proofs).together(limits.total_bps)
    if found is None or len(found.rules) < 2:
        return
    names = _named(proofs.plan, found.rules)
    rate, limit = percent(found.total_bps), percent(limits.total_bps)
    yield Finding(
        "error" if found.is_proved else "warning",
        "total_over_limit",
        rule_place(found.rules[-1], "pay", "percent_bps"),
        f"{'pays' if found.is_proved else 'may pay'} {rate} of one sale together with others"
        f" ({names}), more than {limit}",
        "Lower the rates, narrow the rules, or cap them per sale.",
        rule_place(found.rules[0]),
    )


def _overlaps(proofs: Proofs) -> Iterator[Finding]:
    """Rules that both may pay for a sale, where that is not what the first match is for."""
    plan = proofs.plan
    if plan.combine == "first_match":
        return
    for i, rule in enumerate(plan.rules):
        if rule.adds:
            continue
        mates = [j for j in proofs.mates(i) if not plan.rules[j].adds]
        met = [j for j in mates if recipient(plan.rules[j]) == recipient(rule)]
        sale = next(filter(None, (proofs.meet(j, i) for j in met[:_MOST_NAMED])), None)
        if sale is None:
            continue
        first, names = met[0], _named(plan, tuple(met))
        outcome = "all are paid" if plan.combine == "sum" else "the one that pays most is paid"
        yield Finding(
            "note",
            "overlap",
            rule_place(i),
            f"may match the same sale as {names}, such as {sale}: {outcome}",
            "Leave it if that is what you want; else narrow one of them.",
            rule_place(first),
        )
        for j in met if plan.combine == "best" else ():
            if "lead" in rule.match.kinds and proofs.currencies_meet(j, i):
                yield Finding(
                    "error",
                    "best_mixes_currencies",
                    rule_place(i, "pay", "flat", "currency"),
                    f"can't be compared with {_named(plan, (j,))} where both pay for a lead, and"
                    " then nobody is paid",
                    "Pay leads in one currency.",
                    rule_place(j, "pay", "flat", "currency"),
                )
                break


def _named(plan: Plan, indexes: tuple[int, ...]) -> str:
    names = [f"`{plan.rules[i].id}`" for i in indexes[:_MOST_NAMED]]
    more = len(indexes) - len(names)
    names += [f"{more} more"] if more else []
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last
