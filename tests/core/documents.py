"""Plan documents for the tests of the plan language."""

from collections.abc import Mapping
from typing import Any

import pytest

from app.core.plans import PlanError, PlanProblem, parse


def plan_of(*rules: Mapping[str, object], **changes: object) -> dict[str, Any]:
    return {
        "hold_days": 30,
        "attribution": {"model": "last_click", "window_days": 60},
        "combine": "first_match",
        "rules": list(rules),
        **changes,
    }


def rule(**changes: object) -> dict[str, Any]:
    return {"id": "base", "pay": {"percent_bps": 2_000}, **changes}


def paying(cap: dict[str, Any] | None = None, **pay: Any) -> dict[str, Any]:
    return plan_of(rule(pay=pay, **({"cap": cap} if cap else {})))


def problems(document: Any) -> tuple[PlanProblem, ...]:
    with pytest.raises(PlanError) as refused:
        parse(document)
    return refused.value.problems


def only_problem(document: Any) -> PlanProblem:
    (problem,) = problems(document)
    assert problem.remedy
    return problem
