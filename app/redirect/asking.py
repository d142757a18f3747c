"""Codes that this machine does not know, asked of Postgres: together, in bounded number."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from app.redirect.link_row import Known
from app.redirect.postgres import LINK_COLUMNS, PROGRAM_COLUMNS, connect, known
from app.redirect.replica import Key

if TYPE_CHECKING:
    from app.redirect.postgres import Connection

_MAX_ASKED: Final = 1_000
_CODES_A_QUERY: Final = 500
_ANSWER_S: Final = 2.0
_AWAY_S: Final = 1.0
# One look-up a key, whatever the planner knows of the table (`OFFSET 0`): whoever guesses codes
# must not make Postgres read it whole.
_ASK: Final = f"""
    SELECT {LINK_COLUMNS}, {PROGRAM_COLUMNS}
    FROM unnest($1::text[], $2::text[]) AS asked (host, code)
    CROSS JOIN LATERAL (
        SELECT * FROM links WHERE links.host = asked.host AND links.code = asked.code OFFSET 0
    ) AS links
    CROSS JOIN LATERAL (
        SELECT * FROM programs WHERE programs.id = links.program_id OFFSET 0
    ) AS programs
"""

Rows = dict[str, Known]
"""The link of the host asked for and the one for all hosts, by host, as far as there are any."""


class DirectoryUnavailableError(Exception):
    """The code is not known here and Postgres can't be asked."""


class Asking:
    """`rows` waits for what `answer` fetches. keep: is told each answer that may be kept."""

    def __init__(self, keep: Callable[[Key, Rows], None]) -> None:
        self._keep = keep
        self._asked: dict[Key, asyncio.Future[Rows]] = {}
        self._wanted = asyncio.Event()
        self._away_until = 0.0
        self._changes = 0

    async def rows(self, key: Key) -> Rows:
        """As Postgres has them now; DirectoryUnavailableError if it is away, slow or overrun."""
        answer = self._asked.get(key)
        if answer is None:
            if len(self._asked) >= _MAX_ASKED or time.monotonic() < self._away_until:
                raise DirectoryUnavailableError
            answer = self._asked[key] = asyncio.get_running_loop().create_future()
            self._wanted.set()
        try:
            # Shielded: a visitor who hangs up must not cancel the answer for the others.
            return await asyncio.wait_for(asyncio.shield(answer), _ANSWER_S)
        except TimeoutError as error:
            raise DirectoryUnavailableError from error

    async def answer(self, database_url: str) -> None:
        """The task behind `rows`: all codes asked for meanwhile go into one query.

        Until the connection fails; whoever waits then is refused at once.
        """
        try:
            while True:
                await self._wanted.wait()
                async with connect(database_url, timeout_s=_ANSWER_S) as connection:
                    await self._answer_on(connection)
        finally:
            self.refuse_all()

    def outdate(self) -> None:
        """The feed moved: an answer under way may be older, so good once, not for keeping."""
        self._changes += 1

    def refuse_all(self) -> None:
        self._away_until = time.monotonic() + _AWAY_S
        self._wanted.clear()
        asked, self._asked = self._asked, {}
        for answer in asked.values():
            if not answer.done():
                answer.set_exception(DirectoryUnavailableError())
                answer.exception()  # seen, also if nobody waits for it any more

    async def _answer_on(self, connection: "Connection") -> None:
        """Until the server closes the connection, as a restart does while nobody asks."""
        while not connection.is_closed():
            asked = list(self._asked)[:_CODES_A_QUERY]
            wanted = list({*asked, *(("", code) for _, code in asked)})
            changes = self._changes
            records = await connection.fetch(
                _ASK, *(list(part) for part in zip(*wanted, strict=True))
            )
            self._settle(asked, [known(one) for one in records], changes)
            await self._wanted.wait()

    def _settle(self, asked: Sequence[Key], answers: Sequence[Known], changes: int) -> None:
        found = {(one.link.host, one.link.code): one for one in answers}
        for host, code in asked:
            rows = {on: found[on, code] for on in {host, ""} if (on, code) in found}
            if changes == self._changes:
                self._keep((host, code), rows)
            answer = self._asked.pop((host, code))
            if not answer.done():
                answer.set_result(rows)
        if not self._asked:
            self._wanted.clear()
