"""All sales that a plan's rules can tell apart, cut by what they compare: "never" is proved on it.

A rule compares a sale along dimensions that don't depend on each other: which sale of the customer
it is, its amount, country, products. Each dimension is cut into the values between which the rules
make a difference; a set of bits tells the rules that a value fits. A sale is a value of each.
"""

from collections.abc import Iterable, Sequence
from dataclasses import fields
from functools import cache
from itertools import chain
from typing import Final, assert_never

from app.core.bands import Bands
from app.core.conversions import ConversionKind
from app.core.gates import Gates
from app.core.matches import Match
from app.core.pays import CustomerCap, Flat, PartnerCap, Pay, Percent, SaleCap
from app.core.records import record
from app.core.rewards import Pieces
from app.core.rules import Rule

KNOWN_MATCH: Final = frozenset(
    {"kinds", "product_ids", "countries", "new", "nth", "min_amount", "tiers"}
)
"""The words of a `match` that are cut here. By others a rule may narrow itself further."""
NARROWING: Final = frozenset({"reaches"})
"""Words that depend on what came before: a rule with one goes first for no other."""
KNOWN_PAY: Final = frozenset({"how", "per", "months", "payments", "reward"})
_OTHER: Final = "other"
"""Any currency that no rule names."""


@record
class Kind:
    """Sales of which everything is possible in all combinations.

    nth, payment, months: the least, or all if there is no other.
    """

    kind: ConversionKind
    told: str
    nth: int
    payment: int = 1
    first: bool = False


KINDS: Final = (
    Kind("sale", "a customer's first sale", 1, first=True),
    Kind("sale", "a customer's later sale", 2),
    Kind("renewal", "a renewal", 2, payment=2),
    Kind("lead", "a lead", 0),
)


@record
class Value:
    """fits: rules whose match it fits, or that stop at it. stops: rules that can't be worked out
    there, for the currency. told: for an example. currency: of a sale's amount, if rules name it.
    """

    fits: int
    told: str = ""
    stops: int = 0
    currency: str = ""


@record
class Space:
    """One kind of sale. dimensions: by the field of a rule that decides about it."""

    kind: Kind
    dimensions: dict[str, tuple[Value, ...]]


def spaces(rules: Sequence[Rule], gates: Gates) -> tuple[Space, ...]:
    """Every kind of sale that passes the gates, cut for these rules; bit i is the rule at i."""
    return tuple(
        Space(
            kind,
            {
                "kind": (Value(_bits(kind.kind in rule.match.kinds for rule in rules)),),
                "new": (Value(_bits(_new_fits(rule, kind) for rule in rules)),),
                "nth": _numbers(rules, kind),
                "reaches": (Value(_bits(_counts(rule, kind) for rule in rules)),),
                "payments": _payments(rules, kind),
                "months": _months(rules, kind),
                "min_amount": _amounts(rules, kind),
                "countries": _listed(rules, [rule.match.countries for rule in rules], "from {}"),
                "tiers": _tiers(rules, gates),
                "product_ids": _products(rules, kind),
            },
        )
        for kind in KINDS
    )


def is_plain(rule: Rule) -> bool:
    """Whether the rule pays wherever the dimensions say that it fits, or stops all that do."""
    if rule.when is not None:
        return False
    match, pay = Match(), Pay(rule.pay.how)
    return all(
        getattr(rule.match, name) == getattr(match, name) for name in _names(Match) - KNOWN_MATCH
    ) and all(getattr(rule.pay, name) == getattr(pay, name) for name in _names(Pay) - KNOWN_PAY)


def recipient(rule: Rule) -> tuple[str, int | None]:
    """Whom it pays: rules compete only for the same one."""
    reward = rule.pay.reward
    return (reward.to, reward.level) if reward else ("partner", None)


def highest_rate(rule: Rule) -> int:
    """The highest percentage that the rule pays, in 1/10,000."""
    how = rule.pay.how
    match how:
        case Percent(rate_bps):
            return rate_bps
        case Bands():
            return max(step.rate_bps or 0 for step in how.steps)
        case Flat() | Pieces():
            return 0
        case _:
            assert_never(how)


def currency_of(rule: Rule) -> str:
    """In which currency alone the rule can be worked out, or empty if it may be in any."""
    how = rule.pay.how
    match how:
        case Flat(_, currency):
            return currency
        case Bands():
            return how.currency
        case Percent() | Pieces():
            return ""
        case _:
            assert_never(how)


def cap_currency(rule: Rule) -> str:
    """In which currency the rule's cap is, or empty."""
    cap = rule.cap
    match cap:
        case None:
            return ""
        case SaleCap() | CustomerCap() | PartnerCap():
            return cap.amount.currency if cap.amount else ""
        case _:
            assert_never(cap)


@cache
def _names(cls: type[Match | Pay]) -> frozenset[str]:
    return frozenset(field.name for field in fields(cls))


