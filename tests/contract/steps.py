"""Stories that signed messages tell, step by step."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


class Sendable(Protocol):
    def sent(self, secret: str) -> tuple[bytes, dict[str, str]]:
        """The body, and all headers that come with it, signed now."""
        ...


@dataclass(frozen=True)
class Step:
    """What happened, and what a partner's balance is behind it: pending and held."""

    name: str
    messages: Sequence[Sendable]
    pending: int
    held: int = 0
