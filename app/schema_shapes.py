"""The shapes that the plan's JSON Schema is made of."""

from typing import Any

from app.core import matches
from app.core.money import MAX_AMOUNT

Schema = dict[str, Any]


def integer(low: int, high: int, description: str = "") -> Schema:
    told = {"description": description} if description else {}
    return {"type": "integer", "minimum": low, "maximum": high, **told}


def record(required: list[str], properties: Schema, **rest: Any) -> Schema:
    needed = {"required": required} if required else {}
    return {
        "type": "object",
        **needed,
        "properties": properties,
        "additionalProperties": False,
        **rest,
    }


def money(description: str) -> Schema:
    return record(
        ["amount", "currency"],
        {
            "amount": integer(0, MAX_AMOUNT, "Minor units."),
            "currency": {"type": "string", "pattern": "^[a-z]{3}$"},
        },
        description=description,
    )


def listed(elements: Schema, description: str, most: int = matches.MAX_LISTED) -> Schema:
    return {
        "type": "array",
        "minItems": 1,
        "maxItems": most,
        "uniqueItems": True,
        "items": elements,
        "description": description,
    }
