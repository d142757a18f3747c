"""As many redirects as 64 connections bring: each asks again as soon as it is answered.

wrk is the faster client but reads no answer, and leaves without those that are under way. This one
reads each, keeps its click id, and waits for the last.
"""

import select
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing

from bench.open_loop import connect, token_of
from bench.requests import is_ahead
from bench.wrk import CONNECTIONS

_WAIT_S = 10


def burst(port: int, requests: Iterator[bytes], seconds: float) -> list[str]:
    """The click token of each answer; "" where a page was due to what was fetched ahead.

    requests: endless. SystemExit if an answer is not the one that its request should have.
    """
    tokens: list[str] = []
    asked: dict[socket.socket, bytes] = {}
    with ExitStack() as opened:
        idle = [opened.enter_context(closing(connect(port))) for _ in range(CONNECTIONS)]
        until = time.monotonic() + seconds
        for connection in idle:
            asked[connection] = next(requests)
            connection.sendall(asked[connection])
        while asked:
            answered = select.select(list(asked), (), (), _WAIT_S)[0]
            if not answered:
                raise SystemExit(f"{len(asked)} requests had no answer after {_WAIT_S} s")
            for connection in answered:
                tokens.append(token_of(connection))
                request = asked.pop(connection)
                if (tokens[-1] == "") != is_ahead(request.decode()):
                    raise SystemExit(f"not the answer to {request!r}")
                if time.monotonic() < until:
                    asked[connection] = next(requests)
                    connection.sendall(asked[connection])
    return tokens
