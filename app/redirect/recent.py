"""Who was on which link lately, in a file that all web processes of a node have in memory.

Fixed in size and without locks. It tells humans from duplicates, which both may earn; what goes
wrong in it can only class a click wrongly, never lose one.
"""

import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import Final, Self

import structlog

from app.redirect.folders import exclusive
from app.redirect.metrics import FAILURES

NAME: Final = "recent"
_MAGIC: Final = b"finderfee recent 1"
"""Its number rises with each change of what follows."""
_HEADER_BYTES: Final = 4_096
_SLOTS: Final = 8
"""Words of a bucket, one cache line; the oldest makes room for another."""
_VISIT_BUCKETS: Final = 1 << 18
_COUNT_BUCKETS: Final = 1 << 13
_VISIT_BYTES: Final = _VISIT_BUCKETS * _SLOTS * 8
_BYTES: Final = _HEADER_BYTES + _VISIT_BYTES + _COUNT_BUCKETS * _SLOTS * 8
_LOW: Final = 0xFFFF_FFFF
_COUNT_BITS: Final = 20
_MOST: Final = (1 << _COUNT_BITS) - 1
_WINDOWS: Final = 0xFFF
_CLOCKS_S: Final = 5
"""How far ahead a time may lie: processes read the clock before they come here."""

log = structlog.get_logger()


def fingerprint(visitor: bytes, link: bytes) -> bytes:
    """The key of a visitor on a link: 8 bytes that tell neither.

    visitor: the day's hash, so that keys mean nothing once its salt is gone.
    """
    return blake2b(visitor + link, digest_size=8).digest()


class Recent:
    """Two tables of 64-bit words in one mapping: visits, and counts of clicks without a hash.

    A visit's word is 32 bits of its key and the second of its first click; a count's is 32 bits
    of the link, the window's number and the count. Each is read and written whole: a word is
    aligned, so that no process sees half of one. Two that write one slot at the same moment leave
    the later one's: then a duplicate counts as human, or a count is one less.
    """

    def __init__(self, mapping: mmap.mmap, *, window_s: int, unhashed_clicks: int) -> None:
        words = memoryview(mapping)[_HEADER_BYTES:].cast("Q")
        self._visits = words[: _VISIT_BUCKETS * _SLOTS]
        self._counts = words[_VISIT_BUCKETS * _SLOTS :]
        self._window_s = window_s
        self._late_s = window_s + _CLOCKS_S
        self._most = min(unhashed_clicks, _MOST)

    @classmethod
    def open(cls, data_dir: Path, *, window_s: int, unhashed_clicks: int) -> Self:
        """The node's own; without a disk for it this process' alone, which is counted."""
        try:
            mapping = _map(data_dir)
        except OSError as error:
            FAILURES.labels("recent").inc()
            log.warning("recent.not_shared", error=str(error))
            mapping = mmap.mmap(-1, _BYTES)
        return cls(mapping, window_s=window_s, unhashed_clicks=unhashed_clicks)

    def seen(self, key: bytes, now_s: int) -> bool:
        """Whether a window of this key is open; if not, one begins now.

        A window has its length from its first click on: clicks within it don't make it longer, so
        someone who comes back every half hour is human once per window.
        """
        number = int.from_bytes(key)
        mark, place = number >> 32, (number & _VISIT_BUCKETS - 1) * _SLOTS
        oldest, found = -1, place
        for word in self._visits[place : place + _SLOTS].tolist():
            # Modulo 2^32: what lies in the future, where a clock was set back, is the oldest.
            age = now_s + _CLOCKS_S - word & _LOW
            if word >> 32 == mark:
                if age < self._late_s:
                    return True
                found = place
                break
            if age > oldest:
                oldest, found = age, place
            place += 1
        self._visits[found] = mark << 32 | now_s & _LOW
        return False

    def knows(self, key: bytes, now_s: int) -> bool:
        """As `seen`, but nothing begins."""
        number = int.from_bytes(key)
        mark, place = number >> 32, (number & _VISIT_BUCKETS - 1) * _SLOTS
        return any(
            word >> 32 == mark and now_s + _CLOCKS_S - word & _LOW < self._late_s
            for word in self._visits[place : place + _SLOTS].tolist()
        )

    def over_cap(self, link: bytes, now_s: int) -> bool:
        """Count a click that has no hash; whether the link has had its share in this window.

        Windows are counted from 1970, the same for all links.
        """
        number = int.from_bytes(link[8:])
        mark, place = number >> 32, (number & _COUNT_BUCKETS - 1) * _SLOTS
        window = now_s // self._window_s & _WINDOWS
        least, found = _MOST, place
        for word in self._counts[place : place + _SLOTS].tolist():
            current = word >> _COUNT_BITS & _WINDOWS == window
            count = word & _MOST if current else -1
            if current and word >> 32 == mark:
                if count >= self._most:
                    return True
                self._counts[place] = word + 1
                return False
            if count < least:
                least, found = count, place
            place += 1
        self._counts[found] = mark << 32 | window << _COUNT_BITS | 1
        return False


def _map(data_dir: Path) -> mmap.mmap:
    """The file's mapping, made anew if it is none of ours. OSError if the disk has no room."""
    path = data_dir / NAME
    with exclusive(data_dir):
        try:
            with _opened(path, os.O_RDWR) as descriptor:
                if os.fstat(descriptor).st_size == _BYTES:
                    mapping = mmap.mmap(descriptor, _BYTES)
                    if mapping[: len(_MAGIC)] == _MAGIC:
                        return mapping
            log.warning("recent.dropped")
            path.unlink()
        except FileNotFoundError:
            pass
        with _opened(path, os.O_RDWR | os.O_CREAT | os.O_EXCL) as descriptor:
            try:
                # All of it now: a page that finds the disk full later would end the process.
                os.posix_fallocate(descriptor, 0, _BYTES)
            except OSError:
                path.unlink()
                raise
            mapping = mmap.mmap(descriptor, _BYTES)
            mapping[: len(_MAGIC)] = _MAGIC
            return mapping


@contextmanager
def _opened(path: Path, flags: int) -> Iterator[int]:
    descriptor = os.open(path, flags | os.O_CLOEXEC, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
