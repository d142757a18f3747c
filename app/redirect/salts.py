"""A random salt per day (UTC) for visitors' hashes: made a day ahead, destroyed after its window.

Postgres is where nodes agree on it and whose clock counts. Each node has it in memory and sealed
on its own disk, and goes on with it while Postgres is away.
"""

import asyncio
import os
import time
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import asyncpg
import structlog

from app.redirect.day_hash import SALT_BYTES, DayHash
from app.redirect.postgres import connect, transaction
from app.redirect.salt_file import SaltFile
from app.secret_keys import SecretKeyError, SecretKeys

if TYPE_CHECKING:
    Connection = asyncpg.Connection[Any]

DAY_S: Final = 86_400
ROUND_S: Final = 30.0
_STATEMENT_S: Final = 5.0
_EPOCH: Final = date(1970, 1, 1)

_READ: Final = """
    SELECT on_day, sealed_salt, extract(epoch FROM clock_timestamp())::float8 AS now_s
    FROM (SELECT) AS always LEFT JOIN visitor_salts ON true
    ORDER BY on_day LIMIT 1000
"""
_OFFER: Final = """
    INSERT INTO visitor_salts (on_day, sealed_salt) VALUES ($1, $2) ON CONFLICT DO NOTHING
"""
_REPLACE: Final = """
    UPDATE visitor_salts SET sealed_salt = $2, made_at = now()
    WHERE on_day = $1 AND sealed_salt = $3
"""

log = structlog.get_logger()


def days_kept(now_s: float, window_s: int) -> tuple[int, ...]:
    """The days whose salts exist now: yesterday's for a window after midnight, and tomorrow's."""
    day, second = divmod(now_s, DAY_S)
    today = int(day)
    return (today - 1, today, today + 1) if second < window_s else (today, today + 1)


