"""How the touches of one program share a conversion: weights in whole numbers, never a float."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from math import isqrt
from typing import Final, assert_never
from uuid import UUID

from app.core.attribution_terms import AttributionTerms, Weights
from app.core.conversions import Credit
from app.core.money import BPS, split
from app.core.records import record

_ONE: Final = 1 << 64
_PRECISION: Final = 32
"""Binary places of an age in half-lives; what is beyond changes a share by less than 1/10^8."""


def _roots_of_half() -> tuple[int, ...]:
    """1/2 to the power of 1/2, 1/4, 1/8, …: each the root of the one before, rounded down."""
    roots = [isqrt(_ONE * _ONE // 2)]
    while len(roots) < _PRECISION:
        roots.append(isqrt(roots[-1] * _ONE))
    return tuple(roots)


_ROOTS: Final = _roots_of_half()
"""In units of 1/2^64; whole numbers and whole roots, so that every machine has the same."""


@record
class Shares:
    """credits: sum to 10,000 bps, in the order of the partners' first touches that weigh.

    too_small: what other partners would have had, in the order in which they were left out.
    """

    credits: tuple[Credit, ...]
    too_small: Mapping[UUID, int]


def weights(terms: AttributionTerms, times: Sequence[datetime]) -> tuple[int, ...]:
    """What each touch weighs. times: one or more, the oldest first.

    One at least weighs more than 0. Only how the weights compare means anything; a touch that
    weighs 0 is not chosen.
    """
    count = len(times)
    match terms.model:
        case "last_click":
            return (0,) * (count - 1) + (1,)
        case "first_click":
            return (1,) + (0,) * (count - 1)
        case "linear":
            return (1,) * count
        case "position_based":
            return _by_position(terms.weights_bps, count)
        case "time_decay":
            half_life = timedelta(days=terms.half_life_days)
            return tuple(_decayed(times[-1] - at, half_life) for at in times)
        case _:
            assert_never(terms.model)


def share_out(
    partners: Sequence[UUID], weighed: Sequence[int], *, min_share_bps: int = 0
) -> Shares:
    """One credit for each partner, whose touches' weights are added up.

    partners: each touch's, the oldest touch first; weighed: what it weighs. Largest remainder
    first, ties to the partner who came first. While somebody's share is too small, the smallest
    is left out and the rest is shared anew; of equal shares, that of who came first goes. One
    is always left. A share of 0 bps is too small in any case.
    """
    left: dict[UUID, int] = {}
    for partner, weight in zip(partners, weighed, strict=True):
        if weight:
            left[partner] = left.get(partner, 0) + weight
    if len(left) == 1:
        (only,) = left
        return Shares((Credit(only, BPS),), {})
    too_small: dict[UUID, int] = {}
    while True:
        bps = dict(zip(left, split(BPS, tuple(left.values())), strict=True))
        smallest = min(bps, key=bps.__getitem__)
        if len(bps) == 1 or bps[smallest] >= max(1, min_share_bps):
            return Shares(tuple(Credit(*one) for one in bps.items()), too_small)
        too_small[smallest] = bps[smallest]
        del left[smallest]


def _by_position(positions: Weights, count: int) -> tuple[int, ...]:
    """Of two touches, none is in the middle: first and last share as they compare."""
    first, middle, last = positions
    if count == 1:
        return (1,)
    between = count - 2
    scale = max(between, 1)
    return (first * scale, *(middle,) * between, last * scale)


def _decayed(age: timedelta, half_life: timedelta) -> int:
    """2^64 × 1/2^(age ÷ half-life), rounded down. age: counted from the latest touch, so that one
    always weighs; from where it is counted changes no share.

    The age in half-lives is a whole number and a binary fraction. The whole number shifts, and
    each binary place of the fraction multiplies by its root of 1/2.
    """
    microsecond = timedelta(microseconds=1)
    whole, rest = divmod(age // microsecond, half_life // microsecond)
    fraction = (rest << _PRECISION) // (half_life // microsecond)
    weight = _ONE
    for place, root in enumerate(_ROOTS, start=1):
        if fraction >> (_PRECISION - place) & 1:
            weight = weight * root // _ONE
    return weight >> whole
