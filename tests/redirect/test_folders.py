import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.redirect.folders import (
    NetworkFolderError,
    claim_folder,
    orphaned_folders,
    refuse_network,
    release_folder,
)

HOLD = """
import sys, pathlib
from app.redirect.folders import claim_folder
print(claim_folder(pathlib.Path(sys.argv[1])).name, flush=True)
sys.stdin.read()
"""


def test_each_process_has_a_folder_and_death_frees_it(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "web-1\n"
        own = claim_folder(tmp_path)
        assert own.name == "web-2"
        with orphaned_folders(tmp_path) as orphans:
            assert orphans == []
        other.kill()
    with orphaned_folders(tmp_path) as orphans:
        assert [folder.name for folder in orphans] == ["web-1"]
        third = claim_folder(tmp_path)
        assert third.name == "web-3"
    release_folder(own)
    release_folder(third)
    again = claim_folder(tmp_path)
    assert again.name == "web-1"
    release_folder(again)


def test_a_new_folders_name_is_durable_before_a_journal_is_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[Path] = []
    fsync = os.fsync

    def noted(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink())
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    release_folder(claim_folder(tmp_path))
    assert synced == [tmp_path]


def test_a_disk_whose_syncs_fail_still_has_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(_descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", failing)
    folder = claim_folder(tmp_path)
    assert folder.name == "web-1"
    release_folder(folder)


@pytest.mark.parametrize("kind", ["nfs4", "nfs", "cifs", "smb3", "fuse.sshfs", "9p", "ceph"])
def test_network_file_systems_are_refused(kind: str, tmp_path: Path) -> None:
    folder = tmp_path / "with space" / "below"
    folder.mkdir(parents=True)
    mounts = tmp_path / "mounts"
    point = str(tmp_path / "with space").replace(" ", "\\040")
    local = f"/dev/sda1 / ext4 rw 0 0\n/dev/sdb {point}x ext4 rw 0 0\n"
    mounts.write_text(f"{local}server:/x {point} {kind} rw 0 0\n")
    with pytest.raises(NetworkFolderError, match="local disk"):
        refuse_network(folder, mounts)
    mounts.write_text(f"{local}server:/x {point} {kind} rw 0 0\n/dev/sdc {point} xfs rw 0 0\n")
    refuse_network(folder, mounts)
    mounts.write_text(f"server:/x / {kind} rw 0 0\n/dev/sdc {point} ext4 rw 0 0\n")
    refuse_network(folder, mounts)
