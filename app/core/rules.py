"""One line of a plan: what a sale must be like, and what it then pays."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, cast

from app.core.conditions import MAX_CHARACTERS, Condition, ConditionError, compile_condition
from app.core.countries import COUNTRIES
from app.core.currencies import EXPONENTS
from app.core.documents import Fields, Node
from app.core.money import BPS, MAX_AMOUNT

Kind = Literal["lead", "sale", "renewal"]

KINDS: Final[tuple[Kind, ...]] = ("lead", "sale", "renewal")
PAID_KINDS: Final[tuple[Kind, ...]] = ("sale", "renewal")
MAX_LISTED: Final = 1_000
MAX_PRODUCT_ID: Final = 255
MAX_MONTHS: Final = 1_200
_RULE_ID: Final = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")


@dataclass(frozen=True, slots=True)
class Match:
    """What can be compared without an expression; an empty tuple and None match everything.

    product_ids: the sale has at least one of them. countries: the customer's.
    new: whether it is the customer's first paid sale.
    """

    kinds: tuple[Kind, ...] = PAID_KINDS
    product_ids: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    new: bool | None = None


@dataclass(frozen=True, slots=True)
class Percent:
    """A share of the sale's base."""

    rate_bps: int


@dataclass(frozen=True, slots=True)
class Flat:
    """The same amount for each sale, in minor units."""

    amount: int
    currency: str


Pay = Percent | Flat


@dataclass(frozen=True, slots=True)
class Rule:
    """months: how many calendar months it pays since the first paid sale; None: for good."""

    id: str
    match: Match
    when: Condition | None
    pay: Pay
    months: int | None


def read_rule(node: Node) -> Rule:
    """Problems are left in the node; the rule counts only if there are none."""
    fields = node.fields(("id", "pay"), ("match", "when"), later=("cap", "adds"))
    pay = fields["pay"].fields(
        (),
        ("to", "as", "percent_bps", "flat", "of", "per", "months"),
        later=("bands", "payments"),
    )
    months = pay["months"]
    return Rule(
        id=_read_id(fields["id"]),
        match=_read_match(fields["match"]),
        when=_read_condition(fields["when"]),
        pay=_read_pay(fields["pay"], pay),
        months=None if months.absent else months.integer(1, MAX_MONTHS, default=1),
    )


def rule_document(rule: Rule) -> dict[str, object]:
    """The normal form of a rule: all defaults written out."""
    match: dict[str, object] = {"kind": list(rule.match.kinds)}
    if rule.match.product_ids:
        match["product_ids"] = list(rule.match.product_ids)
    if rule.match.countries:
        match["countries"] = list(rule.match.countries)
    if rule.match.new is not None:
        match["new"] = rule.match.new
    pay: dict[str, object] = {"to": "partner", "as": "cash", "of": "sale", "per": "sale"}
    match rule.pay:
        case Percent(rate_bps):
            pay["percent_bps"] = rate_bps
        case Flat(amount, currency):
            pay["flat"] = {"amount": amount, "currency": currency}
    if rule.months is not None:
        pay["months"] = rule.months
    when = {} if rule.when is None else {"when": rule.when.source}
    return {"id": rule.id, "match": match, **when, "pay": pay}


def _read_id(node: Node) -> str:
    rule_id = node.text(64)
    if rule_id and not _RULE_ID.fullmatch(rule_id):
        node.refuse(
            "is not a rule id",
            "Use a-z, 0-9, '_', '.' and '-', starting with a letter or digit.",
        )
    return rule_id


def _read_match(node: Node) -> Match:
    if node.absent:
        return Match()
    fields = node.fields((), ("kind", "product_ids", "countries", "new"), later=("tiers",))
    products = _unique(fields["product_ids"])
    countries = _unique(fields["countries"])
    return Match(
        kinds=_read_kinds(fields["kind"]),
        product_ids=tuple(product.text(MAX_PRODUCT_ID) for product in products),
        countries=tuple(_read_country(country) for country in countries),
        new=None if fields["new"].absent else fields["new"].flag(),
    )


def _read_kinds(node: Node) -> tuple[Kind, ...]:
    if node.absent:
        return PAID_KINDS
    words = (node,) if isinstance(node.value, str) else _unique(node)
    return tuple(cast("Kind", word.choice(KINDS, default="sale")) for word in words)


def _unique(node: Node) -> tuple[Node, ...]:
    """The elements of a list; what is given twice is refused, an empty list would match nothing."""
    elements = node.elements(least=1, most=MAX_LISTED)
    seen: set[str] = set()
    for element in elements:
        if isinstance(element.value, str):
            if element.value in seen:
                element.refuse("is given twice", "Leave one of them out.")
            seen.add(element.value)
    return elements


def _read_country(node: Node) -> str:
    country = node.text(2)
    if country and country not in COUNTRIES:
        node.refuse(
            f"{country} is no country code", "Give ISO 3166-1 alpha-2 in capitals: DE, GB, US."
        )
    return country


def _read_condition(node: Node) -> Condition | None:
    source = node.text(MAX_CHARACTERS)
    if not source:
        return None
    try:
        return compile_condition(source)
    except ConditionError as error:
        node.refuse(error.problem, error.remedy)
        return None


def _read_pay(node: Node, fields: Fields) -> Pay:
    fields["to"].choice(("partner",), later=("recruiter", "company", "customer"))
    later_forms = ("discount", "credit", "free_months", "gift", "feature")
    fields["as"].choice(("cash",), later=later_forms)
    fields["of"].choice(("sale",), later=("commission",))
    fields["per"].choice(("sale",), later=("line", "unit"))
    percent, flat = fields["percent_bps"], fields["flat"]
    if isinstance(node.value, Mapping) and percent.absent == flat.absent:
        given = "says nothing of how much" if percent.absent else "gives both percent_bps and flat"
        node.refuse(given, "Give either percent_bps or flat.")
    if not flat.absent:
        amount = flat.fields(("amount", "currency"))
        return Flat(amount["amount"].integer(0, MAX_AMOUNT), _read_currency(amount["currency"]))
    return Percent(percent.integer(0, BPS))


def _read_currency(node: Node) -> str:
    currency = node.text(3)
    if currency and currency not in EXPONENTS:
        node.refuse(f"{currency} is no currency code", "Give ISO 4217 in lower case: eur, usd.")
    return currency
