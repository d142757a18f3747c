"""A disk that is full, and one that does not sync: visitors are sent on, and nobody is lied to."""

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from faults.preload import preload
from faults.proxy import proxy_to
from faults.stage import Figures, Stage, promise, stage
from faults.visitors import Told
from tests.service import Service

RATE = 200
UNRECORDED = "finderfee_clicks_unrecorded_total"
DISK_BYTES = 32_000_000


def full(seed: int, *, phase_s: float = 8.0) -> Figures:
    """The data folder's file system, an ext4 of its own, fills up while Postgres is away.

    Then the web process is killed, so that one starts on the full disk. Promised: visitors are
    sent on with valid tokens, an alarm is logged, at most the unrecorded clicks are missing in
    the end, none of those before, and all is well again once there is room.
    """
    with (
        stage() as here,
        _small_disk(here.data_dir),
        proxy_to(here.url, seed) as way,
        here.service(DATABASE_URL=way.url) as service,
    ):
        filler = here.data_dir / "filler"

        def fill() -> None:
            way.tell("refuse")
            _fill(filler)

        def empty() -> None:
            filler.unlink()
            way.tell("pass")

        turns = (fill, service.child("app.main").kill, empty)
        return _without_a_disk(here, service, seed, turns, phase_s)


def unsynced(seed: int, *, phase_s: float = 8.0) -> Figures:
    """Each fsync and fdatasync fails with EIO in every process of the service, for a while.

    Promised: as for the full disk.
    """
    with stage() as here:
        return without_sync(here, seed, phase_s)


def without_sync(here: Stage, seed: int, phase_s: float) -> Figures:
    shim = preload(here.folder)
    with here.service(**shim.environment) as service:
        turns = (
            partial(shim.break_sync, broken=True),
            service.child("app.main").kill,
            partial(shim.break_sync, broken=False),
        )
        return _without_a_disk(here, service, seed, turns, phase_s)


def _without_a_disk(
    here: Stage,
    service: Service,
    seed: int,
    turns: tuple[Callable[[], None], Callable[[], None], Callable[[], None]],
    phase_s: float,
) -> Figures:
    """turns: break the disk, kill the web process, mend the disk."""
    breaks, kill, mends = turns
    with here.crowd(service, seed, rate=RATE).visiting() as told:
        time.sleep(phase_s)
        before = len(told.answers)
        breaks()
        service.until(lambda: service.get("/readyz/redirect") == 503)
        service.until(lambda: '"journal.failed"' in service.log.read_text())
        time.sleep(phase_s)
        promise(not told.cut_off, f"{told.cut_off} were cut off")
        kill()
        time.sleep(phase_s)
        broken = len(told.answers)
        mends()
        ready_s = service.ready("redirect")
        time.sleep(phase_s)
    promise(not told.refused, f"{dict(told.refused)}")
    unrecorded = int(here.metric(UNRECORDED))
    promise(unrecorded > 0, "no click counts as unrecorded")
    account = here.account(told, unrecorded=unrecorded)
    safe = Told(told.answers[:before])
    here.account(safe)
    return {
        "unrecorded": unrecorded,
        "answered_while_broken": broken - before,
        "missing": account.unstored,
        "cut_off_by_the_kill": told.cut_off,
        "ready_again_s": round(ready_s, 1),
        **account.figures,
    }


@contextmanager
def _small_disk(folder: Path) -> Iterator[None]:
    folder.mkdir()
    image = folder.with_name("disk.img")
    image.write_bytes(b"")
    os.truncate(image, DISK_BYTES)
    subprocess.run(["mkfs.ext4", "-q", "-m", "0", image], check=True)
    if subprocess.run(["mount", "-o", "loop", image, folder], check=False).returncode:
        raise SystemExit("a file system has to be mounted: run this as root, or leave `full` out")
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


def _fill(path: Path) -> None:
    """Take all that is free, down to the last block."""
    with path.open("wb") as file:
        for size in (1_000_000, 4_096):
            try:
                while True:
                    file.write(bytes(size))
                    file.flush()
            except OSError:
                continue
        os.fsync(file.fileno())
