"""The plan language: what is read, what is refused and where."""

from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.attribution_terms import AttributionTerms
from app.core.currencies import EXPONENTS
from app.core.money import MAX_AMOUNT
from app.core.plans import Flat, Match, Percent, Plan, PlanError, PlanProblem, canonical, parse
from tests.core.documents import only_problem, plan_of, problems, rule


def test_a_small_plan_reads_with_its_defaults() -> None:
    plan = parse(plan_of(rule()))
    assert (plan.hold_days, plan.late_days) == (30, 1)
    assert plan.attribution == AttributionTerms("last_click", 60)
    (only,) = plan.rules
    assert (only.id, only.match, only.when) == ("base", Match(("sale", "renewal")), None)
    assert (only.pay, only.months) == (Percent(2_000), None)


def test_a_full_rule_reads() -> None:
    document = plan_of(
        rule(
            match={
                "kind": "sale",
                "product_ids": ["pro", "team"],
                "countries": ["DE", "AT"],
                "new": True,
            },
            when="sale.amount > 1000",
            pay={
                "to": "partner",
                "as": "cash",
                "flat": {"amount": 500, "currency": "eur"},
                "of": "sale",
                "per": "sale",
                "months": 12,
            },
        ),
        late_days=0,
    )
    plan = parse(document)
    (only,) = plan.rules
    assert plan.late_days == 0
    assert only.match == Match(("sale",), ("pro", "team"), ("DE", "AT"), new=True)
    assert only.when is not None and only.when.source == "sale.amount > 1000"
    assert (only.pay, only.months) == (Flat(500, "eur"), 12)


def test_a_plan_may_have_no_rules() -> None:
    assert parse(plan_of()).rules == ()


def test_the_normal_form_has_the_defaults_and_a_fixed_shape() -> None:
    assert canonical(parse(plan_of(rule(match={"kind": "lead"})))) == {
        "hold_days": 30,
        "late_days": 1,
        "attribution": {"model": "last_click", "window_days": 60},
        "combine": "first_match",
        "rules": [
            {
                "id": "base",
                "match": {"kind": ["lead"]},
                "pay": {
                    "to": "partner",
                    "as": "cash",
                    "of": "sale",
                    "per": "sale",
                    "percent_bps": 2_000,
                },
            }
        ],
    }


def test_the_normal_form_writes_out_what_its_model_uses() -> None:
    def normal(**terms: Any) -> Any:
        return canonical(parse(plan_of(attribution={"window_days": 9, **terms})))["attribution"]

    assert normal(model="linear", windows={"code": 3}) == {
        "model": "linear", "window_days": 9, "windows": {"code": 3}, "min_share_bps": 0,
    }  # fmt: skip
    assert normal(model="position_based") == {
        "model": "position_based", "window_days": 9, "min_share_bps": 0,
        "weights_bps": {"first": 4_000, "middle": 2_000, "last": 4_000},
    }  # fmt: skip
    assert normal(model="time_decay", half_life_days=7, min_share_bps=500) == {
        "model": "time_decay", "window_days": 9, "half_life_days": 7, "min_share_bps": 500,
    }  # fmt: skip


pays: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.builds(lambda bps: {"percent_bps": bps}, st.integers(0, 10_000)),
    st.builds(
        lambda amount, currency: {"flat": {"amount": amount, "currency": currency}},
        st.integers(0, MAX_AMOUNT),
        st.sampled_from(sorted(EXPONENTS)),
    ),
).flatmap(
    lambda pay: st.one_of(
        st.just(pay), st.integers(1, 1_200).map(lambda months: {**pay, "months": months})
    )
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
        "new": st.booleans(),
    },
)
rule_ids = st.from_regex(r"[a-z0-9][a-z0-9_.-]{0,63}", fullmatch=True)
rules: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"id": rule_ids, "pay": pays},
    optional={
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
        "combine": st.just("first_match"),
        "rules": st.lists(rules, max_size=4, unique_by=lambda rule: str(rule["id"])),
    },
    optional={
        "late_days": st.integers(0, 365),
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


@given(documents)
def test_the_normal_form_reads_back_as_the_same_plan(document: dict[str, object]) -> None:
    plan = parse(document)
    assert parse(canonical(plan)) == plan
    assert canonical(parse(canonical(plan))) == canonical(plan)
    assert hash(parse(document)) == hash(plan)


@given(json_values)
def test_anything_else_is_refused_and_never_breaks(document: Any) -> None:
    assert all(problem.problem and problem.remedy for problem in problems(document))


@given(documents, st.data())
def test_one_value_replaced_by_anything_is_refused_or_read(
    document: dict[str, Any], data: st.DataObject
) -> None:
    node: Any = deepcopy(document)
    root = node
    while True:
        keys = sorted(node) if isinstance(node, dict) else list(range(len(node)))
        key = data.draw(st.sampled_from(keys))
        if isinstance(node[key], dict | list) and node[key] and data.draw(st.booleans()):
            node = node[key]
            continue
        node[key] = data.draw(json_values)
        break
    try:
        plan = parse(root)
    except PlanError:
        return
    assert parse(canonical(plan)) == plan


@pytest.mark.parametrize("field", ["hold_days", "attribution", "combine", "rules"])
def test_a_missing_field_is_named(field: str) -> None:
    document = plan_of(rule())
    del document[field]
    assert only_problem(document) == PlanProblem(field, "is missing", "Add it.")


def test_all_problems_are_found_at_once() -> None:
    document = plan_of(
        rule(id="Base", when="sale.foo > 1", pay={"percent_bps": 1.5, "months": 0}),
        rule(id="second", match={"countries": ["UK", "DE", "de"]}),
        hold_days=-1,
        extra=1,
    )
    assert {problem.place for problem in problems(document)} == {
        "extra",
        "hold_days",
        "rules/0/id",
        "rules/0/when",
        "rules/0/pay/percent_bps",
        "rules/0/pay/months",
        "rules/1/match/countries/0",
        "rules/1/match/countries/2",
    }


def test_plans_are_compared_by_what_their_authors_wrote() -> None:
    plan = parse(plan_of(rule(when="sale.new")))
    assert plan == parse(plan_of(rule(when="sale.new")))
    assert plan != parse(plan_of(rule(when="sale.new ")))
    other: Plan = replace(plan, hold_days=31)
    assert plan != other
