"""What a partner has in a program, by dated facts: a tier, a certificate, an accepted agreement."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from app.core.records import record


@record
class Qualification:
    """At one instant. tier: its id, or empty. agreement: the version accepted, or empty."""

    tier: str = ""
    certified: bool = False
    agreement: str = ""


NONE: Final = Qualification()


@record
class Qualified:
    """What a partner has from an instant on. certified_until: when the certificate runs out."""

    since: datetime
    tier: str
    certified: bool
    certified_until: datetime | None
    agreement: str


def qualification_at(states: Sequence[Qualified], at: datetime) -> Qualification:
    """states: in the order of their dates; before the first there is nothing."""
    current = next((state for state in reversed(states) if state.since <= at), None)
    if current is None:
        return NONE
    until = current.certified_until
    is_valid = current.certified and (until is None or at < until)
    return Qualification(current.tier, is_valid, current.agreement)
