"""Made-up plan documents, right ones and nearly right ones."""

from copy import deepcopy
from typing import Any

from hypothesis import strategies as st

from app.core.attribution_terms import KINDS
from app.core.currencies import EXPONENTS
from app.core.money import MAX_AMOUNT

money: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"amount": st.integers(0, MAX_AMOUNT), "currency": st.sampled_from(sorted(EXPONENTS))}
)
_TERMS = {"months": st.integers(1, 1_200), "payments": st.integers(1, 10_000)}
_PER = {"per": st.sampled_from(["sale", "line", "unit"])}
_WHOM: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.just({}),
    st.fixed_dictionaries({"to": st.sampled_from(["partner", "company", "customer"])}),
    st.fixed_dictionaries({"to": st.just("recruiter")}, optional={"level": st.integers(1, 2)}),
)
_ITEMS = st.from_regex(r"[a-z0-9][a-z0-9_.-]{0,63}", fullmatch=True)
_QUANTITY = {"quantity": st.integers(1, 10_000)}
_PERIODS = st.sampled_from(["month", "quarter", "year", "life"])


@st.composite
def _bands(draw: st.DrawFn) -> dict[str, Any]:
    """Steps that rise, in one currency, all percent or all flat."""
    by = draw(st.sampled_from(["revenue", "sales"]))
    currency = draw(money)["currency"]
    starts = sorted(draw(st.sets(st.integers(1, 1_000_000), min_size=1, max_size=4)))
    flat = draw(st.booleans())
    return {
        "by": by,
        "period": draw(_PERIODS),
        "mode": "graduated",
        "steps": [
            {
                "from": {"amount": start - 1, "currency": currency} if by == "revenue" else start,
                **(
                    {"flat": draw(money)} if flat else {"percent_bps": draw(st.integers(0, 10_000))}
                ),
            }
            for start in starts
        ],
    }


bands = _bands()
reaches: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.fixed_dictionaries({"sales": st.integers(1, 1_000_000), "period": _PERIODS}),
    st.fixed_dictionaries({"leads": st.integers(1, 1_000_000), "period": _PERIODS}),
    st.fixed_dictionaries(
        {"revenue": money.filter(lambda amount: amount["amount"] > 0), "period": _PERIODS}
    ),
)
_in_money: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.fixed_dictionaries(
        {"percent_bps": st.integers(0, 10_000)},
        optional={**_TERMS, "per": st.sampled_from(["sale", "line"])},
    ),
    st.fixed_dictionaries({"flat": money}, optional={**_TERMS, **_PER}),
    st.fixed_dictionaries({"bands": bands}, optional=_TERMS),
)
_in_pieces: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.fixed_dictionaries(
        {"as": st.just("free_months"), **_QUANTITY}, optional={"cost": money, **_PER}
    ),
    st.fixed_dictionaries(
        {"as": st.sampled_from(["gift", "feature"]), "item": _ITEMS, **_QUANTITY},
        optional={"cost": money, **_PER, **_TERMS},
    ),
)
_FORMS = st.fixed_dictionaries({}, optional={"as": st.sampled_from(["cash", "credit", "discount"])})
_shares: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "to": st.sampled_from(["recruiter", "company"]),
        "of": st.just("commission"),
        "percent_bps": st.integers(0, 10_000),
    },
    optional={"as": st.sampled_from(["cash", "credit"])},
)


def _united(*parts: dict[str, Any]) -> dict[str, Any]:
    return {name: value for part in parts for name, value in part.items()}


pays: st.SearchStrategy[dict[str, Any]] = st.one_of(
    _in_money,
    st.builds(_united, _WHOM, _FORMS, _in_money),
    st.builds(_united, _WHOM, _in_pieces),
    _shares,
)
_PERCENT = st.integers(0, 10_000)
_COUNT = st.integers(1, 1_000_000)
_PERIOD = {"period": st.sampled_from(["month", "quarter", "year", "life"])}
_WHOSE = st.sampled_from(["customer", "partner"])
caps: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.fixed_dictionaries(
        {"per": st.just("sale"), "amount": money}, optional={"percent_of_bill_bps": _PERCENT}
    ),
    st.fixed_dictionaries({"per": st.just("sale"), "percent_of_bill_bps": _PERCENT}),
    st.fixed_dictionaries({"per": _WHOSE, "amount": money}, optional={"count": _COUNT, **_PERIOD}),
    st.fixed_dictionaries({"per": _WHOSE, "count": _COUNT}, optional=_PERIOD),
)
tiers: st.SearchStrategy[list[str]] = st.lists(
    st.from_regex(r"[a-z0-9_-]{1,64}", fullmatch=True), min_size=1, max_size=3, unique=True
)
matches: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {},
    optional={
        "kind": st.lists(st.sampled_from(["lead", "sale", "renewal"]), min_size=1, unique=True),
        "product_ids": st.lists(
            st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1),
            min_size=1,
            max_size=3,
            unique=True,
        ),
        "countries": st.lists(st.sampled_from(["DE", "US", "XK"]), min_size=1, unique=True),
        "tiers": tiers,
        "new": st.booleans(),
        "nth": st.integers(1, 10_000),
        "min_amount": money,
        "reaches": reaches,
    },
)
rule_ids = st.from_regex(r"[a-z0-9][a-z0-9_.-]{0,63}", fullmatch=True)
_any_rules: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"id": rule_ids, "pay": pays},
    optional={
        "cap": caps,
        "adds": st.booleans(),
        "match": matches,
        "when": st.sampled_from(["sale.new", "sale.amount > 5 && customer.country == 'DE'"]),
    },
)


