"""The order of fsync and 302, as strace saw it, and what a power cut would have left."""

import random
import re
import shutil
from bisect import bisect_right
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from uuid import UUID

from app.core.click_token import LENGTH, verify
from app.redirect.drain import empty_orphans
from faults.proxy import proxy_to
from faults.stage import KEYS, Figures, Stage, promise, run, stage
from faults.traced import Call, read, traced
from faults.visitors import TOKEN

REQUESTS = 3_000
VISITORS = 8
_JOURNAL = re.compile(r"journal-\d+\.log")
_SYNCS = ("fdatasync", "fsync")
_SENDS = ("write", "writev", "sendto", "sendmsg")


@dataclass(frozen=True)
class Recording:
    """A web process whose clicks stay in its journal. files: as they were before the first call."""

    calls: list[Call]
    files: dict[str, bytes]
    """By name: the journal."""
    names: dict[int, str]
    """By descriptor: whoever reads has some of its own."""

    def answers(self) -> Iterator[tuple[Call, UUID]]:
        """Each 302 as it went to a socket, with its click id."""
        for call in self.calls:
            if call.name in _SENDS:
                for head in call.written.split(b"HTTP/1.1 302 ")[1:]:
                    token = verify(head.partition(TOKEN)[2][:LENGTH].decode(), KEYS)
                    promise(token is not None, "a 302 without a valid token")
                    assert token
                    yield call, token.click_id

    def disk_at(self, place: int, *, synced_only: bool = True) -> dict[str, bytes]:
        """The files as the latest fsync before that place left each, all later writes lost."""
        found = {}
        for name, before in self.files.items():
            calls = [
                call
                for call in self.calls
                if self.names.get(call.descriptor) == name and call.ended < place
            ]
            synced = max((c.began for c in calls if c.name in _SYNCS and c.result == 0), default=-1)
            image = bytearray(before)
            for call in calls:
                if call.ended < synced or not synced_only:
                    _apply(call, image)
            found[name] = bytes(image)
        return found


def order(seed: int, *, requests: int = REQUESTS) -> Figures:
    """Promised: an fsync of what holds the click returned 0 before the first byte of its 302."""
    with stage() as here:
        return synced_first(recorded(here, seed, requests))


def cut(seed: int, *, requests: int = REQUESTS, cuts: int = 20) -> Figures:
    """Power cuts at random moments: all that no fsync has confirmed is thrown away, then drained.

    Promised: every click that was answered by then reaches Postgres.
    """
    with stage() as here:
        recording = recorded(here, seed, requests)
        return drained_after_cuts(here, recording, random.Random(seed), cuts)


def recorded(here: Stage, seed: int, requests: int) -> Recording:
    """Visitors under strace, with Postgres away, so that nothing leaves the journal."""
    with proxy_to(here.url, seed) as way, here.service(DATABASE_URL=way.url) as service:
        way.tell("refuse")
        web = service.child("app.main")
        opened = _opened_by(web.pid)
        names = {n: path.name for n, path in opened.items() if _JOURNAL.fullmatch(path.name)}
        files = {path.name: path.read_bytes() for n, path in opened.items() if n in names}
        with (
            traced(web, here.folder / "trace"),
            here.crowd(service, seed, visitors=VISITORS).visiting() as told,
        ):
            service.until(lambda: len(told.answers) >= requests)
    promise(len(files) == 1, f"not one journal: {list(files)}")
    return Recording(read(here.folder / "trace"), files, names)


def _opened_by(pid: int) -> dict[int, Path]:
    """By descriptor. Connections that fail come and go meanwhile."""
    found = {}
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            found[int(link.name)] = link.readlink()
    return found


def synced_first(recording: Recording) -> Figures:
    calls, answers = recording.calls, list(recording.answers())
    promise(bool(answers), "no 302 was seen")
    syncs = [call for call in calls if call.name in _SYNCS and call.result == 0]
    written = _written(calls, [click for _, click in answers])
    gaps = []
    for answer, click in answers:
        promise(click in written, f"{click} was answered and never written")
        write = written[click]
        safe_at = [
            sync.ended_at
            for sync in syncs
            if sync.descriptor == write.descriptor
            and write.ended < sync.began
            and sync.ended < answer.began
        ]
        promise(bool(safe_at), f"{click} was answered before an fsync of it had returned")
        gaps.append(answer.began_at - safe_at[0])
    return {
        "answers": len(answers),
        "fsyncs": len(syncs),
        "fsync_before_302_us_least": round(min(gaps) * 1e6),
    }


def drained_after_cuts(
    here: Stage, recording: Recording, dice: random.Random, cuts: int
) -> Figures:
    answers = list(recording.answers())
    places = [answer.began for answer, _ in answers]
    moments = [*sorted(dice.randint(places[0], places[-1]) for _ in range(cuts)), places[-1] + 1]
    kept, torn = [], 0
    for moment in moments:
        answered = {click for _, click in answers[: bisect_right(places, moment)]}
        disk = recording.disk_at(moment)
        drained = _drained(here, disk)
        missing = answered - drained
        promise(not missing, f"{len(missing)} of {len(answered)} answered clicks lost by a cut")
        kept.append(len(drained))
        torn += disk != recording.disk_at(moment, synced_only=False)
    return {
        "cuts": len(moments),
        "answered": len(answers),
        "kept": kept[-1],
        "with_unsynced_bytes": torn,
    }


def _written(calls: Sequence[Call], clicks: Sequence[UUID]) -> dict[UUID, Call]:
    """Where each click was first written. Few are under way at once, so few are looked for."""
    waiting, found = deque(clicks), {}
    for call in calls:
        if call.name == "pwrite64":
            for click in list(islice(waiting, 4 * VISITORS)):
                if click.bytes in call.written:
                    found[click] = call
                    waiting.remove(click)
    return found


def _apply(call: Call, image: bytearray) -> None:
    if call.name == "pwrite64":
        end = call.offset + call.result
        image.extend(bytes(max(0, end - len(image))))
        image[call.offset : end] = call.written[: call.result]
    elif call.name == "ftruncate":
        del image[call.offset :]


def _drained(here: Stage, disk: dict[str, bytes]) -> set[UUID]:
    """What Postgres, emptied before, gets from a dead process that left these files."""
    data_dir = here.folder / "cut"
    folder = data_dir / "web-1"
    folder.mkdir(parents=True)
    for name, content in disk.items():
        (folder / name).write_bytes(content)
    here.rows("TRUNCATE clicks, link_clicks")
    run(empty_orphans(data_dir, here.url))
    shutil.rmtree(data_dir)
    return here.stored()
