"""Token buckets in this process' memory: how often a key may ask. Bounded, and lost at its end."""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Final

_MOST: Final = 10_000


class Buckets:
    """`wait_s = buckets.take(key)`: 0.0 if it may go on, else how long until it may.

    burst: how many may come at once; then rate_per_s. A key is counted in each process apart.
    """

    def __init__(
        self,
        *,
        rate_per_s: float,
        burst: int,
        most: int = _MOST,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rate_per_s = rate_per_s
        self._burst = burst
        self._most = most
        self._clock = clock
        self._left: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()
        """What was left, and when; the keys that asked longest ago are forgotten first."""

    def take(self, key: Hashable) -> float:
        now = self._clock()
        left, at = self._left.get(key, (float(self._burst), now))
        left = min(self._burst, left + (now - at) * self._rate_per_s)
        allowed = left >= 1
        self._left[key] = (left - 1 if allowed else left, now)
        self._left.move_to_end(key)
        if len(self._left) > self._most:
            self._left.popitem(last=False)
        return 0.0 if allowed else (1 - left) / self._rate_per_s
