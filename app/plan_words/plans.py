"""A whole plan in plain words: what is paid, whose touch counts, when it can be paid out."""

from dataclasses import dataclass
from typing import Final, assert_never

from app.core.attribution_terms import AttributionTerms, Model, TouchKind
from app.core.binding_terms import BindingTerms, End
from app.core.gates import Gates
from app.core.plans import Combine, Plan
from app.core.rules import Rule
from app.plan_words.rules import rule_words
from app.sentences import percent


@dataclass(frozen=True, slots=True)
class Told:
    """rules: id and sentence, in listed order. choice: how they go together; empty for one.

    gates: what a partner needs to earn at all. attribution: whose the customer is. binding: for how
    long. maturing: when what was earned can be paid out.
    """

    rules: tuple[tuple[str, str], ...]
    choice: str
    gates: tuple[str, ...]
    attribution: tuple[str, ...]
    binding: tuple[str, ...]
    maturing: tuple[str, ...]


def told(plan: Plan) -> Told:
    """Every sentence of the plan."""
    return Told(
        rules=tuple((rule.id, rule_words(rule)) for rule in plan.rules),
        choice=_choice(plan),
        gates=_gates(plan.gates),
        attribution=_attribution(plan.attribution),
        binding=_binding(plan.binding),
        maturing=_maturing(plan),
    )


def _choice(plan: Plan) -> str:
    if not plan.rules:
        return "Nothing is paid at present."
    whom = [_whom(rule) for rule in plan.rules if not rule.adds]
    if len(whom) == len(set(whom)):
        return ""  # No two of them compete.
    combine: Combine = plan.combine
    each = ", for each recipient" if len(set(whom)) > 1 else ""
    match combine:
        case "first_match":
            return f"Of these the first one that fits a sale pays{each}, in this order."
        case "best":
            return f"Of these the one that pays most for a sale pays{each}."
        case "sum":
            return "All of these that fit a sale pay."
        case _:
            assert_never(combine)


def _whom(rule: Rule) -> tuple[str, int | None]:
    reward = rule.pay.reward
    return (reward.to, reward.level) if reward else ("partner", None)


def _gates(gates: Gates) -> tuple[str, ...]:
    found: list[str] = []
    if gates.certified:
        found.append("You earn only while you hold a valid certificate.")
    if gates.tiers:
        found.append(f"You earn only in the tier {_or(gates.tiers)}.")
    if gates.agreement:
        found.append("You earn only once you have accepted the agreement.")
    return tuple(found)


def _attribution(terms: AttributionTerms) -> tuple[str, ...]:
    found = [f"{_model(terms)} It counts for {_days(terms.window_days)}."]
    found += [f"{_TOUCHES[kind]} counts for {_days(days)}." for kind, days in terms.windows]
    if terms.min_share_bps:
        found.append(f"A share below {percent(terms.min_share_bps)} goes to the others.")
    return tuple(found)


_TOUCHES: Final[dict[TouchKind, str]] = {
    "click": "A click on your link",
    "code": "A code of yours",
    "referrer": "Being named as the referrer",
    "deal": "A registered lead",
    "self_reported": "Being named by the customer as where they heard of us",
}


def _model(terms: AttributionTerms) -> str:
    model: Model = terms.model
    match model:
        case "last_click":
            return "A new customer is credited to the partner who brought them last."
        case "first_click":
            return "A new customer is credited to the partner who brought them first."
        case "linear":
            return "A new customer is shared equally by all partners who brought them."
        case "position_based":
            first, middle, last = (percent(weight) for weight in terms.weights_bps)
            return (
                f"A new customer is shared: {first} to the partner who brought them first, {last}"
                f" to the last one, {middle} to those between."
            )
        case "time_decay":
            return (
                "A new customer is shared by all partners who brought them; what lies"
                f" {_days(terms.half_life_days)} further back weighs half as much."
            )
        case _:
            assert_never(model)


def _binding(terms: BindingTerms) -> tuple[str, ...]:
    months = terms.months
    lasts = "for good" if months is None else f"for {months} month{'s' if months > 1 else ''}"
    found = [f"A customer stays with whoever was credited, {lasts}."]
    found += [_end(end) for end in terms.ends]
    return tuple(found)


def _end(end: End) -> str:
    match end:
        case "suspended":
            return "That ends earlier if you leave the program or are suspended."
        case _:
            assert_never(end)


def _maturing(plan: Plan) -> tuple[str, ...]:
    hold, late = plan.hold_days, plan.late_days
    found = [
        f"What you earn is pending for {_days(hold)} after the sale, then it can be paid out."
        if hold
        else "What you earn can be paid out at once."
    ]
    if late:
        found.append(f"A sale that becomes known late stays open for {_days(late)} at least.")
    found.append("Of what is refunded, what was earned on it is taken back in the same proportion.")
    return tuple(found)


def _days(days: int) -> str:
    return f"{days} day" if days == 1 else f"{days} days"


def _or(words: tuple[str, ...]) -> str:
    *most, last = words
    return f"{', '.join(most)} or {last}" if most else last
