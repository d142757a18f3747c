"""The plan language as a JSON Schema: what `core.plans.parse` takes, for editors and other tools.

It says all but five things: that rule ids differ, that a condition compiles, that country and
currency codes exist, that weights sum, and that bands rise in one currency.
docs/plan.schema.json is what this module prints.
"""

import sys
from typing import Any, Final

import orjson

from app import period_schema, reward_schema
from app.core import attribution_terms as terms
from app.core import binding_terms, gates, matches, pays, plans
from app.core.conditions import MAX_CHARACTERS
from app.core.money import BPS
from app.core.periods import PERIODS
from app.schema_shapes import Schema, integer, listed, money, record

_TIER: Final[Schema] = {"type": "string", "pattern": "^[a-z0-9_-]{1,64}$"}
_KIND: Final[Schema] = {"enum": list(matches.KINDS)}
_MATCH: Final[Schema] = record(
    [],
    {
        "kind": {
            "anyOf": [_KIND, listed(_KIND, "Any of them.")],
            "description": "One or several; sale and renewal if absent.",
        },
        "product_ids": listed(
            {
                "type": "string",
                "minLength": 1,
                "maxLength": matches.MAX_PRODUCT_ID,
                "pattern": "^[^\\u0000]*$",
            },
            "At least one of them was sold; a rule per line or unit pays for these only.",
        ),
        "countries": listed(
            {"type": "string", "pattern": "^[A-Z]{2}$"}, "The customer's, ISO 3166-1, upper case."
        ),
        "tiers": listed(
            _TIER, "Any of them: the credited partner's in the program.", gates.MAX_TIERS
        ),
        "new": {"type": "boolean", "description": "The customer's first paid sale, or a later one"},
        "nth": integer(1, matches.MAX_NTH, "Which of the customer's paid sales; 1 is the first."),
        "min_amount": money("The least base of a sale."),
        "reaches": period_schema.reaches(money("")),
    },
    description="What a sale must be like; what is absent matches all.",
)
_PAY: Final[Schema] = record(
    [],
    {
        **reward_schema.properties(money("")),
        "per": {
            "enum": list(pays.PERS),
            "description": "Of what it is paid: the sale, or those of its lines or units (seats)"
            " that are of the rule's products. sale if absent.",
        },
        "percent_bps": integer(0, BPS, "Share of the base in 1/10,000."),
        "flat": money("For each sale, line or unit."),
        "bands": period_schema.bands_of(money("")),
        "months": integer(
            1,
            pays.MAX_MONTHS,
            "For how many calendar months since the first paid sale; absent: always",
        ),
        "payments": integer(
            1,
            pays.MAX_PAYMENTS,
            "For how many payments of a subscription, else of the customer; absent: all",
        ),
    },
    description="One of percent_bps, flat and bands; of what is no money, a quantity.",
    allOf=[*reward_schema.CONDITIONS, period_schema.PAYS_PARTNER],
    anyOf=[
        {"properties": {"per": {"enum": ["sale", "line"]}, "bands": False}},
        {"properties": {"per": {"const": "sale"}}},
        {"required": ["flat"]},
        {"required": ["quantity"]},
    ],
)
_CAP: Final[Schema] = record(
    ["per"],
    {
        "per": {"enum": ["sale", "customer", "partner"]},
        "amount": money("The most that the rule pays."),
        "count": integer(1, pays.MAX_COUNT, "Per customer or partner: how many times it pays."),
        "percent_of_bill_bps": integer(
            0, BPS, "Per sale: of what the customer paid, tax included, in 1/10,000."
        ),
        "period": {
            "enum": list(PERIODS),
            "description": "Per customer or partner: the calendar period in UTC; life if absent.",
        },
    },
    description="The most that a rule pays.",
    oneOf=[
        {
            "properties": {"per": {"const": "sale"}, "count": False, "period": False},
            "anyOf": [{"required": ["amount"]}, {"required": ["percent_of_bill_bps"]}],
        },
        {
            "properties": {
                "per": {"enum": ["customer", "partner"]},
                "percent_of_bill_bps": False,
            },
            "anyOf": [{"required": ["amount"]}, {"required": ["count"]}],
        },
    ],
)
_RULE: Final[Schema] = record(
    ["id", "pay"],
    {
        "id": {"type": "string", "pattern": "^[a-z0-9][a-z0-9_.-]{0,63}$"},
        "match": _MATCH,
        "when": {
            "type": "string",
            "minLength": 1,
            "maxLength": MAX_CHARACTERS,
            "pattern": "^[^\\u0000]*$",
            "description": "A CEL expression over the facts.",
        },
        "pay": _PAY,
        "cap": _CAP,
        "adds": {
            "type": "boolean",
            "description": "Whether it pays on top of what the other rules come to.",
        },
    },
    allOf=[*reward_schema.RULE_CONDITIONS, period_schema.UNCAPPED],
)
_WINDOW: Final = integer(0, terms.MAX_WINDOW_DAYS)
_WEIGHT: Final = integer(0, BPS)
_ATTRIBUTION: Final[Schema] = record(
    ["model", "window_days"],
    {
        "model": {"enum": list(terms.MODELS)},
        "window_days": {
            **_WINDOW,
            "description": "How old a touch may be. A registered lead has its lock instead.",
        },
        "windows": record(
            [],
            dict.fromkeys(terms.KINDS, _WINDOW),
            description="Windows in days of those kinds of touches that have their own.",
        ),
        "weights_bps": record(
            ["first", "middle", "last"],
            dict.fromkeys(("first", "middle", "last"), _WEIGHT),
            description="Of position_based: of the first touch, of all between, of the last;"
            " they sum to 10,000. 40, 20 and 40 % if absent.",
        ),
        "half_life_days": integer(
            1,
            terms.MAX_HALF_LIFE_DAYS,
            "Of time_decay, which needs it: in which a touch loses half its weight.",
        ),
        "min_share_bps": integer(
            0, BPS, "A partner with a smaller share gets none; the others share it."
        ),
    },
    description="Whose touches count, and how they share.",
    oneOf=[
        {"properties": {"model": {"const": "position_based"}, "half_life_days": False}},
        {
            "properties": {"model": {"const": "time_decay"}, "weights_bps": False},
            "required": ["half_life_days"],
        },
        {
            "properties": {
                "model": {"const": "linear"},
                "weights_bps": False,
                "half_life_days": False,
            }
        },
        {
            "properties": {
                "model": {"enum": ["last_click", "first_click"]},
                "weights_bps": False,
                "half_life_days": False,
                "min_share_bps": False,
            }
        },
    ],
)
_BINDING: Final[Schema] = record(
    [],
    {
        "months": integer(
            1, binding_terms.MAX_BINDING_MONTHS, "For so many calendar months; absent: for life."
        ),
        "ends": {
            "type": "array",
            "minItems": 1,
            "maxItems": len(binding_terms.ENDS),
            "items": {"enum": list(binding_terms.ENDS)},
            "description": "suspended: it ends when a partner leaves or is suspended.",
        },
    },
    description="For how long a customer belongs to whom it was credited; for life if absent.",
)
_GATES: Final[Schema] = record(
    [],
    {
        "certified": {"const": True, "description": "With a certificate that has not run out."},
        "tiers": listed(_TIER, "With any of these tiers.", gates.MAX_TIERS),
        "agreement": {"const": True, "description": "Who has accepted an agreement."},
    },
    description="Who earns by this plan: partners who pass all of these.",
)
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
SCHEMA: Final[Schema] = record(
    ["hold_days", "attribution", "combine", "rules"],
    {
        "hold_days": integer(0, plans.MAX_HOLD_DAYS, "How long a commission stays pending."),
        "late_days": integer(
            0, plans.MAX_LATE_DAYS, "How long late news may still change it; 1 if absent."
        ),
        "attribution": _ATTRIBUTION,
        "binding": _BINDING,
        "gates": _GATES,
        "combine": {
            "enum": ["first_match", "best", "sum"],
            "description": "Of the rules that match, the first pays, or the one that pays most, or"
            " all.",
        },
        "rules": {"type": "array", "maxItems": plans.MAX_RULES, "items": _RULE},
    },
    allOf=[reward_schema.BEST],
    title="Plan",
    description="A program's terms: its rules are tried in listed order.",
    examples=[SAMPLE],
)
OWN_TERMS: Final[Schema] = record(
    ["combine", "rules"],
    {name: SCHEMA["properties"][name] for name in ("gates", "combine", "rules")},
    title="OwnTerms",
    description="One partner's own terms in a program: what is paid. All else is the program's.",
)


def published() -> bytes:
    """The schema as `docs/plan.schema.json` holds it."""
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", **SCHEMA}
    return orjson.dumps(head, option=orjson.OPT_INDENT_2) + b"\n"


if __name__ == "__main__":
    sys.stdout.buffer.write(published())
