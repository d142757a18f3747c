"""What one parent process holds: its data folder and its listening socket."""

import errno
import fcntl
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_BACKLOG: Final = 2048
_WAIT_S: Final = 4.0
"""How long a killed parent's children may still hold what they inherited."""


class CannotServeError(RuntimeError):
    """Something outside has to change first; the message says what."""


@contextmanager
def data_folder(folder: Path) -> Iterator[None]:
    """The folder, made if need be, for one parent alone; its death gives the lock back."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(folder / "serve.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CannotServeError(
                f"another finderfee serves from {folder}: stop it, or set FINDERFEE_DATA_DIR"
            ) from None
        yield
    finally:
        os.close(descriptor)


def is_serving(folder: Path) -> bool:
    """Whether a parent holds the folder."""
    try:
        with data_folder(folder):
            return False
    except CannotServeError:
        return True


@contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """The socket that the web processes share; waits a moment for a killed parent's children."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    deadline = time.monotonic() + _WAIT_S
    while True:
        try:
            opened = socket.create_server((host, port), family=family, backlog=_BACKLOG)
            break
        except OSError as error:
            if error.errno != errno.EADDRINUSE or time.monotonic() > deadline:
                raise CannotServeError(f"can't listen on {host}:{port}: {error.strerror}") from None
            time.sleep(0.1)
    with opened:
        yield opened
