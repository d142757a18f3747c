"""A plan document from outside: in its normal form, or refused with all that is wrong in it."""

from collections.abc import Mapping
from typing import Any

from app.core import plans
from app.errors import FieldError, PlanInvalid

PlanDocument = dict[str, Any]


def checked(document: Mapping[str, Any]) -> dict[str, object]:
    """`core.plans.canonical` of the document; PlanInvalid with every problem, below `body/plan`."""
    try:
        return plans.canonical(plans.parse(document))
    except plans.PlanError as error:
        found = [
            FieldError("/".join(filter(None, ("body/plan", p.place))), p.problem, p.remedy)
            for p in error.problems
        ]
        raise PlanInvalid(f"{found[0].place}: {found[0].problem}", errors=found) from error
