"""Which touches of a customer are judged, in which order, and which programs go before others."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from app.core.events import (
    ClickTouch,
    CodeTouch,
    DealTouch,
    InvalidToken,
    ReferrerTouch,
    SelfReportedTouch,
    Touch,
)
from app.core.occasions import CLOCK_SKEW

T = TypeVar("T", CodeTouch, ReferrerTouch, SelfReportedTouch)


def in_order(touches: Sequence[Touch], sold_at: datetime) -> Iterator[Touch]:
    """Each click once, of each lead the latest entry, of what is told often the first and the last
    time until a sale; each kind by its times, invalid tokens first.
    """
    yield from (t for t in touches if isinstance(t, InvalidToken))
    clicks = {t.click_id: t for t in touches if isinstance(t, ClickTouch)}
    yield from sorted(clicks.values(), key=lambda t: (t.at, t.click_id))
    deals = sorted((t for t in touches if isinstance(t, DealTouch)), key=lambda t: t.number)
    latest = {t.deal_id: t for t in deals}
    yield from sorted(latest.values(), key=lambda t: (t.at, t.deal_id))
    until = sold_at + CLOCK_SKEW
    codes = [t for t in touches if isinstance(t, CodeTouch)]
    yield from _uses(codes, lambda t: t.code, until)
    referrers = [t for t in touches if isinstance(t, ReferrerTouch)]
    yield from _uses(referrers, lambda t: f"{t.partner_id}{t.person}", until)
    said = [t for t in touches if isinstance(t, SelfReportedTouch)]
    yield from _uses(said, lambda t: f"{t.partner_id}{t.code}", until)


def place_in(order: Sequence[UUID], program: UUID) -> int:
    """Where a program stands among those that go before others; all others stand last, alike."""
    return order.index(program) if program in order else len(order)


def _uses(touches: Iterable[T], key: Callable[[T], str], until: datetime) -> list[T]:
    """Of what is told again and again, the first and the last time until then.

    Nothing until then: the first one after it, so that it is told why it doesn't count.
    """
    uses: dict[str, list[T]] = defaultdict(list)
    for touch in sorted(touches, key=lambda t: (t.at, key(t))):
        uses[key(touch)].append(touch)
    kept: list[T] = []
    for same in uses.values():
        in_time = [touch for touch in same if touch.at <= until] or same[:1]
        kept += in_time[:1] if in_time[0] == in_time[-1] else (in_time[0], in_time[-1])
    return sorted(kept, key=lambda t: (t.at, key(t)))
