"""kill -9 of web processes, which the parent starts again."""

import random
import time
from contextlib import AbstractContextManager, suppress
from struct import error as StructError  # noqa: N812 (it is an exception's name)

import psutil
from prometheus_client.mmap_dict import MmapedDict

from faults.proxy import proxy_to
from faults.stage import Figures, Stage, promise, stage
from faults.visitors import Told
from tests.service import Service

WORKERS = 4
"""The parent waits longer before each start of a child that keeps dying, 5 s in the end:
with four of them there is mostly one to kill."""
LIVES_S = (0.3, 3.0)
"""Half of them end soon after their first answer, half once they have begun a new file or two."""
LIFE_S = 90.0
_CROWDS = 20
JOURNAL_BYTES = 1_600_000
"""A file holds an eighth: some 1,400 clicks. Left files count with their zeros, 256 kB each."""


def kills(seed: int, *, times: int = 200) -> Figures:
    """Kill a web process at a random moment after its first answer, again and again.

    Promised: no answered click is lost, none is there or counted twice.
    """
    began = time.monotonic()
    with stage() as here, _small_files(here) as service:
        with here.crowd(service, seed, visitors=32).visiting() as told:
            _kill(here, service, random.Random(seed), times)
            service.until(lambda: _web(service) != [], LIFE_S)
        unrecorded = int(here.metric("finderfee_clicks_unrecorded_total"))
        promise(unrecorded == 0, f"{unrecorded} were sent on unrecorded: the budget was used up")
        return {
            "kills": times,
            **here.account(told).figures,
            "cut_off": told.cut_off,
            "refused": dict(told.refused),
            "took_s": round(time.monotonic() - began),
        }


def orphans(seed: int, *, load_s: float = 3.0) -> Figures:
    """Three web processes die for good with clicks that Postgres never saw; two come back.

    Promised: all journals are taken up while the two run, each click once.
    """
    with stage() as here, proxy_to(here.url, seed) as way:
        with here.starting("--workers", "3", DATABASE_URL=way.url) as service:
            # Ready is asked of whichever answers: wait until each has its copy of the links.
            service.until(lambda: len(list(here.data_dir.glob("web-*/journal-*.log"))) == 3)
            service.ready("worker")
            service.until(lambda: service.log.read_text().count("replica.copied") >= 3)
            way.tell("refuse")
            told = _visited_all_three(here, service, seed, load_s)
            service.kill_everything()
        left, orphan = here.in_journals(), here.in_journals("web-3")
        promise(orphan > 0, "the third process left nothing")
        with here.starting("--workers", "2", DATABASE_URL=way.url) as service:
            service.ready("redirect")
            with here.crowd(service, seed + _CROWDS, rate=100).visiting() as later:
                time.sleep(load_s)
                way.tell("pass")
                began = time.monotonic()
                service.until(lambda: not list(here.data_dir.glob("web-3/journal-*.log")), 60)
                orphan_s = time.monotonic() - began
            told.answers += later.answers
            account = here.account(told)
        return {
            "left": left,
            "of_the_third": orphan,
            "taken_up_s": round(orphan_s, 1),
            **account.figures,
        }


def _visited_all_three(here: Stage, service: Service, seed: int, load_s: float) -> Told:
    """Which process takes a visitor's connection is chance: others come until all have some."""
    told = Told()
    for more in range(_CROWDS):
        with here.crowd(service, seed + more).visiting() as told_more:
            time.sleep(load_s)
        told.answers += told_more.answers
        if here.in_journals("web-3"):
            break
    return told


def _small_files(here: Stage) -> AbstractContextManager[Service]:
    return here.service(
        *("--workers", str(WORKERS)), FINDERFEE_JOURNAL_MAX_BYTES=str(JOURNAL_BYTES)
    )


def _kill(here: Stage, service: Service, dice: random.Random, times: int) -> None:
    dies_at: dict[int, float] = {}
    killed: set[int] = set()
    latest = time.monotonic()
    while len(killed) < times:
        promise(time.monotonic() - latest < LIFE_S, f"no web process answered for {LIFE_S} s")
        for process in _web(service):
            if process.pid in killed:
                continue
            if process.pid not in dies_at:
                if _has_answered(here, process.pid):
                    dies_at[process.pid] = time.monotonic() + dice.uniform(0, dice.choice(LIVES_S))
            elif time.monotonic() >= dies_at[process.pid]:
                process.kill()
                killed.add(process.pid)
                latest = time.monotonic()
        time.sleep(0.005)


def _web(service: Service) -> list[psutil.Process]:
    found = []
    for child in psutil.Process(service.process.pid).children():
        with suppress(psutil.NoSuchProcess):
            if child.status() != psutil.STATUS_ZOMBIE and "app.main" in child.cmdline():
                found.append(child)
    return found


def _has_answered(here: Stage, pid: int) -> bool:
    """Whether this very process has sent a visitor on, by what it counts itself."""
    path = here.data_dir / "metrics" / f"counter_{pid}.db"
    with suppress(FileNotFoundError, StructError):  # not there, or not filled yet
        values = MmapedDict.read_all_values_from_file(str(path))  # type: ignore[no-untyped-call]
        return any(value for key, value, *_ in values if "finderfee_redirects_total" in key)
    return False
