"""Numbers of changes that the feed has not seen, though it has seen higher ones.

A number is given before its transaction commits, or never does. Whoever took one has written
before, and so has a transaction's number and the lock of the table until its end: once nobody has
that lock, or all that ran when the gap was seen has ended, the gap is filled or stays empty.
"""

import asyncio
import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from app.redirect.postgres import Connection

UNLISTED: Final = 0
"""Stands for all gaps that are not listed, and is no change's number: when it has settled, only a
full copy tells what came. Below every number that is kept, so a start with it copies, too.
"""
_MAX_GAPS: Final = 10_000
_LISTED_S: Final = 60
"""Of the numbers that a copy misses, those of the last minute are listed."""
_PATIENCE_S: Final = 1.0
"""How long a copy waits for whoever writes links just then."""
_ASK_AGAIN_S: Final = 0.05
_MISSING: Final = f"""
    SELECT number FROM generate_series(greatest($2::bigint, coalesce((
        SELECT number FROM link_changes WHERE changed_at < (
            SELECT changed_at FROM link_changes WHERE number <= $1 ORDER BY number DESC LIMIT 1
        ) - make_interval(secs => $3) ORDER BY changed_at DESC LIMIT 1
    ), 0)), $1) AS number
    WHERE NOT EXISTS (SELECT FROM link_changes WHERE link_changes.number = number.number)
    ORDER BY number DESC LIMIT {_MAX_GAPS}
"""
_RUNNING: Final = """
    SELECT pg_snapshot_xmin(running)::text::bigint AS oldest,
           pg_snapshot_xmax(running)::text::bigint AS next,
           EXISTS (
               SELECT FROM pg_locks
               WHERE relation = 'link_changes'::regclass AND mode = 'RowExclusiveLock'
                   AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
           ) AS writing
    FROM pg_current_snapshot() AS running
"""


class Gaps:
    """Of one connection, bounded."""

    def __init__(self, connection: "Connection") -> None:
        self._connection = connection
        self._first_not_theirs: dict[int, int | None] = {}
        """Each gap → the first transaction that can't fill it; none: not known yet."""

    def numbers(self) -> tuple[int, ...]:
        return tuple(self._first_not_theirs)

    async def settled(self) -> set[int]:
        """The gaps that are filled by now, for whoever looks after this, or never will be."""
        gaps = self._first_not_theirs
        if not gaps:
            return set()
        running = await self._connection.fetchrow(_RUNNING)
        assert running is not None  # one row, whatever runs
        if not running["writing"]:
            return set(gaps)
        settled = set()
        for number, first_not_theirs in gaps.items():
            if first_not_theirs is None:
                gaps[number] = running["next"]
            elif first_not_theirs <= running["oldest"]:
                settled.add(number)
        return settled

    def add(self, missing: Sequence[int]) -> None:
        gaps = self._first_not_theirs
        listed = missing[-_MAX_GAPS:]
        gaps.update(dict.fromkeys(listed))
        too_many = list(gaps)[: max(0, len(gaps) - _MAX_GAPS)]
        self.remove(too_many)
        if too_many or len(listed) < len(missing):
            gaps[UNLISTED] = None

    def add_between(self, last: int, numbers: Iterable[int]) -> None:
        """Those above `last` that these numbers, in their order, leave out."""
        for number in numbers:
            if number > last:
                self.add(range(last + 1, number))
                last = number

    def remove(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            self._first_not_theirs.pop(number, None)

    async def add_below(self, newest: int, oldest: int) -> None:
        """Before a copy, which sees what has ended by then: what may come below `newest` after it.

        In place of all gaps there were.
        """
        self._first_not_theirs = {UNLISTED: None}
        until = time.monotonic() + _PATIENCE_S
        while UNLISTED not in await self.settled():
            if time.monotonic() >= until:
                found = await self._connection.fetch(_MISSING, newest, oldest, float(_LISTED_S))
                self.add([record["number"] for record in found])
                return
            await asyncio.sleep(_ASK_AGAIN_S)
        self._first_not_theirs.clear()