def _capped_as_it_may(rule: dict[str, Any]) -> dict[str, Any]:
    """Without a cap that has no meaning for what is paid."""
    pay, cap = rule["pay"], rule.get("cap", {})
    counted = cap.get("per") in {"customer", "partner"} and "amount" not in cap
    if pay.get("to") == "customer":
        rule.get("match", {}).pop("reaches", None)
        counted = counted and cap["per"] == "customer"
        if cap.get("per") == "partner":
            return {name: value for name, value in rule.items() if name != "cap"}
    if pay.get("of") == "commission" or ("quantity" in pay and not counted):
        return {name: value for name, value in rule.items() if name != "cap"}
    return rule


rules = _any_rules.map(_capped_as_it_may)
days = st.integers(0, 3_650)
_ALWAYS: dict[str, Any] = {"window_days": days}
_WINDOWS = st.fixed_dictionaries({}, optional=dict.fromkeys(KINDS, days))
_LEAST = {"windows": _WINDOWS, "min_share_bps": st.integers(0, 10_000)}
_MODELS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("last_click", {}, {"windows": _WINDOWS}),
    ("first_click", {}, {"windows": _WINDOWS}),
    ("linear", {}, _LEAST),
    ("time_decay", {"half_life_days": st.integers(1, 3_650)}, _LEAST),
    (
        "position_based",
        {},
        {
            **_LEAST,
            "weights_bps": st.builds(
                lambda first, last: {"first": first, "middle": 10_000 - first - last, "last": last},
                st.integers(1, 5_000),
                st.integers(0, 5_000),
            ),
        },
    ),
]
attributions: st.SearchStrategy[dict[str, Any]] = st.one_of(
    [
        st.fixed_dictionaries({"model": st.just(model), **_ALWAYS, **needs}, optional=more)
        for model, needs, more in _MODELS
    ]
)
_any_documents: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "hold_days": st.integers(0, 3_650),
        "attribution": attributions,
        "combine": st.sampled_from(["first_match", "best", "sum"]),
        "rules": st.lists(rules, max_size=4, unique_by=lambda rule: str(rule["id"])),
    },
    optional={
        "late_days": st.integers(0, 365),
        "gates": st.fixed_dictionaries(
            {}, optional={"certified": st.just(True), "tiers": tiers, "agreement": st.just(True)}
        ),
        "binding": st.fixed_dictionaries(
            {}, optional={"months": st.integers(1, 1_200), "ends": st.just(["suspended"])}
        ),
    },
)


def _comparable(document: dict[str, Any]) -> dict[str, Any]:
    """With rules that add, where the best one could not be told."""
    if document["combine"] != "best":
        return document
    rules = [
        {**rule, "adds": True} if rule["pay"].get("as", "cash") != "cash" else rule
        for rule in document["rules"]
    ]
    return {**document, "rules": rules}


documents = _any_documents.map(_comparable)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
_near = st.sampled_from(
    [
        "unit",
        "line",
        "customer",
        "partner",
        "company",
        "gift",
        "commission",
        "best",
        "time_decay",
        [],
        {},
        0,
        1,
        10_000,
        10_001,
    ]
)
"""What has a meaning at some place or other."""


@st.composite
def mutated(draw: st.DrawFn) -> dict[str, Any]:
    """A document in which one value is replaced by anything."""
    root = deepcopy(draw(documents))
    node: Any = root
    while True:
        keys = sorted(node) if isinstance(node, dict) else list(range(len(node)))
        key = draw(st.sampled_from(keys))
        if isinstance(node[key], dict | list) and node[key] and draw(st.booleans()):
            node = node[key]
            continue
        node[key] = draw(st.one_of(json_values, _near))
        return root
