"""Prometheus for all processes: each writes files in the data folder, the parent serves the sum.

A child finds the folder in PROMETHEUS_MULTIPROC_DIR, which has to stand in its environment before
prometheus_client is imported; so the parent sets it when it starts the child.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import structlog
from prometheus_client import CollectorRegistry, Counter, start_http_server
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"
_log: Final = structlog.get_logger()


class Metrics:
    """What the parent counts itself, beside its children's files."""

    def __init__(self, folder: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self.folder = folder
        self._registry = CollectorRegistry()
        MultiProcessCollector(self._registry, path=str(folder))  # type: ignore[no-untyped-call]
        self._restarts = Counter(
            "finderfee_process_restarts",
            "Processes that ended by themselves and were started again.",
            ["process"],
            registry=self._registry,
        )

    def restarted(self, process: str) -> None:
        self._restarts.labels(process).inc()

    def ended(self, pid: int) -> None:
        """Drop the gauges of a process that is gone; its counters stay in the sum."""
        mark_process_dead(pid, str(self.folder))  # type: ignore[no-untyped-call]

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
