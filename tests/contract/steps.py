"""Stories that messages tell, step by step, and every order in which they may come."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, Protocol, TypeVar

M = TypeVar("M")
M_co = TypeVar("M_co", covariant=True)


class Sendable(Protocol):
    def sent(self, secret: str) -> tuple[bytes, dict[str, str]]:
        """The body, and all headers that come with it, signed now."""
        ...


@dataclass(frozen=True)
class Step(Generic[M_co]):
    """What happened, and what a partner's balance is behind it: pending and held."""

    name: str
    messages: Sequence[M_co]
    pending: int
    held: int = 0

    @property
    def balance(self) -> dict[str, int]:
        """By role, what is not zero."""
        return {role: n for role, n in (("pending", self.pending), ("held", self.held)) if n}


@dataclass(frozen=True)
class Subscriber:
    """number: tells its ids from others'. token: the click. since: when the trial began."""

    number: int
    token: str
    since: datetime


def in_any_order(stories: Iterable[Sequence[Step[M]]], *, twice: int) -> list[list[M]]:
    """The messages of each story, `shuffled`."""
    told = ([one for step in story for one in step.messages] for story in stories)
    return [shuffled(messages, number, twice=twice) for number, messages in enumerate(told)]


def shuffled(messages: Sequence[M], seed: int, *, twice: int) -> list[M]:
    """In an order of its own for each seed. twice: so many of them come again."""
    chance = random.Random(seed)
    told = [*messages, *chance.sample(messages, twice)]
    chance.shuffle(told)
    return told


async def tell_in_turn(
    stories: Sequence[Sequence[M]],
    post: Callable[[M], Awaitable[object]],
    settle: Callable[[], Awaitable[None]],
) -> None:
    """The next few messages of everybody at once, then what can be decided is."""
    left = [list(messages) for messages in stories]
    assert any(left)
    while any(left):
        now = [messages.pop(0) for messages in left for _ in range(min(5, len(messages)))]
        await asyncio.gather(*(post(message) for message in now))
        await settle()
