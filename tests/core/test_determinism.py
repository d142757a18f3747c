"""Decisions come out the same to the byte in every process, whatever surrounds it."""

import os
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from tests.core.made_worlds import HEARD
from tests.core.pure_road import PureRoad
from tests.core.test_shared_examples import EXAMPLES as SHARED
from tests.core.test_shared_examples import _events as shared_events
from tests.core.test_worked_examples import EXAMPLES, _events, _world

ROOT = Path(__file__).parents[2]
SURROUNDINGS = (
    {"PYTHONHASHSEED": "0", "TZ": "Pacific/Kiritimati", "LC_ALL": "C"},
    {"PYTHONHASHSEED": "4242", "TZ": "America/St_Johns", "LC_ALL": "C.UTF-8"},
    {"PYTHONHASHSEED": "77", "TZ": "", "LANG": "tr_TR.UTF-8"},
)
"""Order of sets, zone and language: what a process has of its own."""


def chains() -> str:
    """The hash of each example's last decision: it covers all facts and outcomes before it."""
    told = [(example, _events(example)) for example in EXAMPLES]
    told += [(example, shared_events(example)) for example in SHARED]
    lines = []
    for example, events in told:
        people = {person for event in events for person in event.people}
        # A new customer's id is the only thing that is made up, and not by the core.
        names = {person: UUID(int=0xAA00 + n) for n, person in enumerate(sorted(people))}
        road = PureRoad(_world(example), names=names)
        for n, event in enumerate(events):
            road.receive(replace(event, received_at=HEARD + timedelta(days=1_500, seconds=n)))
        lines.append(f"{road._chain_hash.hex()} {example['case']}")
    return "\n".join(lines)


def test_decisions_are_the_same_in_every_process() -> None:
    ask = "from tests.core.test_determinism import chains; print(chains())"
    running = [
        subprocess.Popen(
            [sys.executable, "-c", ask],
            cwd=ROOT,
            env={**os.environ, **surroundings, "PYTHONIOENCODING": "utf-8"},
            stdout=subprocess.PIPE,
        )
        for surroundings in SURROUNDINGS
    ]
    answers = [process.communicate(timeout=120)[0].decode().splitlines() for process in running]
    assert [process.returncode for process in running] == [0, 0, 0]
    assert len(answers[0]) == len(EXAMPLES) + len(SHARED)
    for lines in zip(*answers, strict=True):
        assert len(set(lines)) == 1, lines
