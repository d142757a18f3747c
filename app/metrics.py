"""Prometheus for all processes: each writes files in the data folder, the parent serves the sum.

A child finds the folder in PROMETHEUS_MULTIPROC_DIR, which has to stand in its environment before
prometheus_client is imported; so the parent sets it when it starts the child.
"""

import shutil
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from struct import error as StructError  # noqa: N812 (it is an exception's name)
from threading import Lock
from typing import Final

import structlog
from prometheus_client import CollectorRegistry, Counter, start_http_server
from prometheus_client.metrics_core import Metric
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector

VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"
_MEMORY: Final = Path("/dev/shm")  # noqa: S108 (a private folder of our own is made in it)
_ENDED: Final = "ended"
"""In place of a process' id: what all that are gone have counted."""
_GAUGES: Final = "gauge_"
_KEY_BYTES: Final = 64
"""What a value takes beside its key, and more."""
_log: Final = structlog.get_logger()


class Metrics:
    """What the parent counts itself, beside its children's files."""

    def __init__(self, folder: Path) -> None:
        self.folder = _emptied(folder)
        self._registry = CollectorRegistry()
        self._lock = Lock()
        """Held while files are read, or go: a scrape counts none twice, and misses none."""
        self._children = MultiProcessCollector(None, path=str(self.folder))  # type: ignore[no-untyped-call]
        self._registry.register(self)
        self._restarts = Counter(
            "finderfee_process_restarts",
            "Processes that ended by themselves and were started again.",
            ["process"],
            registry=self._registry,
        )

    def restarted(self, process: str) -> None:
        self._restarts.labels(process).inc()

    def collect(self) -> list[Metric]:
        """What the children have counted, those that are gone included."""
        with self._lock:
            return list(self._children.collect())  # type: ignore[no-untyped-call]

    def ended(self, pid: int) -> None:
        """Drop the gauges of a process that is gone, and keep what it counted in one sum.

        A file for each would fill the memory that the living ones need, if one keeps dying; and
        a sum that falls would look like a restart to Prometheus.
        """
        with self._lock:
            # Whoever clears shared memory away may have taken it; no process starts without it.
            with suppress(OSError):
                self.folder.mkdir(mode=0o700, exist_ok=True)
            for path in self.folder.glob(f"*_{pid}.db"):
                try:
                    if not path.name.startswith(_GAUGES):
                        self._add_up(path)
                except (OSError, StructError, RuntimeError, ValueError) as error:
                    # No room, or killed while it made the file, which the collector can't read.
                    _log.warning("metrics.dropped", file=path.name, error=repr(error))
                path.unlink(missing_ok=True)

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

    def _add_up(self, path: Path) -> None:
        """Add a file's values to those of the ended of its kind."""
        total = self.folder / f"{path.name.partition('_')[0]}_{_ENDED}.db"
        sums: defaultdict[str, float] = defaultdict(float)
        for file in (total, path):
            if file.exists():
                for key, value, *_ in MmapedDict.read_all_values_from_file(str(file)):  # type: ignore[no-untyped-call]
                    sums[key] += value
        # All room at once, by a write: one that lacked it would end this process once it is mapped.
        begun = total.with_suffix(".begun")
        begun.write_bytes(bytes(sum(len(key.encode()) + _KEY_BYTES for key in sums) + _KEY_BYTES))
        values = MmapedDict(str(begun))  # type: ignore[no-untyped-call]
        for key, value in sums.items():
            values.write_value(key, value, 0.0)  # type: ignore[no-untyped-call]
        values.close()  # type: ignore[no-untyped-call]
        begun.replace(total)


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
