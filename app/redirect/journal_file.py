"""One journal on disk: group commits end to end, each a write and an fsync.

The file is a head, then records, then zeros. A record is a commit of clicks with a checksum, and
says up to where Postgres has those before it. Zeros are written ahead, since an fsync of a file
that grows waits for the file system's journal too. A full file is left to the drain.
"""

import os
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from struct import Struct
from typing import Final, NamedTuple

_MAGIC: Final = b"ffclick\x03"
"""Its last byte is the format: it rises when records hold what an earlier release would misread."""
_SALT_BYTES: Final = 8
FIRST: Final = len(_MAGIC) + _SALT_BYTES
"""Where the first record is."""
_MARK: Final = b"\xf5\xcc\x9e\x37"
_HEAD: Final = Struct("<4sIIIQ")
"""Mark, checksum of all that follows it, bytes of the rows, clicks, forgotten up to."""
_CHECKED_FROM: Final = 8
_AHEAD: Final = 1 << 18
_BLOCK: Final = 4_096
_NAME: Final = re.compile(r"journal-\d+\.(log|sqlite)")
_NUMBER: Final = re.compile(r"journal-(\d+)")


class JournalError(Exception):
    """The file can't be read, or is none of this release's."""


class Commit(NamedTuple):
    """One group commit. end: where it ends in its file; rows: packed, end to end."""

    end: int
    clicks: int
    rows: bytes


class JournalFile:
    """A new journal and its one writer: append, and tell what may be forgotten."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._salt = os.urandom(_SALT_BYTES)
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self.end = FIRST
        self.forgotten_to = FIRST
        self._clicks_to = FIRST
        self._zeros_to = 0
        try:
            self._write_zeros_to(FIRST)
            _write(self._descriptor, _MAGIC + self._salt, 0)
            os.fsync(self._descriptor)
            sync(path.parent)
        except OSError:
            os.close(self._descriptor)
            # While the disk is full, it is tried again each second.
            path.unlink(missing_ok=True)
            raise

    def append(self, rows: bytes, clicks: int, *, forget_to: int = 0) -> None:
        """Store a group commit durably; returns after the fsync. No rows: only forget.

        forget_to: the end of the last commit that Postgres has.
        """
        self.forgotten_to = max(self.forgotten_to, forget_to)
        record = _record(rows, clicks, self.forgotten_to, self._salt)
        end = self.end + len(record)
        if end > self._zeros_to:
            self._write_zeros_to(end)
        _write(self._descriptor, record, self.end)
        os.fdatasync(self._descriptor)
        self.end = end
        if clicks:
            self._clicks_to = end

    @property
    def used(self) -> bool:
        """Whether anything was ever written."""
        return self.end > FIRST

    def waiting_bytes(self) -> int:
        """What Postgres is not known to have."""
        return max(0, self._clicks_to - self.forgotten_to)

    def oldest_ms(self) -> int | None:
        """When the first click was made that waits here still; by its id, a UUIDv7."""
        at = self.forgotten_to
        while at < self._clicks_to:
            head = os.pread(self._descriptor, _HEAD.size + 7, at)
            _, _, length, clicks, _ = _HEAD.unpack_from(head)
            if clicks:
                return int.from_bytes(head[_HEAD.size + 1 :])
            at += _HEAD.size + length
        return None

    def close(self) -> None:
        os.close(self._descriptor)

    def _write_zeros_to(self, end: int) -> None:
        size = -(-(end - self._zeros_to) // _AHEAD) * _AHEAD
        _write(self._descriptor, bytes(size), self._zeros_to)
        self._zeros_to += size


class JournalReader:
    """A journal as the drain reads it, while it is written or after.

    left: nobody writes it any more. What can't be read is then skipped up to the next whole
    record, and counts as damaged; a write that a crash cut off is none of it, since it was never
    acknowledged and nothing comes behind it.
    """

    def __init__(self, path: Path, *, left: bool = False) -> None:
        self._left = left
        self._skipped: dict[int, int] = {}
        """Where damage begins → where the next whole record does."""
        self._refused: set[int] = set()
        """Where the blocks are that the disk can't read."""
        try:
            self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise JournalError(str(error)) from error
        try:
            head = self._read_head()
        except JournalError:
            self.close()
            raise
        self._salt = head[len(_MAGIC) :]
        self._written = bool(head)

    @property
    def damaged(self) -> int:
        """About how many bytes were skipped, or could not be read."""
        skipped = sum(intact - at for at, intact in self._skipped.items())
        return max(skipped, len(self._refused) * _BLOCK)

    def after(self, end: int, *, max_clicks: int) -> list[Commit]:
        """The next commits in order, one at least if there is any. end: of the last one, or 0."""
        found: list[Commit] = []
        clicks = 0
        for commit, _ in self._records(end):
            clicks += commit.clicks
            if found and clicks > max_clicks:
                break
            if commit.clicks:
                found.append(commit)
        return found

    def forgotten_to(self) -> int:
        """Up to where the journal itself says that Postgres has it.

        0 if any of it says so of where no commit before it ends: an earlier release told a new
        file how far the one before had been stored, and what Postgres has may come again.
        """
        ends, to = {FIRST}, 0
        for commit, forgotten in self._records(0):
            if forgotten not in ends:
                return 0
            ends.add(commit.end)
            to = max(to, forgotten)
        return to

    def close(self) -> None:
        os.close(self._descriptor)

    def _read_head(self) -> bytes:
        """Empty: not yet, or never, since its maker came no further than the file's name."""
        head = self._read(0, FIRST)
        if len(head) < FIRST or not any(head):
            if self._left and (self._read(FIRST, self._size()).strip(b"\x00") or self._refused):
                raise JournalError("its head is gone")
            return b""
        if not head.startswith(_MAGIC):
            raise JournalError("a journal of another release")
        return head

    def _records(self, end: int) -> Iterator[tuple[Commit, int]]:
        """Commits behind a place, each with what it says to be forgotten."""
        at = max(end, FIRST)
        while self._written:
            if (record := self._record_at(at)) is not None:
                at = record[0].end
                yield record
            elif self._left and (intact := self._next_intact(at)) is not None:
                self._skipped[at] = intact
                at = intact
            else:
                return

    def _record_at(self, at: int) -> tuple[Commit, int] | None:
        """None if no whole record begins there."""
        head = self._read(at, _HEAD.size)
        if len(head) < _HEAD.size:
            return None
        mark, checksum, length, clicks, forgotten = _HEAD.unpack(head)
        # A spoiled length could ask for 4 GB of memory. Few commits are so long that it is asked.
        if mark != _MARK or (length > _AHEAD and length > self._size()):
            return None
        rows = self._read(at + _HEAD.size, length)
        if len(rows) < length or checksum != _checksum(head, rows, self._salt):
            return None
        return Commit(at + _HEAD.size + length, clicks, rows), forgotten

    def _next_intact(self, at: int) -> int | None:
        if at in self._skipped:
            return self._skipped[at]
        rest = self._read(at, self._size())
        place = rest.find(_MARK, 1)
        while place >= 0:
            if self._record_at(at + place) is not None:
                return at + place
            place = rest.find(_MARK, place + 1)
        return None

    def _size(self) -> int:
        return os.fstat(self._descriptor).st_size

    def _read(self, at: int, size: int) -> bytes:
        try:
            return os.pread(self._descriptor, size, at)
        except OSError as error:
            if self._left:
                return self._read_around(at, min(at + size, self._size()))
            raise JournalError(str(error)) from error

    def _read_around(self, at: int, end: int) -> bytes:
        """Block by block, with zeros for those that the disk can't read."""
        found = []
        for block in range(at - at % _BLOCK, end, _BLOCK):
            first, after = max(at, block), min(block + _BLOCK, end)
            piece = bytes(after - first)
            if block not in self._refused:
                try:
                    piece = os.pread(self._descriptor, after - first, first)
                except OSError:
                    self._refused.add(block)
            found.append(piece)
        return b"".join(found)


