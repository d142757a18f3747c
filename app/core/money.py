"""Money as whole minor units: shares that round once, splits that always sum."""

from typing import Final

from app.core.records import record

MAX_AMOUNT: Final = 10**13
BPS: Final = 10_000


@record
class Money:
    """amount: minor units of the currency. currency: ISO 4217, lower case."""

    amount: int
    currency: str

    def document(self) -> dict[str, object]:
        """As a plan writes it."""
        return {"amount": self.amount, "currency": self.currency}


def share(amount: int, numerator: int, denominator: int) -> int:
    """Amount × numerator ÷ denominator, rounded once, half to even.

    amount: minor units, may be negative. denominator: not zero.
    """
    whole, rest = divmod(amount * numerator, denominator)
    # The rest has the denominator's sign, whichever that is.
    above_half = abs(2 * rest) - abs(denominator)
    return whole + (above_half > 0 or (above_half == 0 and whole % 2 == 1))


def share_bps(amount: int, rate_bps: int) -> int:
    """The part of an amount that a rate in 1/10,000 gives, rounded once, half to even."""
    return share(amount, rate_bps, BPS)


def slice_bps(amount: int, before_bps: int, bps: int) -> int:
    """The part of an amount between two marks, rounded once on the cumulative figure.

    before_bps: what went to others before. Slices that follow each other up to 10,000 sum to the
    amount, whatever else each of them depends on.
    """
    return share_bps(amount, before_bps + bps) - share_bps(amount, before_bps)


def split(total: int, weights: tuple[int, ...]) -> tuple[int, ...]:
    """Divide an amount by weights; the parts always sum to the total.

    total: minor units, may be negative (refunds). weights: one or more, none negative, not all 0.
    Largest remainder first, ties to the lower index, so a rerun gives the same cents.
    Source: Hamilton's (largest-remainder) method.
    """
    whole = sum(weights)
    assert whole > 0 and min(weights) >= 0
    parts = [total * weight // whole for weight in weights]
    remainders = [total * weight % whole for weight in weights]
    missing = total - sum(parts)
    by_remainder = sorted(range(len(weights)), key=lambda i: (-remainders[i], i))
    for i in by_remainder[:missing]:
        parts[i] += 1
    return tuple(parts)
