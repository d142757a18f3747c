"""Prometheus for all processes: each writes files in the data folder, the parent serves the sum.

A child finds the folder in PROMETHEUS_MULTIPROC_DIR, which has to stand in its environment before
prometheus_client is imported; so the parent sets it when it starts the child.
"""

import shutil
import tempfile
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import structlog
from prometheus_client import CollectorRegistry, Counter, start_http_server
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"
_MEMORY: Final = Path("/dev/shm")  # noqa: S108 (a private folder of our own is made in it)
_MAX_ENDED: Final = 50
"""A process that keeps dying must not fill the memory that the living ones need."""
_log: Final = structlog.get_logger()


class Metrics:
    """What the parent counts itself, beside its children's files."""

    def __init__(self, folder: Path) -> None:
        self.folder = _emptied(folder)
        self._ended: deque[int] = deque()
        self._registry = CollectorRegistry()
        MultiProcessCollector(self._registry, path=str(self.folder))  # type: ignore[no-untyped-call]
        self._restarts = Counter(
            "finderfee_process_restarts",
            "Processes that ended by themselves and were started again.",
            ["process"],
            registry=self._registry,
        )

    def restarted(self, process: str) -> None:
        self._restarts.labels(process).inc()

    def ended(self, pid: int) -> None:
        """Drop the gauges of a process that is gone; its counters stay in the sum for long."""
        mark_process_dead(pid, str(self.folder))  # type: ignore[no-untyped-call]
        for path in self._of(pid):
            # Killed while it made the file: the collector can't read an empty one.
            if not path.stat().st_size:
                path.unlink()
        self._ended.append(pid)
        if len(self._ended) > _MAX_ENDED:
            for path in self._of(self._ended.popleft()):
                path.unlink()

    def remove(self) -> None:
        """Give the memory back, once no child writes any more."""
        shutil.rmtree(self.folder, ignore_errors=True)

    @contextmanager
    def served(self, host: str, port: int) -> Iterator[None]:
        """Answer `/metrics` while the block runs. port 0: nothing is served."""
        if not port:
            yield
            return
        try:
            server, thread = start_http_server(port, host, registry=self._registry)
        except OSError as error:
            # Numbers for operators are no reason to refuse clicks.
            _log.error("metrics.not_served", port=port, reason=str(error))
            yield
            return
        try:
            yield
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    def _of(self, pid: int) -> list[Path]:
        return list(self.folder.glob(f"*_{pid}.db"))


def _emptied(folder: Path) -> Path:
    """A new private folder, in memory where there is such a place; `folder` then leads to it.

    The files are mapped: on a full disk the first touch of a new page ends a process by SIGBUS,
    and the one that is started in its place as well.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    # What a killed parent has left, wherever it was.
    shutil.rmtree(folder.resolve(), ignore_errors=True)
    folder.unlink(missing_ok=True)
    try:
        made = Path(tempfile.mkdtemp(prefix="finderfee-metrics-", dir=_MEMORY))
        folder.symlink_to(made)
    except OSError:
        folder.mkdir()
        return folder
    return made
