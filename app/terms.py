"""A plan document from outside: in its normal form, or refused with all that is wrong in it."""

from collections.abc import Mapping
from typing import Any, Final

from app.core import plans
from app.core.attribution_terms import KINDS, MODELS
from app.core.binding_terms import ENDS
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

_MATCH: Final[dict[str, Any]] = {
    "type": "object",
    "description": "What a sale must be like; what is absent matches all.",
    "properties": {
        "kind": {
            "description": "One or several; sale and renewal if absent.",
            "type": "array",
            "items": {"enum": ["lead", "sale", "renewal"]},
        },
        "product_ids": {"type": "array", "items": {"type": "string"}},
        "countries": {
            "description": "The customer's, ISO 3166-1, upper case.",
            "type": "array",
            "items": {"type": "string", "pattern": "^[A-Z]{2}$"},
        },
        "new": {"type": "boolean", "description": "The customer's first paid sale, or a later one"},
    },
}
_PAY: Final[dict[str, Any]] = {
    "type": "object",
    "description": "Either percent_bps or flat.",
    "properties": {
        "to": {"const": "partner"},
        "as": {"const": "cash"},
        "of": {"const": "sale"},
        "per": {"const": "sale"},
        "percent_bps": {"type": "integer", "minimum": 0, "maximum": 10_000},
        "flat": {
            "type": "object",
            "required": ["amount", "currency"],
            "properties": {"amount": {"type": "integer"}, "currency": {"type": "string"}},
        },
        "months": {
            "type": "integer",
            "minimum": 1,
            "description": "For how many calendar months since the first paid sale; absent: always",
        },
    },
}
_BPS: Final[dict[str, Any]] = {"type": "integer", "minimum": 0, "maximum": 10_000}
_ATTRIBUTION: Final[dict[str, Any]] = {
    "type": "object",
    "description": "Whose touches count, and how they share.",
    "required": ["model", "window_days"],
    "properties": {
        "model": {"enum": list(MODELS)},
        "window_days": {
            "type": "integer",
            "minimum": 0,
            "description": "How old a touch may be. A registered lead has its lock instead.",
        },
        "windows": {
            "type": "object",
            "description": "Windows in days of those kinds of touches that have their own.",
            "properties": {kind: {"type": "integer", "minimum": 0} for kind in KINDS},
        },
        "weights_bps": {
            "type": "object",
            "description": "Of position_based: of the first touch, of all between, of the last;"
            " they sum to 10,000. 40, 20 and 40 % if absent.",
            "required": ["first", "middle", "last"],
            "properties": {"first": _BPS, "middle": _BPS, "last": _BPS},
        },
        "half_life_days": {
            "type": "integer",
            "minimum": 1,
            "description": "Of time_decay, which needs it: in which a touch loses half its weight.",
        },
        "min_share_bps": {
            **_BPS,
            "description": "A partner with a smaller share gets none; the others share it.",
        },
    },
}
_BINDING: Final[dict[str, Any]] = {
    "type": "object",
    "description": "For how long a customer belongs to whom it was credited; absent: for life.",
    "properties": {
        "months": {
            "type": "integer",
            "minimum": 1,
            "description": "Calendar months from the conversion that bound the customer.",
        },
        "ends": {
            "type": "array",
            "description": "What ends it before: its partners left or were suspended.",
            "items": {"enum": list(ENDS)},
        },
    },
}
SCHEMA: Final[dict[str, Any]] = {
    "title": "Plan",
    "type": "object",
    "description": "A program's terms. The first rule that matches a sale pays.",
    "required": ["hold_days", "attribution", "combine", "rules"],
    "properties": {
        "hold_days": {
            "type": "integer",
            "minimum": 0,
            "description": "How long a commission stays pending.",
        },
        "late_days": {
            "type": "integer",
            "minimum": 0,
            "description": "How long late news may still change it; 1 if absent.",
        },
        "attribution": _ATTRIBUTION,
        "binding": _BINDING,
        "combine": {"const": "first_match"},
        "rules": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["id", "pay"],
                "properties": {
                    "id": {"type": "string"},
                    "match": _MATCH,
                    "when": {"type": "string", "description": "A CEL expression over the facts."},
                    "pay": _PAY,
                },
            },
        },
    },
    "examples": [SAMPLE],
}
"""What `core.plans.parse` takes, as OpenAPI tells it; a test holds one against the other."""

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