def _bits(flags: Iterable[bool]) -> int:
    return sum(1 << i for i, flag in enumerate(flags) if flag)


def _counts(rule: Rule, kind: Kind) -> bool:
    """Whether what the rule counts may be reached by it: leads by a lead, and by nothing else."""
    reaches = rule.match.reaches
    return reaches is None or (reaches.leads is not None) == (kind.kind == "lead")


def _new_fits(rule: Rule, kind: Kind) -> bool:
    return rule.match.new is None or rule.match.new == kind.first


def _numbers(rules: Sequence[Rule], kind: Kind) -> tuple[Value, ...]:
    """Which paid sale of the customer it is; a lead has none."""
    wanted = {rule.match.nth for rule in rules if rule.match.nth is not None}
    if kind.first or kind.kind == "lead":
        numbers = [kind.nth]
    else:
        numbers = sorted({n for n in (*wanted, max(wanted, default=0) + 1, 2) if n >= kind.nth})
    return tuple(
        Value(_bits(r.match.nth in {None, n} for r in rules), f"number {n}" if n in wanted else "")
        for n in numbers
    )


def _payments(rules: Sequence[Rule], kind: Kind) -> tuple[Value, ...]:
    limits = {rule.pay.payments for rule in rules if rule.pay.payments is not None}
    cuts = {1} if kind.first else {kind.payment} | {n + 1 for n in limits if n >= kind.payment}
    return tuple(
        Value(_bits(r.pay.payments is None or n <= r.pay.payments for r in rules))
        for n in sorted(cuts)
    )


def _months(rules: Sequence[Rule], kind: Kind) -> tuple[Value, ...]:
    limits = {rule.pay.months for rule in rules if rule.pay.months is not None}
    return tuple(
        Value(_bits(r.pay.months is None or n < r.pay.months for r in rules))
        for n in sorted({0} if kind.first else {0} | limits)
    )


def _amounts(rules: Sequence[Rule], kind: Kind) -> tuple[Value, ...]:
    """By currency, the base on both sides of each minimum. A lead has no amount."""
    if kind.kind == "lead":
        return (_amount(rules, 0, "", ""),)
    cuts: dict[str, set[int]] = {"": set()}
    for rule in rules:
        for currency in (currency_of(rule), cap_currency(rule)):
            cuts.setdefault(currency, set())
        if rule.match.reaches is not None and rule.match.reaches.revenue is not None:
            cuts.setdefault(rule.match.reaches.revenue.currency, set())
        if rule.match.min_amount is not None:
            least = rule.match.min_amount
            cuts.setdefault(least.currency, set()).add(least.amount)
    return tuple(
        _amount(rules, amount, currency or _OTHER, f"in {currency.upper() or 'another currency'}")
        for currency, found in cuts.items()
        for amount in sorted({*found, min(found, default=1) - 1})
    )


def _amount(rules: Sequence[Rule], amount: int, currency: str, told: str) -> Value:
    fits, stops = 0, 0
    for i, rule in enumerate(rules):
        least, flat, reaches = rule.match.min_amount, currency_of(rule), rule.match.reaches
        goal = reaches.revenue if reaches else None
        is_other = least is not None and currency not in {least.currency, ""}
        if is_other or least is None or amount >= least.amount:
            fits |= 1 << i
        if is_other or any(
            named and currency not in {named, ""} for named in (flat, goal.currency if goal else "")
        ):
            stops |= 1 << i
    return Value(fits, told, stops, currency)


def _tiers(rules: Sequence[Rule], gates: Gates) -> tuple[Value, ...]:
    """The partner's; of those that the gates let in, if they ask for some."""
    wanted = [rule.match.tiers for rule in rules]
    if not gates.tiers:
        return _listed(rules, wanted, "by a partner of the tier `{}`")
    return tuple(
        Value(_bits(not listed or tier in listed for listed in wanted)) for tier in gates.tiers
    )


def _products(rules: Sequence[Rule], kind: Kind) -> tuple[Value, ...]:
    """Sales of one product each: of more, more rules fit. A lead has none."""
    wanted = [rule.match.product_ids for rule in rules]
    if kind.kind == "lead":
        return (Value(_bits(not listed for listed in wanted)),)
    return _listed(rules, wanted, "of `{}`")


def _listed(
    rules: Sequence[Rule], wanted: Sequence[tuple[str, ...]], told: str
) -> tuple[Value, ...]:
    """A value for each that is listed, and one for all others."""
    unlisted = _bits(not listed for listed in wanted)
    found: dict[str, int] = dict.fromkeys(chain.from_iterable(wanted), unlisted)
    for i in range(len(rules)):
        for one in wanted[i]:
            found[one] |= 1 << i
    distinct = {fits: Value(fits, told.format(one)) for one, fits in found.items()}
    return (*distinct.values(), Value(unlisted))
