"""Ids: TypeIDs on the wire, UUIDs inside, UUIDv7 for what arrives."""

from typing import Final, Literal
from uuid import UUID

from typeid import TypeID
from typeid.errors import TypeIDException
from uuid_utils.compat import uuid7 as _uuid7

Prefix = Literal[
    "ws", "prog", "part", "link", "clk", "cus", "src", "evt", "conv", "com", "plan", "po", "key",
    "wh", "acct", "dom", "era",
]  # fmt: skip
PREFIXES: Final = frozenset(Prefix.__args__)  # type: ignore[attr-defined]


class MalformedIdError(ValueError):
    """A text that is no id of the wanted kind."""


def uuid7() -> UUID:
    """A new id that sorts by the time it was made."""
    return _uuid7()


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
