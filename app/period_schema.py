"""The JSON Schema of what looks at a partner's calendar period: bands and thresholds."""

from typing import Any, Final

from app.core import bands
from app.core.money import BPS
from app.core.periods import PERIODS

Schema = dict[str, Any]

PERIOD: Final[Schema] = {"enum": list(PERIODS), "description": "A calendar period in UTC."}
_ENDING: Final[Schema] = {"enum": [period for period in PERIODS if period != "life"]}
_PERCENT: Final[Schema] = {
    "items": {"properties": {"flat": False}},
    "prefixItems": [
        {
            "properties": {
                "from": {
                    "anyOf": [
                        {"const": 1},
                        {"type": "object", "properties": {"amount": {"const": 0}}},
                    ]
                },
                "percent_bps": {"minimum": 1},
                "flat": False,
            }
        }
    ],
}

_IS_WHOLE: Final[Schema] = {
    "properties": {
        "bands": {"properties": {"mode": {"const": "whole"}}, "required": ["mode"]},
    },
    "required": ["bands"],
}
PAYS_PARTNER: Final[Schema] = {
    "if": _IS_WHOLE,
    "then": {"properties": {"to": {"const": "partner"}, "as": {"const": "cash"}}},
}
"""Of `pay`: what is settled is the partner's cash."""
UNCAPPED: Final[Schema] = {
    "if": {"properties": {"pay": _IS_WHOLE}, "required": ["pay"]},
    "then": {"properties": {"cap": False}},
}
"""Of a rule."""


def reaches(money: Schema) -> Schema:
    """Of `match`. money: of an amount with its currency."""
    return {
        "type": "object",
        "properties": {
            "revenue": {**money, "allOf": [{"properties": {"amount": {"minimum": 1}}}]},
            "sales": {"type": "integer", "minimum": 1, "maximum": bands.MAX_SALES},
            "leads": {"type": "integer", "minimum": 1, "maximum": bands.MAX_SALES},
            "period": PERIOD,
        },
        "required": ["period"],
        "additionalProperties": False,
        "oneOf": [{"required": [name]} for name in ("revenue", "sales", "leads")],
        "description": "The sale by which all sales of the credited partner come to it in the"
        " period, or the lead by which its leads do; once a period.",
    }


def bands_of(money: Schema) -> Schema:
    """Of `pay`. money: of an amount with its currency."""
    return {
        "type": "object",
        "properties": {
            "by": {"enum": list(bands.BYS), "description": "The partner's, in the period."},
            "period": PERIOD,
            "mode": {
                "enum": list(bands.MODES),
                "description": "graduated: each sale by where the period stood before it, cut at"
                " the borders. whole: each by the lowest rate at once; after the period's end one"
                " true-up pays the rest, so that all its sales have the rate that it reached.",
            },
            "steps": {"type": "array", "minItems": 1, "maxItems": bands.MAX_STEPS},
        },
        "required": ["by", "period", "mode", "steps"],
        "additionalProperties": False,
        "oneOf": [
            {"properties": {"by": {"const": by}, "steps": {"items": _step(start, name, rate)}}}
            for by, start in (
                ("revenue", {**money, "description": "The revenue that it begins with."}),
                ("sales", {"type": "integer", "minimum": 1, "maximum": bands.MAX_SALES}),
            )
            for name, rate in (
                ("percent_bps", {"type": "integer", "minimum": 0, "maximum": BPS}),
                ("flat", {**money, "description": "For each sale."}),
            )
        ],
        "if": {"properties": {"mode": {"const": "whole"}}, "required": ["mode"]},
        "then": {"properties": {"period": _ENDING, "steps": _PERCENT}},
        "description": "Rates by what the partner's sales come to in a period. Steps rise; below"
        " the first nothing is paid.",
    }


def _step(start: Schema, name: str, rate: Schema) -> Schema:
    return {
        "type": "object",
        "properties": {"from": start, name: rate},
        "required": ["from", name],
        "additionalProperties": False,
    }
