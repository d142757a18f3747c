"""News on both sides of a close is folded in steps, so that what closed between stays closed."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from app.core.conversions import Conversion
from app.core.events import Event
from app.core.world import World


def next_step(
    news: Sequence[Event], prior: Iterable[Conversion], world: World
) -> tuple[datetime, tuple[Event, ...]]:
    """The receipt that counts as "now" for the close, and the news to fold at once.

    news: not empty, in order of receipt. prior: the conversions as they stand before the step.
    """
    as_of, until = news[0].received_at, news[-1].received_at
    if as_of == until:
        return as_of, tuple(news)
    closes = (close for close in _closes(news, tuple(prior), world) if as_of <= close < until)
    boundary = min(closes, default=until)
    return as_of, tuple(event for event in news if event.received_at <= boundary)


def _closes(news: Sequence[Event], prior: Sequence[Conversion], world: World) -> Iterable[datetime]:
    """Every instant at which something recorded may close, whatever the step makes of it.

    News may move a conversion to another program or time, so that it closes sooner than it would
    as it stands. A step too many changes nothing, one too few would let late news in.
    """
    as_of = news[0].received_at
    terms = [version.plan for program in world.programs.values() for version in program.plans]
    happened = {c.occurred_at for c in prior} | {event.occurred_at for event in news}
    for conversion in prior:
        hold_until = conversion.hold_until
        if hold_until is not None and hold_until < as_of:
            continue
        if hold_until is not None:
            yield hold_until
        for plan in terms:
            hold, late = timedelta(days=plan.hold_days), timedelta(days=plan.late_days)
            yield from (max(at + hold, conversion.recorded_at + late) for at in happened)
            # What is earned may come under terms by which it has closed already, with this news.
            if hold_until is not None:
                yield max(as_of, min(happened) + hold, conversion.recorded_at + late)
