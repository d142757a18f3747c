"""Requests at a steady rate, each at its time, however slow the answers before it are.

`python -m bench.open_loop PORT RATE SECONDS FILE`, a process of its own. A latency counts from the
moment when the request was due, so neither a late answer nor our own lateness hides (no
"coordinated omission"). FILE gets the latencies and the click tokens of all answers, as JSON.
No packaged tool does this with a list of 20,000 visitors (wrk, hey and h2load wait for answers).
"""

import gc
import json
import random
import re
import select
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from app.core.click_token import LENGTH
from bench.requests import is_ahead, make_requests

WARM_S = 3
"""At the beginning: loaded like the rest and not reported."""
_WAIT_S = 10
_PARAMETER = b"click_id="
_AHEAD = b"Not fetched ahead"


def token_of(connection: socket.socket) -> str:
    """The click token in the next answer, or "" of the page for what was fetched ahead.

    SystemExit if it is anything else.
    """
    head = b""
    while b"\r\n\r\n" not in head:
        head += _more(connection)
    if head.startswith(b"HTTP/1.1 302"):
        return head.partition(_PARAMETER)[2][:LENGTH].decode()
    head, _, body = head.partition(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head)
    while length and len(body) < int(length[1]):
        body += _more(connection)
    if not head.startswith(b"HTTP/1.1 503") or _AHEAD not in body:
        raise SystemExit(f"not a redirect: {head!r}")
    return ""


def _more(connection: socket.socket) -> bytes:
    more = connection.recv(4_096)
    if not more:
        raise SystemExit("a connection was closed before its answer")
    return more


@dataclass(slots=True)
class Load:
    """One run: idle connections, requests under way, and what came of those that are done."""

    port: int
    most_connections: int = 500
    read: Callable[[socket.socket], str] = token_of
    """Reads an answer and gives what is kept of it as its token; "" of one without."""
    idle: list[socket.socket] = field(default_factory=list)
    due_at: dict[socket.socket, float] = field(default_factory=dict)
    latencies_ms: list[tuple[float, float]] = field(default_factory=list)
    """(when due, how long), in the order of the answers."""
    tokens: list[str] = field(default_factory=list)
    most_late_ms: float = 0
    """The longest that a request of ours left after its time."""

    def run(self, requests: list[bytes], rate: int, *, warm_s: float = WARM_S) -> None:
        began = time.monotonic() + 0.1
        for number, request in enumerate(requests):
            due = began + number / rate
            self._receive_until(due)
            self._send(request, due)
        self._receive_until(time.monotonic() + _WAIT_S, all_there=True)
        for connection in self.idle:
            connection.close()
        if self.due_at:
            raise SystemExit(f"{len(self.due_at)} requests had no answer after {_WAIT_S} s")
        warm = began + warm_s
        self.latencies_ms = [(due, took) for due, took in self.latencies_ms if due >= warm]

    def _send(self, request: bytes, due: float) -> None:
        while not self.idle and len(self.due_at) >= self.most_connections:
            self._receive_until(time.monotonic() + 0.001)
        connection = self.idle.pop() if self.idle else connect(self.port)
        connection.sendall(request)
        self.most_late_ms = max(self.most_late_ms, (time.monotonic() - due) * 1_000)
        self.due_at[connection] = due

    def _receive_until(self, until: float, *, all_there: bool = False) -> None:
        while (left := until - time.monotonic()) > 0 and not (all_there and not self.due_at):
            # `select` waits to the microsecond, where epoll and uvloop round to milliseconds.
            for connection in select.select(list(self.due_at), (), (), left)[0]:
                self.tokens.append(self.read(connection))
                due = self.due_at.pop(connection)
                self.latencies_ms.append((due, (time.monotonic() - due) * 1_000))
                self.idle.append(connection)


def connect(port: int) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=_WAIT_S)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def main(port: int, rate: int, seconds: int, result: Path) -> None:
    chance, source = random.Random(5), make_requests()
    requests = [source.draw(chance) for _ in range(rate * (WARM_S + seconds))]
    gc.disable()  # a pause of ours would be taken for one of the server's
    load = Load(port)
    load.run(requests, rate)
    ahead = sum(is_ahead(request.decode()) for request in requests)
    if load.tokens.count("") != ahead:
        raise SystemExit(f"{ahead} were fetched ahead, {load.tokens.count('')} got the page for it")
    found = {
        "latencies_ms": [took for _, took in load.latencies_ms],
        "most_late_ms": load.most_late_ms,
        "tokens": [token for token in load.tokens if token],
        "ahead": ahead,
    }
    result.write_text(json.dumps(found))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]))
