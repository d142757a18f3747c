"""`make faults`: every fault in turn, or those named: `python -m faults kills --seed 7`."""

import argparse
import logging
import secrets
import sys
import time
from collections.abc import Callable

import structlog

from bench.__main__ import machine
from faults import clock, disk, intake, kills, order, postgres, replay
from faults.stage import Figures

FAULTS: dict[str, Callable[[int], Figures]] = {
    "kills": kills.kills,
    "orphans": kills.orphans,
    "killed": postgres.killed,
    "stopped": postgres.stopped,
    "slow": postgres.slow,
    "resets": postgres.resets,
    "hangs": postgres.hangs,
    "cold": postgres.cold,
    "full": disk.full,
    "unsynced": disk.unsynced,
    "clock": clock.clock,
    "late": clock.late,
    "order": order.order,
    "cut": order.cut,
    "workers": intake.workers,
    "replay": replay.replay,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m faults", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*FAULTS, []], metavar="name")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10_000))
    given = parser.parse_args()
    # What is used of the product in this process reports to nobody: the figures do.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    print(machine(), flush=True)
    for name in given.names or FAULTS:
        began = time.monotonic()
        print(f"{name:9} seed={given.seed}", end=" ", flush=True)
        try:
            figures = FAULTS[name](given.seed)
        except AssertionError as error:  # what was waited for did not come in time
            raise SystemExit(f"BROKEN: {error}") from error
        shown = " ".join(f"{key}={value}" for key, value in figures.items())
        print(f"{shown} ({time.monotonic() - began:.0f} s)", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
