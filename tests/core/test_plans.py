"""The plan language: what is read, what is refused and where."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

from app.core.attribution_terms import AttributionTerms
from app.core.pays import Pay
from app.core.plans import Flat, Match, Percent, Plan, PlanError, PlanProblem, canonical, parse
from tests.core.documents import only_problem, plan_of, problems, rule
from tests.core.made_documents import documents, json_values, mutated


def test_a_small_plan_reads_with_its_defaults() -> None:
    plan = parse(plan_of(rule()))
    assert (plan.hold_days, plan.late_days) == (30, 1)
    assert plan.attribution == AttributionTerms("last_click", 60)
    (only,) = plan.rules
    assert (only.id, only.match, only.when) == ("base", Match(("sale", "renewal")), None)
    assert (only.pay, only.cap, only.adds) == (Pay(Percent(2_000)), None, False)


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
    assert only.pay == Pay(Flat(500, "eur"), months=12)


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


@given(documents)
def test_the_normal_form_reads_back_as_the_same_plan(document: dict[str, object]) -> None:
    plan = parse(document)
    assert parse(canonical(plan)) == plan
    assert canonical(parse(canonical(plan))) == canonical(plan)
    assert hash(parse(document)) == hash(plan)


@given(json_values)
def test_anything_else_is_refused_and_never_breaks(document: Any) -> None:
    assert all(problem.problem and problem.remedy for problem in problems(document))


@given(mutated())
def test_one_value_replaced_by_anything_is_refused_or_read(document: dict[str, Any]) -> None:
    try:
        plan = parse(document)
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
