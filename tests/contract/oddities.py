"""Payloads spoiled in every way, for readers that may never raise, and what any answer must keep.

`places` lists the paths in a payload, `changed` puts something else at one of them.
"""

import copy
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any

from hypothesis import strategies as st

from app.conversions.providers.mapping import Ignored, Mapped, Meaning, Senseless, fingerprint
from app.core.events import Dispute, Payment, Refund, RefundTotal
from app.core.money import MAX_AMOUNT

Json = dict[str, Any]

MISSING = object()
ODD: tuple[object, ...] = (
    None,
    True,
    -1,
    1.0,
    1e3,
    2**53 + 0.0,
    MAX_AMOUNT + 1,
    "12",
    "-12",
    "1e3",
    str(MAX_AMOUNT + 1),
    "2999-01-01T00:00:00Z",
    "",
    "\0",
    "é" * 600,
    [],
    {},
    [1],
)
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


def places(value: object) -> Iterator[tuple[str | int, ...]]:
    """The path of everything inside a payload."""
    inner: Any = ()
    if isinstance(value, dict):
        inner = value.items()
    elif isinstance(value, list):
        inner = enumerate(value)
    for step, below in inner:
        yield (step,)
        yield from ((step, *path) for path in places(below))


def changed(payload: Json, path: tuple[str | int, ...], value: object) -> Json:
    """The payload with something else, or nothing (MISSING), at one place."""
    result: Any = copy.deepcopy(payload)
    holder = result
    for step in path[:-1]:
        holder = holder[step]
    if value is MISSING:
        del holder[path[-1]]
    else:
        holder[path[-1]] = value
    return dict(result)


def place_path(place: str) -> tuple[str | int, ...]:
    """`data.items.0` as the path to it."""
    return tuple(int(step) if step.isdigit() else step for step in place.split("."))


def place_named(place: str) -> str:
    """A place as readers name it (`data.items[0]`), written as `place_path` takes it."""
    return place.replace("[", ".").replace("]", "")


def sound(meaning: Meaning, now: datetime) -> bool:
    """Whether an answer may be stored: amounts in bounds, lines that sum, no NUL, no far future.

    Of click ids only what they sign is stored, so they may be anything.
    """
    assert fingerprint(meaning)
    if not isinstance(meaning, Mapped):
        return isinstance(meaning, Ignored | Senseless) and "\\x00" not in repr(meaning)
    body = meaning.body
    if isinstance(body, Payment):
        assert 0 < body.gross <= MAX_AMOUNT
        assert 0 <= body.base <= MAX_AMOUNT
        assert not body.lines or sum(line.amount for line in body.lines) == body.base
    if isinstance(body, Refund | RefundTotal | Dispute):
        assert 0 <= body.amount <= MAX_AMOUNT
        assert type(body.amount) is int
    # An own system's ids may hold colons.
    assert all(key.count(":") == 3 or key.startswith("own::") for key in meaning.payments)
    kept = repr(replace(meaning, click_ids=()))
    return "\\x00" not in kept and (meaning.occurred_at - now).total_seconds() <= 300
