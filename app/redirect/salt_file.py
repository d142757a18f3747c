"""The days' salts on a node's own disk, sealed: a start without Postgres goes on with the hashes.

One file for all processes of the node, so that no dead process' folder keeps a salt: whoever of
them lives destroys it.
"""

import os
from collections.abc import Mapping
from io import FileIO
from pathlib import Path
from struct import Struct
from struct import error as StructError  # noqa: N812 (it is an exception's name)
from typing import Final

import structlog

from app.redirect.folders import exclusive
from app.secret_keys import SecretKeyError, SecretKeys

NAME: Final = "visitor-salts"
_OWNER: Final = b"visitor salts of a node"
_DAY: Final = Struct(">I32s")

log = structlog.get_logger()


class SaltFile:
    """`day → salt` of the days around now. Days are counted from 1970, in UTC."""

    def __init__(self, data_dir: Path, keys: SecretKeys) -> None:
        self._data_dir = data_dir
        self._path = data_dir / NAME
        self._draft = self._path.with_suffix(".new")
        self.keys = keys

    def read(self) -> dict[int, bytes]:
        """None of them if the file is missing, damaged, or sealed with a key that is gone."""
        try:
            # What is being replaced is being overwritten too.
            with exclusive(self._data_dir):
                return self._read()
        except OSError as error:
            log.warning("salts.unreadable", error=str(error))
            return {}

    def exists(self) -> bool:
        """Whether there is anything to destroy: a crash may have left a draft alone."""
        return self._path.exists() or self._draft.exists()

    def keep(self, salts: Mapping[int, bytes]) -> None:
        """Have these and no others on disk. OSError if it can't be written."""
        with exclusive(self._data_dir):
            if self._path.exists() and not self._draft.exists() and self._read() == salts:
                return
            self._replace(b"".join([_DAY.pack(*pair) for pair in sorted(salts.items())]))

    def _read(self) -> dict[int, bytes]:
        try:
            plain = self.keys.open(self._path.read_bytes(), owner=_OWNER)
            return dict(_DAY.iter_unpack(plain))
        except FileNotFoundError:
            return {}
        except (SecretKeyError, StructError, ValueError) as error:
            log.warning("salts.unreadable", error=str(error))
            return {}

    def _replace(self, plain: bytes) -> None:
        former = self._path.open("r+b", buffering=0) if self._path.exists() else None
        try:
            self._write(plain)
        except OSError:
            # Without room for the new ones: rather none on disk than one that is over.
            self._path.unlink(missing_ok=True)
            raise
        finally:
            if former is not None:
                _wipe(former)

    def _write(self, plain: bytes) -> None:
        if self._draft.exists():
            former = self._draft.open("r+b", buffering=0)
            self._draft.unlink()
            _wipe(former)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with os.fdopen(os.open(self._draft, flags, 0o600), "wb") as file:
            file.write(self.keys.seal(plain, owner=_OWNER))
            file.flush()
            os.fsync(file.fileno())
        self._draft.replace(self._path)


def _wipe(file: FileIO) -> None:
    """Its name is gone, its blocks are not: what they held must not be read from them."""
    with file:
        file.write(bytes(os.fstat(file.fileno()).st_size))
        os.fsync(file.fileno())
