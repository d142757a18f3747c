"""Each process' folder below the data folder, owned by a lock that its death releases."""

import fcntl
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from app.redirect.journal_file import journals, sync

_LOCK: Final = "lock"
_MAX_FOLDERS: Final = 1_000
_MOUNTS: Final = Path("/proc/mounts")
_NETWORK: Final = re.compile(
    r"nfs\d?|cifs|smb\w*|fuse\.\w+|fuse|9p|afs|ceph|glusterfs|lustre|gpfs|beegfs|ocfs2|gfs2"
)
_held: Final[dict[Path, int]] = {}
"""Descriptors of the locks that this process keeps until it ends."""


class NetworkFolderError(RuntimeError):
    """The folder is on a network file system, where neither locks nor fsync can be trusted."""


def claim_folder(data_dir: Path) -> Path:
    """Lock and return the first free `web-N`; held until the process ends or releases it.

    NetworkFolderError on a network file system.
    """
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    refuse_network(data_dir)
    for number in range(1, _MAX_FOLDERS):
        folder = data_dir / f"web-{number}"
        folder.mkdir(mode=0o700, exist_ok=True)
        descriptor = _lock(folder)
        if descriptor is not None:
            _held[folder] = descriptor
            # A journal's name is durable only once its folder's is. A disk that refuses will
            # refuse the journal, too, and visitors are sent on all the same.
            with suppress(OSError):
                sync(data_dir)
            note_life(folder)
            return folder
    raise RuntimeError(f"{_MAX_FOLDERS} processes share {data_dir}")


def release_folder(folder: Path) -> None:
    """Give a claimed folder back before the process ends."""
    os.close(_held.pop(folder))


def has_journals(data_dir: Path) -> bool:
    """Whether any process' folder, living or dead, has a journal."""
    return any(journals(folder) for folder in data_dir.glob("web-*"))


def note_life(folder: Path) -> None:
    """That a claimed folder's process lives, for `last_lived_in`."""
    os.utime(folder / _LOCK)


def last_lived_in(folder: Path) -> float:
    """When a process last said so, in seconds since 1970."""
    lock = folder / _LOCK
    return lock.stat().st_mtime if lock.exists() else folder.stat().st_mtime


@contextmanager
def orphaned_folders(
    data_dir: Path, wanted: Callable[[Path], bool] = Path.is_dir
) -> Iterator[list[Path]]:
    """The `web-N` that no living process owns, locked while the block runs.

    wanted: none but these, so that a process which starts finds its folder free.
    """
    locked: dict[Path, int] = {}
    try:
        for folder in sorted(data_dir.glob("web-*")):
            if folder.is_dir() and wanted(folder) and (descriptor := _lock(folder)) is not None:
                locked[folder] = descriptor
        yield list(locked)
    finally:
        for descriptor in locked.values():
            os.close(descriptor)


@contextmanager
def exclusive(data_dir: Path) -> Iterator[None]:
    """One process of the node at a time: for short work on files that all of them share."""
    descriptor = os.open(data_dir / "shared.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def refuse_network(folder: Path, mounts: Path = _MOUNTS) -> None:
    """NetworkFolderError if the folder's mount is a network file system (Linux only)."""
    if not mounts.exists():
        return
    real = folder.resolve()
    found, kind = Path("/"), ""
    for line in mounts.read_text().splitlines():
        _, escaped, mounted_kind, *_ = line.split(" ")
        # The kernel writes spaces and the like as octal: `\040`.
        point = Path(escaped.encode().decode("unicode_escape"))
        # A later line shadows an earlier one on the same point.
        if real.is_relative_to(point) and len(point.parts) >= len(found.parts):
            found, kind = point, mounted_kind
    if _NETWORK.fullmatch(kind):
        raise NetworkFolderError(
            f"{folder} is on {kind}: journals need a local disk; set FINDERFEE_DATA_DIR"
        )


def _lock(folder: Path) -> int | None:
    descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor
