"""A plan document from outside: in its normal form, or refused with all that is wrong in it."""

from collections.abc import Mapping
from typing import Any

from app.core import plans
from app.errors import FieldError, PlanInvalid

PlanDocument = dict[str, Any]


def checked(document: Mapping[str, Any], *, is_agreement: bool = False) -> dict[str, object]:
    """The document in its normal form; PlanInvalid with every problem, below `body/plan`.

    is_agreement: it is one partner's own terms.
    """
    try:
        if is_agreement:
            return plans.canonical_agreement(plans.parse_agreement(document))
        return plans.canonical(plans.parse(document))
    except plans.PlanError as error:
        found = [
            FieldError("/".join(filter(None, ("body/plan", p.place))), p.problem, p.remedy)
            for p in error.problems
        ]
        raise PlanInvalid(f"{found[0].place}: {found[0].problem}", errors=found) from error
