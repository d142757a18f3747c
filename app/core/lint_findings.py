"""What a lint says of a plan, and the limits by which it warns."""

from typing import Final, Literal

from app.core.money import BPS
from app.core.records import record

Severity = Literal["error", "warning", "note"]
SEVERITIES: Final[tuple[Severity, ...]] = ("error", "warning", "note")


@record
class Finding:
    """One thing to know of a plan. place, related: JSON pointers into its document.

    error: it is no plan, or a part of it can never do what it says. warning: likely a mistake.
    note: worth knowing. line, column: within a condition, from 1.
    """

    severity: Severity
    code: str
    place: str
    problem: str
    remedy: str
    related: str | None = None
    line: int | None = None
    column: int | None = None


@record
class Limits:
    """Above them a plan is likely a mistake. rate_bps: of one rule; total_bps: of all that pay for
    one sale; hold_days, months: how long something may last.
    """

    rate_bps: int = 5_000
    total_bps: int = BPS
    hold_days: int = 120
    months: int = 60


def rule_place(index: int, *steps: str) -> str:
    """`rule_place(2, "pay", "flat")` → `/rules/2/pay/flat`."""
    return "/".join(("", "rules", str(index), *steps))
