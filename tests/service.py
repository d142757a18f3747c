"""`python -m app serve` as a real process of its own, for tests that need all of it."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

START_S = 30.0
_OURS = ("FINDERFEE_", "DATABASE_URL", "PORT", "PROMETHEUS_")


@dataclass
class Service:
    """One parent process and what it started."""

    process: subprocess.Popen[bytes]
    data_dir: Path
    port: int
    out: Path
    """Its standard output, where the first key is printed."""
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ready(self, role: str = "api", within_s: float = START_S) -> float:
        """Wait until the role is ready; how long it took."""
        return self.until(lambda: self.get(f"/readyz/{role}") == 200, within_s)

    def all_ready(self, processes: int) -> None:
        """Wait until so many web processes answer the API; any of them may be asked next."""
        self.until(lambda: self.log.read_text().count('"api.ready"') >= processes)

    def get(self, path: str, key: str = "") -> int:
        """The status of a GET; 0 if nothing answers."""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        try:
            return httpx.get(self.url + path, headers=headers, timeout=5).status_code
        except httpx.TransportError:
            return 0

    def until(self, condition: Callable[[], bool], within_s: float = START_S) -> float:
        began = time.monotonic()
        while not condition():
            if time.monotonic() - began > within_s:
                raise AssertionError(f"not within {within_s} s:\n{self.log.read_text()[-4_000:]}")
            time.sleep(0.05)
        return time.monotonic() - began

    def child(self, module: str) -> psutil.Process:
        """The first child that runs `app.main` or `app.worker`."""
        (found, *_) = [
            child
            for child in psutil.Process(self.process.pid).children()
            if child.status() != psutil.STATUS_ZOMBIE and module in child.cmdline()
        ]
        return found

    def postmaster(self) -> psutil.Process:
        lines = (self.data_dir / "postgres/data/postmaster.pid").read_text().split()
        return psutil.Process(int(lines[0]))

    def everything(self) -> list[psutil.Process]:
        """The parent, all below it, and the embedded Postgres with all below it."""
        roots = [psutil.Process(self.process.pid)]
        if (self.data_dir / "postgres/data/postmaster.pid").exists():
            roots.append(self.postmaster())
        return [found for root in roots for found in (root, *root.children(recursive=True))]

    def stop(self, number: signal.Signals = signal.SIGINT) -> float:
        """Ask the parent to end; how long it took."""
        began = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(15)
        return time.monotonic() - began

    def kill_everything(self) -> None:
        for found in self.everything():
            try:
                found.kill()
            except psutil.NoSuchProcess:
                continue
        self.process.wait(5)


@contextmanager
def serve(
    data_dir: Path,
    *arguments: str,
    environment: Mapping[str, str] | None = None,
    port: int | None = None,
) -> Iterator[Service]:
    """A service that is ended with all that belongs to it when the block ends, however."""
    port = port or free_port()
    data_dir.parent.mkdir(parents=True, exist_ok=True)
    out, log = data_dir.parent / "out.txt", data_dir.parent / "log.txt"
    with out.open("wb") as stdout, log.open("ab") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "app", "serve", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            env=clean_environment(data_dir, port) | dict(environment or {}),
        )
    service = Service(process, data_dir, port, out, log)
    try:
        yield service
    finally:
        if process.poll() is None:
            service.stop(signal.SIGTERM)


def clean_environment(data_dir: Path, port: int) -> dict[str, str]:
    """Ours, without what would configure the service otherwise."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    return kept | {
        "FINDERFEE_DATA_DIR": str(data_dir),
        "FINDERFEE_METRICS_PORT": "0",
        "PORT": str(port),
    }


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def alive(processes: Sequence[psutil.Process]) -> list[psutil.Process]:
    """Those that still run; what waits for its parent to take notice does not."""
    found = []
    for process in processes:
        try:
            if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.NoSuchProcess:
            continue
    return found
