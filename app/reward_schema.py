"""The JSON Schema of what a rule gives to others, or in something else than cash."""

from typing import Any, Final

from app.core import rewards
from app.core.units import FORMS, PIECES

Schema = dict[str, Any]

_ITEM: Final = "^[a-z0-9][a-z0-9_.-]{0,63}$"


def _is(field: str, *words: str) -> Schema:
    """That a field is there and is one of some words."""
    return {"properties": {field: {"enum": list(words)}}, "required": [field]}


def _only(*fields: str) -> Schema:
    """That some fields are not there."""
    return {"properties": dict.fromkeys(fields, False)}


_IS_PIECES: Final = _is("as", *(form for form in FORMS if form in PIECES))


def properties(money: Schema) -> Schema:
    """Of `pay`. money: of an amount with its currency."""
    return {
        "to": {
            "enum": list(rewards.RECIPIENTS),
            "description": "Whom it pays; the credited partner if absent. company: the partner that"
            " the credited one belongs to.",
        },
        "level": {
            "type": "integer",
            "minimum": 1,
            "maximum": rewards.MAX_LEVEL,
            "description": "Of a recruiter: 1 recruited the credited partner, 2 recruited that one;"
            " 1 if absent.",
        },
        "as": {"enum": list(FORMS), "description": "In what it pays; cash if absent."},
        "item": {
            "type": "string",
            "pattern": _ITEM,
            "description": "Your own id of the gift or feature.",
        },
        "quantity": {
            "type": "integer",
            "minimum": 1,
            "maximum": rewards.MAX_QUANTITY,
            "description": "How many months, gifts or features.",
        },
        "cost": {**money, "description": "What one of them costs you; unknown if absent."},
        "of": {
            "enum": list(rewards.OFS),
            "description": "Of what a percentage is: the sale, or what the partner's own rules"
            " pay in cash for it. sale if absent.",
        },
    }


MEASURES: Final = ("percent_bps", "flat", "bands")
CONDITIONS: Final[list[Schema]] = [
    {"if": _is("to", "recruiter"), "else": _only("level")},
    {
        "if": _IS_PIECES,
        "then": {"required": ["quantity"], **_only(*MEASURES)},
        "else": {
            "oneOf": [{"required": [measure]} for measure in MEASURES],
            **_only("item", "quantity", "cost"),
        },
    },
    {"if": _is("as", "gift", "feature"), "then": {"required": ["item"]}},
    {"if": _is("as", "free_months"), "then": _only("item")},
    {
        "if": _is("of", "commission"),
        "then": {
            "required": ["to", "percent_bps"],
            "properties": {"to": {"enum": sorted(rewards.SHARERS)}, "per": {"const": "sale"}},
        },
    },
]
"""Of `pay`."""
RULE_CONDITIONS: Final[list[Schema]] = [
    {
        "if": {"properties": {"pay": _is("of", "commission")}},
        "then": _only("cap"),
    },
    {
        "if": {"properties": {"pay": _IS_PIECES}},
        "then": {"properties": {"cap": _only("amount", "percent_of_bill_bps")}},
    },
    {
        "if": {"properties": {"pay": _is("to", "customer")}},
        "then": {
            "properties": {
                "cap": {"properties": {"per": {"not": {"const": "partner"}}}},
                "match": _only("reaches"),
            }
        },
    },
]
BEST: Final[Schema] = {
    "if": _is("combine", "best"),
    "then": {
        "properties": {
            "rules": {
                "items": {
                    "anyOf": [
                        {"properties": {"adds": {"const": True}}, "required": ["adds"]},
                        {"properties": {"pay": {"properties": {"as": {"const": "cash"}}}}},
                    ]
                }
            }
        }
    },
}
"""Of the plan: only money is compared."""
