"""Which core decided: by the number that a decision carries, what decides it again in its way."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final
from uuid import UUID

from app.conversions.canon import outcome_digest
from app.core import fold as latest
from app.core.conversions import Conversion
from app.core.drafts import History
from app.core.fold import Folded
from app.core.settle import Settled, settle
from app.core.transfers import Standing
from app.core.world import World


@dataclass(frozen=True, slots=True)
class Engine:
    """One core: what it decides, what it moves for that, and what it wrote down of it."""

    fold: Callable[[History, World], Folded]
    settle: Callable[[Mapping[UUID, Standing], Iterable[Conversion], Mapping[UUID, int]], Settled]
    digest: Callable[[Folded], bytes]


ENGINES: Final[Mapping[int, Engine]] = MappingProxyType(
    {latest.ENGINE: Engine(latest.fold, settle, outcome_digest)}
)
"""All that ever decided, also in a release before. Nothing is ever taken out of it."""
