"""Made-up plan documents, right ones and nearly right ones."""

from copy import deepcopy
from typing import Any

from hypothesis import strategies as st

from app.core.currencies import EXPONENTS
from app.core.money import MAX_AMOUNT

money: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"amount": st.integers(0, MAX_AMOUNT), "currency": st.sampled_from(sorted(EXPONENTS))}
)
_TERMS = {"months": st.integers(1, 1_200), "payments": st.integers(1, 10_000)}
pays: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.fixed_dictionaries(
        {"percent_bps": st.integers(0, 10_000)},
        optional={**_TERMS, "per": st.sampled_from(["sale", "line"])},
    ),
    st.fixed_dictionaries(
        {"flat": money}, optional={**_TERMS, "per": st.sampled_from(["sale", "line", "unit"])}
    ),
)
_PERCENT = st.integers(0, 10_000)
_COUNT = st.integers(1, 1_000_000)
_PERIOD = {"period": st.sampled_from(["month", "quarter", "year", "life"])}
caps: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.fixed_dictionaries(
        {"per": st.just("sale"), "amount": money}, optional={"percent_of_bill_bps": _PERCENT}
    ),
    st.fixed_dictionaries({"per": st.just("sale"), "percent_of_bill_bps": _PERCENT}),
    st.fixed_dictionaries(
        {"per": st.just("customer"), "amount": money}, optional={"count": _COUNT, **_PERIOD}
    ),
    st.fixed_dictionaries({"per": st.just("customer"), "count": _COUNT}, optional=_PERIOD),
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
    },
)
rule_ids = st.from_regex(r"[a-z0-9][a-z0-9_.-]{0,63}", fullmatch=True)
rules: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"id": rule_ids, "pay": pays},
    optional={
        "cap": caps,
        "adds": st.booleans(),
        "match": matches,
        "when": st.sampled_from(["sale.new", "sale.amount > 5 && customer.country == 'DE'"]),
    },
)
days = st.integers(0, 3_650)
_ALWAYS: dict[str, Any] = {"window_days": days}
_WINDOWS = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("click", "code", "deal", "referrer"), days)
)
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
documents: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
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
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
_near = st.sampled_from(
    ["unit", "line", "customer", "partner", "best", "time_decay", [], {}, 0, 1, 10_000, 10_001]
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
