"""Traffic classes: what opened a link, as far as its request tells."""

from collections.abc import Mapping
from typing import Final

HUMAN: Final = "human"
PREFETCH: Final = "prefetch"
HEAD: Final = "head"

CLASSES: Final[Mapping[str, int]] = {
    HUMAN: 1,
    "duplicate": 2,
    "bot": 3,
    PREFETCH: 4,
    "preview": 5,
    HEAD: 6,
    "embedded": 7,
}
"""Class → its number in tokens, journals and `clicks.traffic_class`. Numbers are never reused."""

NAMES: Final[Mapping[int, str]] = {number: name for name, number in CLASSES.items()}

_PURPOSES: Final = (b"sec-purpose", b"purpose", b"x-moz")


def classify(method: str, headers: Mapping[bytes, bytes]) -> str:
    """The class of one request. headers: lowercase names, as ASGI has them.

    Source: Sec-Purpose is the Fetch standard's; Purpose and X-Moz are older browsers'.
    """
    for name in _PURPOSES:
        purpose = headers.get(name)
        # `prefetch;prerender` and `prefetch;anonymous-client-ip` are prefetches too.
        if purpose is not None and b"prefetch" in purpose.lower():
            return PREFETCH
    return HEAD if method == "HEAD" else HUMAN
