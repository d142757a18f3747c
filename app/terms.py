"""A plan document from outside: in its normal form, or refused with all that is wrong in it."""

from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import Field

from app.core import plans
from app.errors import FieldError, PlanInvalid

SAMPLE: Final[dict[str, Any]] = {
    "hold_days": 30,
    "late_days": 1,
    "attribution": {"model": "last_click", "window_days": 60},
    "combine": "first_match",
    "rules": [
        {
            "id": "yearly",
            "match": {"product_ids": ["pro-yearly"]},
            "pay": {"to": "partner", "flat": {"amount": 5000, "currency": "usd"}},
        },
        {"id": "standard", "pay": {"to": "partner", "percent_bps": 2000, "months": 12}},
    ],
}

PlanDocument = Annotated[
    dict[str, Any],
    Field(
        description="hold_days, late_days, attribution, combine and the rules in their order",
        examples=[SAMPLE],
    ),
]


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
