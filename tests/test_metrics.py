import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from app import metrics
from app.metrics import VARIABLE, Metrics


def test_metrics_are_kept_in_memory_so_that_a_full_disk_ends_no_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # In place of /dev/shm, which not every system has.
    memory = tmp_path / "memory"
    memory.mkdir()
    monkeypatch.setattr(metrics, "_MEMORY", memory)
    folder = tmp_path / "metrics"
    folder.mkdir()
    (folder / "counter_1.db").touch()
    killed = Metrics(folder)
    (killed.folder / "counter_2.db").touch()
    again = Metrics(folder)
    assert again.folder.is_relative_to(memory)
    assert again.folder.stat().st_mode & 0o777 == 0o700
    assert folder.resolve() == again.folder
    assert list(again.folder.iterdir()) == []
    assert not killed.folder.exists()
    again.remove()
    assert not again.folder.exists()


def test_without_such_memory_metrics_are_kept_in_the_data_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics, "_MEMORY", tmp_path / "none")
    assert Metrics(tmp_path / "data/metrics").folder == tmp_path / "data/metrics"
    assert Metrics(tmp_path / "data/metrics").folder.is_dir()


COUNTS = """
from prometheus_client import Counter, Gauge, Histogram
Counter("sold", "Sold", ["where"]).labels({where!r}).inc(2)
Histogram("took", "Took", buckets=(1, 5)).observe(3)
Gauge("alive", "Alive", multiprocess_mode="livesum").set(1)
Gauge("longest", "Longest", multiprocess_mode="max").set(1)
print(__import__("os").getpid())
"""


def test_what_ended_processes_counted_stays_in_one_sum(tmp_path: Path) -> None:
    kept = Metrics(tmp_path / "metrics")
    pids = [counting(kept.folder, where) for where in ("here", "there", "here")]
    before = told(kept)
    assert (before["sold_total", "here"], before["alive", ""]) == (4, 3)
    for pid in pids:
        kept.ended(pid)
    gauges = {("alive", ""), ("longest", "")}
    assert told(kept) == {name: n for name, n in before.items() if name not in gauges}
    assert {path.name for path in kept.folder.iterdir()} == {
        *("counter_ended.db", "histogram_ended.db")
    }
    counting(kept.folder, "here")
    assert told(kept)["sold_total", "here"] == 6
    kept.remove()


def test_a_file_that_its_process_did_not_finish_is_dropped(tmp_path: Path) -> None:
    kept = Metrics(tmp_path / "metrics")
    kept.ended(counting(kept.folder, "here"))
    (kept.folder / "counter_7.db").touch()
    (kept.folder / "counter_8.db").write_bytes(b"\x40" + bytes(7) + b"\xff" * 60)
    kept.ended(7)
    kept.ended(8)
    assert told(kept)["sold_total", "here"] == 2
    kept.remove()


def test_a_folder_that_somebody_cleared_away_stops_no_start(tmp_path: Path) -> None:
    """As logind does of `/dev/shm` when its user logs out."""
    kept = Metrics(tmp_path / "metrics")
    ended = counting(kept.folder, "here")
    shutil.rmtree(kept.folder)
    assert told(kept) == {}
    kept.ended(ended)
    counting(kept.folder, "here")
    assert told(kept)["sold_total", "here"] == 2
    kept.remove()


def counting(folder: Path, where: str) -> int:
    """The id of a process that counted and has ended."""
    ended = subprocess.run(
        [sys.executable, "-c", COUNTS.format(where=where)],
        env={**os.environ, VARIABLE: str(folder)},
        capture_output=True,
        check=True,
    )
    return int(ended.stdout)


def told(kept: Metrics) -> dict[tuple[str, str], float]:
    """Each sample's value, by its name and its labels' values."""
    return {
        (sample.name, ",".join(sample.labels.values())): sample.value
        for metric in kept.collect()
        for sample in metric.samples
    }
