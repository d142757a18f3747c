"""What the documentation says of a plan is what the core takes."""

from typing import Any

import pytest

from app import plan_schema, terms
from app.core import plans
from app.errors import PlanInvalid

EUR = {"amount": 1, "currency": "eur"}
REACHED = {"revenue": EUR, "sales": 2, "leads": 2}
STEPS = (("revenue", EUR, {"percent_bps": 1}), ("sales", 1, {"flat": EUR}))
WHOLE: dict[str, Any] = {
    **plan_schema.SAMPLE,
    "binding": {"months": 12, "ends": ["suspended"]},
    "gates": {"certified": True, "tiers": ["gold"], "agreement": True},
    "attribution": {
        "model": "position_based", "window_days": 1, "min_share_bps": 500,
        "windows": {"click": 1, "code": 2, "deal": 3, "referrer": 4, "self_reported": 5},
        "weights_bps": {"first": 3_000, "middle": 3_000, "last": 4_000},
    },
    "rules": [
        {
            "id": "everything",
            "match": {
                "kind": ["sale"], "product_ids": ["p"], "countries": ["DE"], "new": True,
                "tiers": ["gold"],
                "nth": 1, "min_amount": {"amount": 1, "currency": "eur"},
            },
            "when": "sale.amount > 0",
            "pay": {
                "to": "partner", "as": "cash", "of": "sale", "per": "sale", "percent_bps": 1,
                "months": 3, "payments": 3,
            },
            "cap": {"per": "sale", "amount": {"amount": 1, "currency": "eur"},
                "percent_of_bill_bps": 1,
            },
            "adds": True,
        },
        {
            "id": "seats", "pay": {"per": "unit", "flat": {"amount": 1, "currency": "eur"}},
            "cap": {"per": "customer", "count": 1, "period": "year"},
        },
        {"id": "above", "pay": {"to": "recruiter", "level": 2, "percent_bps": 1}},
        {
            "id": "mug", "adds": True,
            "pay": {"to": "customer", "as": "gift", "item": "mug", "quantity": 1, "cost": EUR},
        },
        *({"id": f"at-{of}", "match": {"reaches": {of: least, "period": "year"}},
            "pay": {"flat": EUR}} for of, least in REACHED.items()),
        *({"id": f"by-{by}", "pay": {"bands": {"by": by, "period": "month", "mode": "graduated",
            "steps": [{"from": start, **much}]}}} for by, start, much in STEPS),
        *plan_schema.SAMPLE["rules"],
    ],
}  # fmt: skip


def test_the_documented_sample_is_a_plan() -> None:
    assert plans.canonical(plans.parse(plan_schema.SAMPLE)) == terms.checked(plan_schema.SAMPLE)


def test_the_schema_names_what_the_core_writes_and_nothing_else() -> None:
    written = terms.checked(WHOLE)
    decaying = {"model": "time_decay", "window_days": 1, "half_life_days": 7}
    written_too = terms.checked({**WHOLE, "attribution": decaying})
    assert names(written) | names(written_too) == described(plan_schema.SCHEMA)


@pytest.mark.parametrize("field", ["hold_days", "attribution", "combine", "rules"])
def test_what_the_schema_requires_the_core_requires(field: str) -> None:
    without = {name: value for name, value in WHOLE.items() if name != field}
    with pytest.raises(PlanInvalid) as caught:
        terms.checked(without)
    assert [error.place for error in caught.value.errors] == [f"body/plan/{field}"]
    assert field in plan_schema.SCHEMA["required"]


def names(document: Any, place: str = "") -> set[str]:
    """Every field of a document by its place, elements of a list all alike."""
    if isinstance(document, list):
        return {name for element in document for name in names(element, place)}
    if not isinstance(document, dict):
        return set()
    return {f"{place}/{name}" for name in document} | {
        below for name, child in document.items() for below in names(child, f"{place}/{name}")
    }


def described(schema: Any, place: str = "") -> set[str]:
    """Every property of a schema by its place."""
    if not isinstance(schema, dict):
        return set()
    if "items" in schema:
        return described(schema["items"], place)
    found = {name for form in schema.get("oneOf", ()) for name in described(form, place)}
    for name, child in schema.get("properties", {}).items():
        found |= {f"{place}/{name}"} | described(child, f"{place}/{name}")
    return found
