"""Deep links: which page of the link's own site `?to=/path` asks for, if it may.

Only a plain absolute path is taken. Whatever could be read as another host, now or after one more
decoding by some proxy or router on the way, is no deep link, and the link's own page is shown.
"""

import re
from typing import Final
from urllib.parse import quote, unquote

_ENCODING: Final = "latin-1"  # any byte there and back
_DECODINGS: Final = 3
_SAFE: Final = "%/:@!$&'()*+,;=~"
_BROKEN_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
# Backslashes are slashes to browsers, which also drop tabs and line ends wherever they stand.
_NEVER: Final = re.compile(r"[\x00-\x1f\x7f\\]|//")


def path_of(wanted: str) -> str | None:
    """The path in ASCII, as it goes behind an origin; None if it is not one to follow.

    wanted: the parameter's value, decoded once, each byte as the character of its number.
    """
    if not wanted.startswith("/") or "?" in wanted or "#" in wanted:
        return None
    if _BROKEN_ESCAPE.search(wanted):
        return None
    plain = _decoded(wanted)
    if plain is None or _NEVER.search(plain) or _leaves_root(plain):
        return None
    return quote(wanted, safe=_SAFE, encoding=_ENCODING)


def _decoded(path: str) -> str | None:
    """With every escape undone, also escapes of escapes; None if there are too many layers."""
    for _ in range(_DECODINGS):
        plain = unquote(path, encoding=_ENCODING)
        if plain == path:
            return plain
        path = plain
    return None


def _leaves_root(path: str) -> bool:
    depth = 0
    for segment in path[1:].split("/"):
        # `..;x` is a parent to some servers, which read what follows as a parameter.
        name = segment.partition(";")[0]
        if name == "..":
            depth -= 1
        elif name not in ("", "."):
            depth += 1
        if depth < 0:
            return True
    return False
