"""Ids: TypeIDs on the wire, UUIDs inside, UUIDv7 for what arrives."""

import time
from datetime import UTC, datetime, timedelta
from typing import Final, Literal
from uuid import UUID

from typeid import TypeID
from typeid.errors import TypeIDException
from uuid_utils import uuid7 as _fast_uuid7
from uuid_utils.compat import uuid7 as _uuid7

Prefix = Literal[
    "ws", "prog", "part", "link", "clk", "cus", "src", "evt", "conv", "com", "plan", "po", "key",
    "wh", "acct", "dom", "era", "deal", "code", "dlcf", "rply", "recn", "imp", "clm", "btst",
]  # fmt: skip
PREFIXES: Final = frozenset(Prefix.__args__)  # type: ignore[attr-defined]
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_MAX_MS: Final = 2**48 - 1


class MalformedIdError(ValueError):
    """A text that is no id of the wanted kind."""


def uuid7() -> UUID:
    """A new id that sorts by the time it was made."""
    return _uuid7()


def click_id() -> bytes:
    """The 16 bytes of a UUIDv7 that tells what the clock says now, also after it was set back.

    The library's own never go back: after a minute with a clock an hour ahead, an hour of clicks
    would be dated after the sales that they led to.
    """
    return _fast_uuid7(nanoseconds=time.time_ns()).bytes


def first_at(at: datetime) -> UUID:
    """The lowest UUIDv7 of an instant: rows of clicks are found by time through their ids."""
    ms = -((_EPOCH - at) // _MILLISECOND)
    return UUID(int=min(max(ms, 0), _MAX_MS) << 80)


def made_at(value: UUID) -> datetime:
    """When a UUIDv7 was made, to the millisecond."""
    return _EPOCH + (value.int >> 80) * _MILLISECOND


def encode(prefix: Prefix, value: UUID) -> str:
    """`encode("part", uuid)` → `part_01h45ytscbebyvny4gc8cr8ma2`."""
    return str(TypeID.from_uuid(prefix=prefix, suffix=value))  # type: ignore[arg-type]


def decode(prefix: Prefix, text: str) -> UUID:
    """The UUID in a TypeID of this prefix; MalformedIdError for anything else."""
    if not text.startswith(f"{prefix}_") or len(text) != len(prefix) + 27:
        raise MalformedIdError(text)
    try:
        return UUID(str(TypeID.from_string(text).uuid))
    except (TypeIDException, ValueError) as error:
        raise MalformedIdError(text) from error
