"""What `verify` reports."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that does not hold. place: the row, `commission com_…`; problem: what is wrong."""

    place: str
    problem: str
