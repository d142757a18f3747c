"""The one word for where a commission stands."""

from typing import Literal

Status = Literal["pending", "held", "payable", "paid", "void"]


def status_of(*, amount: int, reversed_: int, paid: int, matured: bool, held: int) -> Status:
    """Void is all reversed and nothing paid; paid stays paid, whatever is clawed back later.

    held: how much of it is stopped. A part is enough to call the whole held.
    """
    if paid > 0:
        return "paid"
    if reversed_ == amount:
        return "void"
    if held:
        return "held"
    return "payable" if matured else "pending"
