"""Sets of rules that values of several dimensions leave, found with a bounded effort.

A set of rules is the bits of an integer.
"""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(slots=True)
class Effort:
    """How much may still be compared. A plan that needs more is not judged further."""

    left: int = 400_000

    def take(self, steps: int) -> bool:
        """Whether there was enough of it left."""
        self.left -= steps
        return self.left >= 0


def combinations(parts: Iterable[Iterable[int]], effort: Effort, *, least: bool) -> set[int] | None:
    """Every set of rules that some combination of values leaves; None if they are too many.

    parts: of each dimension the sets. least: those that hold another one are left out.
    """
    left: set[int] = {-1}
    for part in parts:
        sets = set(part)
        if not effort.take(len(left) * len(sets)):
            return None
        left = {one & other for one in left for other in sets}
        if least and not effort.take(len(left)):
            return None
        if least:
            pruned = _pruned(left, effort)
            if pruned is None:
                return None
            left = pruned
    return left


def _pruned(sets: set[int], effort: Effort) -> set[int] | None:
    """Without those that hold another one of them."""
    if 0 in sets:
        return {0}
    kept: list[int] = []
    for one in sorted(sets, key=int.bit_count):
        if not effort.take(len(kept)):
            return None
        if not any(small & one == small for small in kept):
            kept.append(one)
    return set(kept)
