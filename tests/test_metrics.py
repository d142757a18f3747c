from pathlib import Path

import pytest

from app import metrics
from app.metrics import Metrics


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


def test_what_dead_processes_leave_is_bounded_and_readable(tmp_path: Path) -> None:
    kept = Metrics(tmp_path / "metrics")
    for pid in range(1, 103):
        (kept.folder / f"counter_{pid}.db").write_bytes(bytes(100))
    for pid in range(1, 103):
        kept.ended(pid)
    assert len(list(kept.folder.iterdir())) == 50
    assert (kept.folder / "counter_102.db").exists()
    (kept.folder / "counter_103.db").touch()
    kept.ended(103)
    assert not (kept.folder / "counter_103.db").exists()
    kept.remove()
