"""The one word for where a commission stands."""

from typing import Literal

Status = Literal["pending", "held", "payable", "paid", "void"]


def status_of(*, amount: int, reversed_: int, paid: int, matured: bool) -> Status:
    """Void is all reversed and nothing paid; paid stays paid, whatever is clawed back later."""
    if paid > 0:
        return "paid"
    if reversed_ == amount:
        return "void"
    return "payable" if matured else "pending"
