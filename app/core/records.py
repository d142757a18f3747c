"""Values that never change once made."""

from dataclasses import dataclass
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True)
def record(cls: type[T]) -> type[T]:
    """A frozen dataclass with slots to the type checker, which refuses every assignment.

    At run time it is not frozen: a frozen one sets each field by a call, and decisions make so
    many that it took an eighth of their time.
    """
    return dataclass(slots=True, unsafe_hash=True)(cls)


def complete(value: object, **fields: object) -> None:
    """Give a record the last of its fields, while its maker alone has it.

    Making it twice instead, without them and with them, is dear where a sale is made.
    """
    for name, told in fields.items():
        setattr(value, name, told)