def _record(rows: bytes, clicks: int, forgotten_to: int, salt: bytes) -> bytes:
    head = _HEAD.pack(_MARK, 0, len(rows), clicks, forgotten_to)
    checksum = _checksum(head, rows, salt)
    return _HEAD.pack(_MARK, checksum, len(rows), clicks, forgotten_to) + rows


def _checksum(head: bytes, rows: bytes, salt: bytes) -> int:
    """Salted, so that no visitor's header can hold what would pass for a record of this file."""
    return zlib.crc32(rows, zlib.crc32(head[_CHECKED_FROM:], zlib.crc32(salt)))


def _write(descriptor: int, content: bytes, at: int) -> None:
    """All of it: a disk that fills up takes a part."""
    written = os.pwrite(descriptor, content, at)
    while written < len(content):
        written += os.pwrite(descriptor, content[written:], at + written)


def sync(path: Path) -> None:
    """Make a file durable, or a folder's names: a new file's is only once its folder is."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def journals(folder: Path) -> list[Path]:
    """Those in a folder, the oldest first; also of releases that kept them in SQLite.

    A copy that a person made, under a name of its own, is none.
    """
    return sorted(
        (path for path in folder.glob("journal-*") if _NAME.fullmatch(path.name)),
        key=lambda path: path.stem,
    )


def remove(path: Path) -> None:
    """Unlink a drained journal; an SQLite one with its write-ahead log, the database last."""
    for suffix in ("-wal", "-shm", ""):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def next_path(folder: Path, last: Path | None = None) -> Path:
    """The name after the newest journal's, and after `last` even if that is gone by now.

    A name is never used twice in a process' life: what is said of one journal, such as how far
    it may be forgotten, must not be taken as said of another. Nor is one of a damaged journal
    that was put aside: another of its name would take its place.
    """
    known = [*folder.glob("journal-*"), *([last] if last else [])]
    numbers = [int(found[1]) for path in known if (found := _NUMBER.match(path.name))]
    return folder / f"journal-{max(numbers, default=0) + 1:06}.log"