class Salts:
    """What one process knows of them: `today` and `yesterday` cost a comparison or two.

    clock: this machine's, in seconds since 1970. Postgres' counts as soon as it was heard.
    """

    def __init__(
        self, file: SaltFile, *, window_s: int, clock: Callable[[], float] = time.time
    ) -> None:
        self._file = file
        self._window_s = window_s
        self._clock = clock
        self._ahead_s = 0.0
        """What Postgres' clock shows more than ours: all nodes turn to a new day at once."""
        self._from_s = self._until_s = self._yesterday_until_s = 0.0
        self._today: DayHash | None = None
        self._yesterday: DayHash | None = None
        self._held = file.read()
        self._forget()
        self._destroy_old()

    def today(self, now_s: float) -> DayHash | None:
        """None if no salt of this day is known: then nobody is hashed."""
        if not self._from_s <= now_s < self._until_s:
            self._turn(now_s)
        return self._today

    def yesterday(self, now_s: float) -> DayHash | None:
        """The day before's, while the windows of its visitors last."""
        if not self._from_s <= now_s < self._until_s:
            self._turn(now_s)
        return self._yesterday if now_s < self._yesterday_until_s else None

    async def keep(self, database_url: str) -> None:
        """Round after round, until one fails: then what is over is gone all the same."""
        while True:
            await self.renew(database_url)
            await asyncio.sleep(ROUND_S)

    async def renew(self, database_url: str) -> None:
        """One round: destroy what is over, here and in Postgres, and agree on what is next."""
        self._forget()
        try:
            await self.agree(database_url)
        finally:
            await asyncio.to_thread(self._file.keep, dict(self._held))

    async def agree(self, database_url: str) -> None:
        """As `renew`, without this node's file."""
        async with connect(database_url, timeout_s=_STATEMENT_S) as connection:
            now_s, sealed = await _read(connection)
            days = days_kept(now_s, self._window_s)
            if await self._offer(connection, days[-2:], sealed):
                _, sealed = await _read(connection)
            opened = {day: self._open(day, sealed[day]) for day in days if day in sealed}
            agreed = {day: salt for day, salt in opened.items() if salt is not None}
            self._ahead_s = now_s - self._clock()
            self._hold({day: salt for day, salt in (self._held | agreed).items() if day in days})
            if sealed.keys() - set(days):
                await _destroy_others(connection, days)

    async def _offer(
        self, connection: "Connection", days: tuple[int, ...], sealed: Mapping[int, bytes]
    ) -> bool:
        """Put salts where Postgres has none that anybody can read; whether any was put.

        A salt that we hold is offered before a new one: Postgres may have lost it.
        """
        offered = False
        for day in days:
            if day in sealed and self._open(day, sealed[day]) is not None:
                continue
            salt = self._held.get(day) or os.urandom(SALT_BYTES)
            ours = self._file.keys.seal(salt, owner=_owner(day))
            if day in sealed:
                log.warning("salts.replaced", day=str(_date(day)))
                await connection.execute(_REPLACE, _date(day), ours, sealed[day])
            else:
                await connection.execute(_OFFER, _date(day), ours)
            offered = True
        return offered

    def _open(self, day: int, sealed: bytes) -> bytes | None:
        """None if the key that sealed it is gone."""
        try:
            return self._file.keys.open(sealed, owner=_owner(day))
        except SecretKeyError:
            return None

    def _forget(self) -> None:
        days = days_kept(self._clock() + self._ahead_s, self._window_s)
        self._hold({day: salt for day, salt in self._held.items() if day in days})

    def _destroy_old(self) -> None:
        """What went over while nobody lived here must not wait for the first round."""
        try:
            if self._file.exists():
                self._file.keep(self._held)
        except OSError as error:
            log.warning("salts.unwritable", error=str(error))

    def _hold(self, salts: dict[int, bytes]) -> None:
        self._held = salts
        # The next question looks again.
        self._until_s = 0.0
        self._today = self._yesterday = None

    def _turn(self, now_s: float) -> None:
        day = int((now_s + self._ahead_s) // DAY_S)
        self._from_s = day * DAY_S - self._ahead_s
        self._until_s = self._from_s + DAY_S
        self._yesterday_until_s = self._from_s + self._window_s
        self._today, self._yesterday = self._hash(day), self._hash(day - 1)

    def _hash(self, day: int) -> DayHash | None:
        salt = self._held.get(day)
        return DayHash(salt) if salt else None


async def tend(data_dir: Path, keys: SecretKeys, *, window_s: int, database_url: str) -> None:
    """A round of a process that hashes nobody: Postgres' salts, and the file of its node if any.

    Salts are made and destroyed in time even while no web process lives.
    """
    file = SaltFile(data_dir, keys)
    salts = Salts(file, window_s=window_s)
    if file.exists():
        await salts.renew(database_url)
    else:
        await salts.agree(database_url)


async def _read(connection: "Connection") -> tuple[float, dict[int, bytes]]:
    """Postgres' time, and all sealed salts by day."""
    rows = await connection.fetch(_READ)
    found = {(row["on_day"] - _EPOCH).days: row["sealed_salt"] for row in rows if row["on_day"]}
    return rows[0]["now_s"], found


async def _destroy_others(connection: "Connection", days: tuple[int, ...]) -> None:
    """Write the table anew without the days that are over.

    Deleted rows stay in a table's file until it is vacuumed, and longer in its pages; TRUNCATE
    gives up the file itself.
    """
    try:
        async with transaction(connection):
            await connection.execute("SET LOCAL lock_timeout = '1s'")
            await connection.execute("LOCK TABLE visitor_salts IN ACCESS EXCLUSIVE MODE")
            _, sealed = await _read(connection)
            if sealed.keys() <= set(days):
                return
            kept = [(_date(day), sealed[day]) for day in days if day in sealed]
            await connection.execute("TRUNCATE visitor_salts")
            await connection.executemany(_OFFER, kept)
    except asyncpg.LockNotAvailableError:
        # A dump reads the table for its whole length: the next rounds try again.
        log.warning("salts.destruction_waits")


def _owner(day: int) -> bytes:
    return b"visitor salt %d" % day


def _date(day: int) -> date:
    return _EPOCH + timedelta(days=day)
