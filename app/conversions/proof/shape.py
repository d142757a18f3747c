"""What of a decision's stored facts is not as decisions write it, before anything is made of them.

Rows may be tampered with: facts that are no object, lack a part, or hold another type in its place
are named, and the rest is verified as ever.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from app.conversions.proof.finding import Finding

Rows = Sequence[Mapping[str, Any]]
_Check = Callable[[object], bool]
_KEY_PARTS: Final = 5
_UINT64: Final = 2**64


def unreadable(row: Mapping[str, Any]) -> str | None:
    """The first thing that is wrong with the facts of a row of decisions; None: nothing is."""
    facts = row["facts"]
    if not isinstance(facts, dict):
        return f"they are {_type_of(facts)}, not an object"
    needed = _OF_A_PERIOD if row["customer_id"] is None else _OF_A_CUSTOMER
    for name, (what, check) in {**needed, **_OPTIONAL}.items():
        if name not in facts:
            if name in needed:
                return f"{name} is missing"
        elif not check(facts[name]):
            return f"{name} is not {what}"
    return None


def readable(rows: Rows) -> Rows:
    """Those decisions whose facts have their shape; the others are told with the chain."""
    return [row for row in rows if unreadable(row) is None]


def told(row: Mapping[str, Any]) -> list[Finding]:
    """The finding on a decision's facts, if there is one."""
    problem = unreadable(row)
    place = f"decision {row['decision_no']}"
    return [Finding(place, f"its facts can't be read: {problem}")] if problem else []


def _is_instant(value: object) -> bool:
    try:
        return isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


def _is_id(value: object) -> bool:
    try:
        return isinstance(value, str) and bool(UUID(value))
    except ValueError:
        return False


def _is_number(value: object) -> bool:
    return type(value) is int and -_UINT64 < value < _UINT64


def _all_of(check: _Check) -> _Check:
    return lambda value: isinstance(value, list) and all(map(check, value))


def _is_object(value: object) -> bool:
    return isinstance(value, dict)


def _is_move(value: object) -> bool:
    """A total's key, and what it was before and after."""
    return (
        isinstance(value, list)
        and len(value) == _KEY_PARTS + 2
        and all(map(_is_id, value[:2]))
        and all(isinstance(text, str) for text in value[2:_KEY_PARTS])
        and all(map(_is_number, value[_KEY_PARTS:]))
    )


def _is_period(value: object) -> bool:
    """As `true_up_canon.facts_json` names a settled one."""
    return isinstance(value, dict) and all(
        check(value.get(name))
        for names, check in (
            (("program_id", "partner_id", "terms", "closing"), _is_id),
            (("rule", "within", "currency"), lambda text: isinstance(text, str)),
        )
        for name in names
    )


def _is_world(value: object) -> bool:
    return isinstance(value, dict) and all(
        isinstance(value.get(name), kind)
        for name, kind in (("links", dict), ("programs", dict), ("enrollments", list))
    )


def _type_of(value: object) -> str:
    if value is None:
        return "null"
    named = {list: "a list", str: "a text", bool: "true or false"}
    return named.get(type(value), "a number")


_ALWAYS: Final[dict[str, tuple[str, _Check]]] = {
    "as_of": ("an instant", _is_instant),
    "now": ("an instant", _is_instant),
    "engine": ("a number", _is_number),
}
_OF_A_CUSTOMER: Final = {
    **_ALWAYS,
    "absorbed": ("a list of ids", _all_of(_is_id)),
    "events": ("a list of objects", _all_of(_is_object)),
    "world": ("a world", _is_world),
}
_OF_A_PERIOD: Final = {**_ALWAYS, "true_up": ("a period", _is_period)}
_OPTIONAL: Final = {"tallies": ("a list of totals", _all_of(_is_move))}
