"""Python's cycle collector, set for processes that make many small values that die at once.

Nothing on the roads makes cycles; reference counts free it all. By default the collector still
walks the living every few hundred values (`docs/benchmarks.md` tells what was seen of it).
"""

import gc
from typing import Final

_THRESHOLDS: Final = (50_000, 20, 50)


def calm() -> None:
    """Leave what is loaded now out of every later walk, and walk seldom."""
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
