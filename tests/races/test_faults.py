"""Short forms of `make faults`: the ones that no other test shows."""

import random
import secrets
import shutil
from pathlib import Path

import pytest

from faults.disk import without_sync
from faults.intake import under_kills
from faults.order import drained_after_cuts, recorded, synced_first
from faults.replay import range_under_kills
from faults.stage import Stage, make_links


@pytest.fixture
async def here(tmp_path: Path, fresh_database_url: str) -> Stage:
    await make_links(fresh_database_url)
    return Stage(tmp_path, fresh_database_url, embedded=False)


@pytest.fixture
def seed() -> int:
    return secrets.randbelow(10_000)


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
def test_a_302_leaves_after_the_fsync_and_a_power_cut_loses_nothing_answered(
    here: Stage, seed: int
) -> None:
    recording = recorded(here, seed, requests=200)
    assert synced_first(recording)["answers"] >= 200
    figures = drained_after_cuts(here, recording, random.Random(seed), cuts=4)
    assert figures["kept"] >= 200


@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")
def test_visitors_are_sent_on_while_fsync_fails(here: Stage, seed: int) -> None:
    figures = without_sync(here, seed, phase_s=0.5)
    assert figures["missing"] <= figures["unrecorded"]


def test_events_thrice_and_shuffled_are_decided_once_while_workers_are_killed(
    here: Stage, seed: int
) -> None:
    with here.service() as service:
        figures = under_kills(here, service, seed, events=400, kills=(2, 0), days=100)
    assert figures["events"] >= 400
    assert figures["commissions"] > 20
    assert figures["settled"] > 2


def test_a_range_is_replayed_once_while_its_worker_is_killed(here: Stage, seed: int) -> None:
    with here.service() as service:
        figures = range_under_kills(here, service, seed, events=600, kills=1)
    assert figures["applied"] == 300
