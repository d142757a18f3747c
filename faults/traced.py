"""What a web process did with its files and sockets, in order, as strace saw it."""

import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

_CALLS = "pwrite64,ftruncate,fdatasync,fsync,write,writev,sendto,sendmsg"
_LINE = re.compile(r"(\d+) +([\d.]+) (?:<\.\.\. )?(\w+)( resumed>|\()(.*?)(?:\) += (-?\d+).*)?$")
_TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
_LAST_NUMBER = re.compile(r"(\d+)$")


@dataclass(frozen=True, slots=True)
class Call:
    """began, ended: places in the order of all beginnings and ends; at: when it began (s)."""

    name: str
    descriptor: int
    written: bytes
    offset: int
    """Where `pwrite64` wrote, or the length that `ftruncate` set."""
    result: int
    began: int
    ended: int
    began_at: float
    ended_at: float


@contextmanager
def traced(process: psutil.Process, into: Path) -> Iterator[None]:
    """Follow all threads of a running process; the file is whole when the block has ended."""
    strace = subprocess.Popen(
        [
            *("strace", "-f", "-ttt", "-xx", "-s", "1000000", "-e", f"trace={_CALLS}"),
            *("-o", into, "-p", str(process.pid)),
        ],
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        deadline = time.monotonic() + 10
        while not _is_followed(process.pid):
            if strace.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"strace can't follow: {strace.communicate()[1]}")
            time.sleep(0.02)
        yield
    finally:
        strace.send_signal(signal.SIGINT)
        strace.communicate()


def read(path: Path) -> list[Call]:
    """The calls in the order in which they ended."""
    calls: list[Call] = []
    unfinished: dict[str, tuple[int, float, str]] = {}
    for number, line in enumerate(path.read_text().splitlines()):
        found = _LINE.match(line)
        if found is None:
            continue
        thread, at, name, kind, rest, result = found.groups()
        began, began_at = number, float(at)
        if kind == " resumed>":
            began, began_at, first = unfinished.pop(thread, (number, float(at), ""))
            rest = first + rest
        if result is None:
            if rest.endswith(" <unfinished ...>"):
                unfinished[thread] = (number, float(at), rest.removesuffix(" <unfinished ...>"))
            continue
        written = b"".join(bytes.fromhex(text.replace("\\x", "")) for text in _TEXT.findall(rest))
        last = _LAST_NUMBER.search(rest)
        descriptor = re.match(r"\d+", rest)
        if descriptor is None:
            continue  # began before we followed
        calls.append(
            Call(
                name,
                int(descriptor[0]),
                written,
                int(last[1]) if last else 0,
                int(result),
                began,
                number,
                began_at,
                float(at),
            )
        )
    return calls


def _is_followed(pid: int) -> bool:
    threads = Path(f"/proc/{pid}/task").glob("*/status")
    return all("TracerPid:\t0\n" not in status.read_text() for status in threads)
