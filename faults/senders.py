"""A billing system in a thread of its own: it posts each event until it is acknowledged."""

import asyncio
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx

from tests.contract.stripe_objects import Json, encoded, signed
from tests.e2e.client import WEBHOOK_SECRET

TIMEOUT_S = 30.0
AGAIN_AFTER_S = 0.2


@dataclass
class Sent:
    """All that was answered; read it when everything is sent, or for a look in between."""

    acknowledged: Counter[str] = field(default_factory=Counter)
    """By the sender's id: how often."""
    ids: dict[str, set[str]] = field(default_factory=dict)
    """By the sender's id: every id that we told for it."""
    new: Counter[str] = field(default_factory=Counter)
    """How often we said that it is none we had."""
    refused: Counter[str] = field(default_factory=Counter)
    """Answers that promised nothing, by what they were."""
    over: bool = False
    failure: BaseException | None = None


@contextmanager
def sending(url: str, deliveries: Sequence[Json], *, at_once: int = 16) -> Iterator[Sent]:
    """Deliver in this order, about; the block ends when all are acknowledged."""
    sent = Sent()

    def send() -> None:
        try:
            asyncio.run(_send(url, deque(deliveries), at_once, sent))
        except BaseException as error:
            sent.failure = error
            raise
        finally:
            sent.over = True

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield sent
    finally:
        thread.join()
    if sent.failure is not None:
        raise SystemExit(f"BROKEN: {sent.failure!r}")


async def _send(url: str, left: deque[Json], at_once: int, sent: Sent) -> None:
    async with httpx.AsyncClient(timeout=TIMEOUT_S) as http, asyncio.TaskGroup() as tasks:
        for _ in range(at_once):
            tasks.create_task(_deliver(http, url, left, sent))


async def _deliver(http: httpx.AsyncClient, url: str, left: deque[Json], sent: Sent) -> None:
    while left:
        event = left.popleft()
        while not await _acknowledged(http, url, event, sent):
            await asyncio.sleep(AGAIN_AFTER_S)


async def _acknowledged(http: httpx.AsyncClient, url: str, event: Json, sent: Sent) -> bool:
    body = encoded(event)
    headers = signed(body, WEBHOOK_SECRET, int(time.time()))
    try:
        answer = await http.post(url, content=body, headers=headers)
    except httpx.TransportError as error:
        sent.refused[type(error).__name__] += 1
        return False
    if answer.status_code == 503:
        sent.refused["503 with Retry-After" if "retry-after" in answer.headers else "503"] += 1
        return False
    if answer.status_code != 200:
        raise RuntimeError(f"{event['id']}: {answer.status_code} {answer.text}")
    told = answer.json()
    sent.acknowledged[event["id"]] += 1
    sent.ids.setdefault(event["id"], set()).add(told["event_id"])
    sent.new[event["id"]] += not told["duplicate"]
    return True
