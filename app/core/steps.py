"""News on both sides of a close is folded in steps, so that what closed between stays closed."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from app.core.conversions import Conversion
from app.core.events import Event
from app.core.fold import closings
from app.core.world import World


def next_step(
    news: Sequence[Event], prior: Iterable[Conversion], world: World
) -> tuple[datetime, tuple[Event, ...]]:
    """The receipt that counts as "now" for the close, and the news to fold at once.

    news: not empty, in order of receipt. prior: the conversions as they stand before the step.
    """
    as_of = news[0].received_at
    boundary = next((instant for instant in closings(prior, world) if instant >= as_of), None)
    if boundary is None:
        return as_of, tuple(news)
    return as_of, tuple(event for event in news if event.received_at <= boundary)
