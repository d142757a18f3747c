"""The links' replicas of a node's other processes: a start takes the newest, dead ones' go.

A folder is whichever was free, so the replica in it may be missing, or as old as the last start
of as many processes. Without Postgres another process' is all there is to know better from.
"""

import asyncio
import shutil
import sqlite3
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final

import structlog

from app.redirect import standing
from app.redirect.directory import Directory
from app.redirect.folders import last_lived_in, note_life, orphaned_folders
from app.redirect.journal_file import sync
from app.redirect.metrics import FAILURES
from app.redirect.replica import Position, position_of
from app.redirect.replica_file import VERSION
from app.redirect.standing import Standing

REPLICA: Final = "links.sqlite"
TIDY_S: Final = 10.0
LEFT_S: Final = 3_600.0
"""How long a dead process' replica stays, for the next to start in its folder."""
_TAKEN: Final = "links.taken"
_FILES: Final = "links.*"
_MOST_TRIED: Final = 2
_ATTEMPTS: Final = 3
_WAL_HEADER: Final = 32
"""Bytes; the salts in it are others each time the log begins anew."""
_WRONG: Final = (OSError, sqlite3.Error, ValueError)

log = structlog.get_logger()


def catch_up(folder: Path) -> None:
    """Take a sibling's replica if it is ahead of the one in this claimed folder, or that is none.

    Before it is opened, and without Postgres. What fails is logged: what there is has to do then.
    """
    try:
        _forget_unfinished(folder)
        own = position_of(folder / REPLICA)
        ahead = _ahead(folder, own)[:_MOST_TRIED]
    except _WRONG as error:
        _tell(error)
        return
    for path in ahead:
        try:
            if _take(path, folder, own):
                return
        except _WRONG as error:
            _tell(error)


async def keep_tidy(directory: Directory, folder: Path) -> None:
    """Every 10 s, until something fails: leave nothing of what was erased on this node's disk."""
    while True:
        await asyncio.to_thread(note_life, folder)
        if directory.usable:
            await asyncio.to_thread(remove_left, folder)
        # Last, since it fails on a full disk, where dead ones' replicas are what makes room.
        await directory.settle()
        await asyncio.sleep(TIDY_S)


def remove_left(own: Path) -> None:
    """The replicas in folders that nobody has lived in for an hour: nothing changes in them.

    own: this process' folder. What it may still have to learn from stays, until it is as far.
    """
    here = standing.read(own / REPLICA)
    if here is None:
        return
    with orphaned_folders(own.parent, partial(_is_done_with, here=here)) as folders:
        for folder in folders:
            # The file before its log: SQLite would read an old log into whatever came there next.
            for path in [folder / REPLICA, *folder.glob(_FILES)]:
                path.unlink(missing_ok=True)
            log.info("replica.removed", folder=folder.name)


def _is_done_with(folder: Path, *, here: Standing) -> bool:
    if last_lived_in(folder) > time.time() - LEFT_S or not any(folder.glob(_FILES)):
        return False
    there = standing.read(folder / REPLICA)
    return (
        there is None
        or there.moved_at <= here.moved_at
        or (there.source == here.source and there.number <= here.number)
    )


def _ahead(folder: Path, own: Position | None) -> list[Path]:
    """Siblings' replicas worth a copy, the newest first.

    Of the database that any was last seen to follow: this folder's may be of one before.
    """
    found = {
        path: at
        for path in folder.parent.glob(f"web-*/{REPLICA}")
        if (at := standing.read(path)) and at.version == VERSION
    }
    if own is None:
        found.pop(folder / REPLICA, None)
    if not found:
        return []
    source = max(found.values(), key=lambda at: at.moved_at).source
    least = own.number if own and own.source == source else -1
    ahead = {path: at for path, at in found.items() if at.source == source and at.number > least}
    ahead.pop(folder / REPLICA, None)
    return sorted(ahead, key=lambda path: ahead[path].number, reverse=True)


def _take(path: Path, folder: Path, own: Position | None) -> bool:
    """Whether it was what its standing says, and is now this folder's."""
    began = time.monotonic()
    taken = folder / _TAKEN
    try:
        _copy(path, taken)
        # Opening it writes the log into the file, closing it removes the log.
        at = position_of(taken)
        if at is None or (own and own.source == at.source and own.number >= at.number):
            return False
        if _log_of(taken).exists():
            raise OSError(f"the log of {taken} could not be written into it")
        sync(taken)
        _put(taken, folder / REPLICA)
    finally:
        _forget_unfinished(folder)
    log.info(
        "replica.taken",
        folder=path.parent.name,
        number=at.number,
        took_s=round(time.monotonic() - began, 2),
    )
    return True


def _tell(error: Exception) -> None:
    FAILURES.labels("sibling_replica").inc()
    with suppress(OSError):  # a full disk can refuse the log line as well
        log.warning("replica.not_taken", error=repr(error))


def _forget_unfinished(folder: Path) -> None:
    for path in (folder / _TAKEN, _log_of(folder / _TAKEN)):
        path.unlink(missing_ok=True)


def _copy(path: Path, to: Path) -> None:
    """A consistent copy, though a living process, which alone can open it, may be writing.

    First the file, then its log. Whatever a checkpoint changed in the file meanwhile stands in the
    log too, as long as that has not begun anew; a torn end of the log fails its checksums.
    """
    for _ in range(_ATTEMPTS):
        before = _state(path)
        # Journals need the room more than this does.
        if shutil.disk_usage(to.parent).free < 2 * path.stat().st_size:
            raise OSError(f"too little room for a copy of {path}")
        shutil.copyfile(path, to)
        _log_of(to).unlink(missing_ok=True)
        if _log_of(path).exists():
            shutil.copyfile(_log_of(path), _log_of(to))
        if _state(path) == before:
            return
    raise OSError(f"{path} is written too fast for a copy")


def _state(path: Path) -> tuple[object, ...]:
    """Equal before and after: nothing was written but to the end of the log, or out of it."""
    file = path.stat()
    try:
        with _log_of(path).open("rb") as wal:
            header = wal.read(_WAL_HEADER)
    except FileNotFoundError:
        header = b""
    return file.st_ino, header or file.st_mtime_ns


def _put(taken: Path, replica: Path) -> None:
    # In this order on the disk, or a power cut could leave an old log beside the new file.
    for path in (replica, _log_of(replica)):
        path.unlink(missing_ok=True)
    sync(replica.parent)
    taken.replace(replica)
    sync(replica.parent)


def _log_of(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")
