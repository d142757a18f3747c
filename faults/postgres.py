"""Postgres killed, stopped, slow, cut off, away at the start: visitors must not notice."""

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial

import psutil

from faults.proxy import proxy_to
from faults.stage import CODES, DRAINED_S, Figures, Stage, promise, stage
from faults.visitors import Told
from tests.service import Service

RATE = 300
P99_TIMES = 1.5
Span = tuple[float, float]


@dataclass(frozen=True)
class Turns:
    """Healthy and troubled phases in turns, so that both kinds see the same machine."""

    times: int
    phase_s: float


def killed(seed: int, *, times: int = 8, phase_s: float = 5.0) -> Figures:
    """Kill -9 of the embedded server's postmaster, which the parent starts again."""
    dice = random.Random(seed)

    def kill(service: Service) -> None:
        time.sleep(dice.uniform(0, 1))
        service.postmaster().kill()
        time.sleep(phase_s - 1)

    with stage(owned=True) as here, here.service() as service, _web_apart(service):
        return _in_turns(here, service, seed, lambda: kill(service), Turns(times, phase_s)) | {
            "kills": times
        }


def stopped(seed: int, *, stop_s: float = 60.0) -> Figures:
    """Every process of the embedded server is stopped (SIGSTOP) for a minute, then goes on."""

    def stop(service: Service) -> None:
        postmaster = service.postmaster()
        frozen = [postmaster, *postmaster.children(recursive=True)]
        _signal(frozen, signal.SIGSTOP)
        try:
            time.sleep(stop_s)
        finally:
            _signal(frozen, signal.SIGCONT)

    with stage(owned=True) as here, here.service() as service:
        return _in_turns(here, service, seed, lambda: stop(service), Turns(1, stop_s / 2))


def slow(seed: int, *, times: int = 3, phase_s: float = 15.0, delay_s: float = 0.1) -> Figures:
    """Each answer of Postgres, and each question, takes 100 ms longer."""
    with stage() as here:
        return _through_a_proxy(here, seed, f"slow {delay_s}", Turns(times, phase_s)) | {
            "delay_s": delay_s
        }


def resets(seed: int, *, times: int = 3, phase_s: float = 15.0, mean_s: float = 1.0) -> Figures:
    """Every connection to Postgres is reset at random, after a second on average."""
    with stage() as here:
        return _through_a_proxy(here, seed, f"reset {mean_s}", Turns(times, phase_s)) | {
            "reset_after_s": mean_s
        }


def hangs(seed: int, *, times: int = 3, phase_s: float = 15.0) -> Figures:
    """Postgres takes connections and never answers, as behind a firewall that drops packets."""
    with stage() as here:
        return _through_a_proxy(here, seed, "hang", Turns(times, phase_s))


def cold(seed: int, *, orders: tuple[str, ...] = ("refuse", "hang")) -> Figures:
    """A start while Postgres can't be reached; every link of 10,000 is opened.

    Promised: each redirects, and the clicks arrive once Postgres is back.
    """
    figures: Figures = {"links": len(CODES)}
    told = Told()
    with stage() as here, proxy_to(here.url, seed) as way:
        with here.service(DATABASE_URL=way.url):
            pass
        for number, order in enumerate(orders):
            way.tell(order)
            with here.starting(DATABASE_URL=way.url) as service:
                figures[f"{order}_ready_s"] = round(service.ready("redirect"), 1)
                crowd = here.crowd(service, seed + number)
                with crowd.visiting(each_once=True) as opened:
                    service.until(partial(_all_answered, opened), 60)
                promise(not opened.refused and not opened.cut_off, f"{opened.refused}, {order}")
                told.answers += opened.answers
                way.tell("pass")
                account = here.account(told)
        return figures | account.figures


def _through_a_proxy(here: Stage, seed: int, order: str, turns: Turns) -> Figures:
    """Trouble of the proxy's: the service knows Postgres by its address only."""
    with (
        proxy_to(here.url, seed) as way,
        here.service(DATABASE_URL=way.url) as service,
        _web_apart(service, way.process.pid, here.postmaster),
    ):

        def trouble() -> None:
            way.tell(order)
            time.sleep(turns.phase_s)
            way.tell("pass")

        return _in_turns(here, service, seed, trouble, turns)


def _in_turns(
    here: Stage, service: Service, seed: int, trouble: Callable[[], None], turns: Turns
) -> Figures:
    """Both kinds of phases under a steady load, then the account.

    Promised: every answer is a 302, p99 at most 1.5 times the healthy one, the backlog is
    drained within 60 s, and the counts are equal.
    """
    healthy: list[Span] = []
    troubled: list[Span] = []
    backlogs, drained_s = [0], [0.0]
    with here.crowd(service, seed, rate=RATE).visiting() as told:
        time.sleep(min(turns.phase_s, 2))
        for _ in range(turns.times):
            healthy.append(_during(partial(time.sleep, turns.phase_s)))
            troubled.append(_during(trouble))
            backlogs.append(here.in_journals())
            # Healthy means: the backlog is gone, too.
            drained_s.append(service.until(lambda: here.in_journals() < RATE, DRAINED_S))
        healthy.append(_during(partial(time.sleep, turns.phase_s)))
    promise(not told.refused and not told.cut_off, f"{told.refused}, {told.cut_off} cut off")
    usual, meanwhile = told.p99_ms(*healthy), told.p99_ms(*troubled)
    figures = {
        "per_s": RATE,
        "p99_healthy_ms": round(usual, 1),
        "p99_ms": round(meanwhile, 1),
        "times": round(meanwhile / usual, 2),
        "backlog": max(backlogs),
        "backlog_s": round(max(drained_s), 1),
    }
    # Of feed, drain and look-ups: without any the fault was none.
    figures["failed_rounds"] = int(here.metric("finderfee_redirect_failures_total"))
    account = here.account(told)
    promise(meanwhile <= P99_TIMES * usual, f"p99 {figures}")
    return figures | account.figures


def _all_answered(told: Told) -> bool:
    return len(told.answers) == len(CODES)


@contextmanager
def _web_apart(service: Service, *others: int) -> Iterator[None]:
    """The web process and we on one core; the other cores for the rest, and what it starts.

    Backends that die or are made by the dozen fill two cores for half a second. What is asked is
    whether visitors wait for Postgres, not whether both fit on one machine. others: processes
    that belong to it too, with their children.
    """
    cores = os.sched_getaffinity(0)
    own = {min(cores)}
    web = service.child("app.main").pid
    roots = [psutil.Process(pid) for pid in others]
    apart = [found for root in roots for found in (root, *root.children(recursive=True))]
    for process in (*service.everything(), *apart):
        for thread in process.threads():
            os.sched_setaffinity(thread.id, own if process.pid == web else cores - own or own)
    os.sched_setaffinity(0, own)
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def _during(what: Callable[[], None]) -> Span:
    began = time.monotonic()
    what()
    return began, time.monotonic()


def _signal(processes: list[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)
