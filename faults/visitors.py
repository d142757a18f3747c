"""Visitors in a thread of their own, on keep-alive connections: what they asked and were told."""

import asyncio
import math
import random
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from statistics import median
from uuid import UUID

import uvloop

from app.core import click_token

TIMEOUT_S = 30.0
PIECE_S = 5.0
HEADERS = "Host: go.example\r\nUser-Agent: Mozilla/5.0\r\n"
TOKEN = b"click_id="
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(frozen=True, slots=True)
class Answer:
    """A 302. at: when it was due to be asked (monotonic)."""

    at: float
    took_s: float
    token: str


@dataclass
class Told:
    """All that the visitors saw; read it when they have left, or for a look in between."""

    answers: list[Answer] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    """Answers other than 302 and time-outs, by what they were."""
    cut_off: int = 0
    """Connections that ended before an answer."""

    def ids(self, keys: Sequence[bytes]) -> set[UUID]:
        """The click id of each answer; each has to be signed by our key, and none comes twice."""
        found = set()
        for answer in self.answers:
            token = click_token.verify(answer.token, keys)
            if token is None:
                raise SystemExit(f"a 302 without a valid token: {answer.token!r}")
            found.add(token.click_id)
        if len(found) != len(self.answers):
            raise SystemExit(f"{len(self.answers) - len(found)} click ids were handed out twice")
        return found

    def p99_ms(self, *spans: tuple[float, float]) -> float:
        """Of the answers that were due within the spans (monotonic): the median of pieces of 5 s.

        What else the machine does comes in bursts, and shall not decide.
        """
        pieces: dict[tuple[float, int], list[float]] = {}
        for answer in self.answers:
            for begin, end in spans:
                if begin <= answer.at < end:
                    piece = (begin, int((answer.at - begin) / PIECE_S))
                    pieces.setdefault(piece, []).append(answer.took_s)
        most = max(len(piece) for piece in pieces.values())
        whole = [sorted(piece) for piece in pieces.values() if len(piece) > most / 2]
        return median(piece[len(piece) * 99 // 100] for piece in whole) * 1_000


class Crowd:
    """Visitors until told to leave. rate: requests/s in all; 0: each asks as soon as answered."""

    def __init__(
        self, port: int, codes: Sequence[str], seed: int, *, rate: int = 0, visitors: int = 16
    ) -> None:
        self.told = Told()
        self._port, self._codes, self._rate, self._visitors = port, codes, rate, visitors
        self._dice = random.Random(seed)
        self._left: list[str] | None = None
        self._over = threading.Event()
        self._idle: deque[Streams] = deque()
        self._open: set[asyncio.StreamWriter] = set()

    @contextmanager
    def visiting(self, *, each_once: bool = False) -> Iterator[Told]:
        """each_once: they open every code one time instead of random ones for ever."""
        if each_once:
            self._left = list(self._codes)
        failed: list[BaseException] = []

        def visit() -> None:
            try:
                with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                    runner.run(self._all())
            except BaseException as error:  # noqa: BLE001 (handed to the thread that waits)
                failed.append(error)

        thread = threading.Thread(target=visit)
        thread.start()
        try:
            yield self.told
        finally:
            self._over.set()
            thread.join()
        if failed:
            raise SystemExit(f"the visitors failed: {failed[0]!r}")

    async def _all(self) -> None:
        async with asyncio.TaskGroup() as group:
            if self._rate:
                await self._arrive(group)
            else:
                for _ in range(self._visitors):
                    group.create_task(self._stay())
        for writer in list(self._open):
            writer.close()

    async def _arrive(self, group: asyncio.TaskGroup) -> None:
        """One visitor after the other at the rate, however long the earlier ones take."""
        began, number = time.monotonic(), 0
        while not self._over.is_set():
            due = began + number / self._rate
            number += 1
            if (wait_s := due - time.monotonic()) > 0:
                # uvloop counts milliseconds and would spin for less, on a core of two.
                await asyncio.sleep(math.ceil(wait_s * 1_000) / 1_000)
            group.create_task(self._ask(due))

    async def _stay(self) -> None:
        while not self._over.is_set() and self._left != []:
            if not await self._ask(time.monotonic()):
                await asyncio.sleep(0.01)

    async def _ask(self, due: float) -> bool:
        """One request on a free connection, or on a new one."""
        code = self._left.pop() if self._left else self._dice.choice(self._codes)
        streams: Streams | None = None
        try:
            async with asyncio.timeout(TIMEOUT_S):
                streams = await self._connection()
                streams[1].write(f"GET /r/{code} HTTP/1.1\r\n{HEADERS}\r\n".encode())
                head = await streams[0].readuntil(b"\r\n\r\n")
        except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
            if isinstance(error, TimeoutError):
                self.told.refused["time-out"] += 1
            self.told.cut_off += 1
            if streams:
                await self._end(streams)
            return False
        status = head[9:12].decode()
        if status != "302":
            # Its body may follow: not on this connection any more.
            self.told.refused[status] += 1
            await self._end(streams)
            return False
        token = head.partition(TOKEN)[2][: click_token.LENGTH].decode()
        self.told.answers.append(Answer(due, time.monotonic() - due, token))
        self._idle.append(streams)
        return True

    async def _connection(self) -> Streams:
        while self._idle:
            streams = self._idle.pop()
            if not streams[0].at_eof():
                return streams
            await self._end(streams)
        streams = await asyncio.open_connection("127.0.0.1", self._port)
        self._open.add(streams[1])
        return streams

    async def _end(self, streams: Streams) -> None:
        self._open.discard(streams[1])
        streams[1].close()
        with suppress(OSError):
            await streams[1].wait_closed()
