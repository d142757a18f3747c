"""How far a replica is, in a small file beside it: other processes can't open a living one's.

Only a hint of which is worth a copy. It may be older than the replica, or after a power cut newer.
"""

import json
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

_SUFFIX: Final = ".position"


class Standing(NamedTuple):
    """source, number: as in a `Position`."""

    version: int
    """Of the replica's form."""
    source: str
    number: int
    moved_at: float
    """When it last was written, in seconds since 1970."""


def note(replica: Path, version: int, source: str, number: int) -> None:
    """Write it, if it is not there yet. One that can't be written is left as it is."""
    with suppress(OSError):
        before = read(replica)
        if before is None or before[:3] != (version, source, number):
            written = replica.with_suffix(".position-new")
            written.write_text(json.dumps([version, source, number]))
            written.replace(replica.with_suffix(_SUFFIX))


def read(replica: Path) -> Standing | None:
    """None if nothing readable is there."""
    path = replica.with_suffix(_SUFFIX)
    try:
        version, source, number = json.loads(path.read_bytes())
        return Standing(int(version), str(source), int(number), path.stat().st_mtime)
    except (OSError, ValueError, TypeError):
        return None
