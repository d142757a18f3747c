"""Clicks that are told instead of made: into this process' journal, as a redirect's would be."""

from collections.abc import Sequence
from typing import Final

from app.core.click_token import Signer
from app.errors import Unavailable
from app.ids import click_id
from app.redirect.journal import Journal
from app.redirect.journal_rows import pack
from app.redirect.visits import Link, Opener, Visits

_RETRY_AFTER_S: Final = 2


class Recorder:
    """Writes told clicks into this process' journal and signs their tokens."""

    def __init__(self, journal: Journal, click_keys: Sequence[bytes], visits: Visits) -> None:
        self._journal = journal
        self._sign = Signer(click_keys[0]).text
        self.visits = visits

    async def record(
        self, link: Link, opener: Opener, *, referrer: bytes, subs: bytes = b""
    ) -> str:
        """The click's token, once the click is on disk. Unavailable if it may not be.

        subs: the visitor's own sub-ids, as `target.subs_in` finds them.
        """
        visit = self.visits.told(opener, link)
        number, click, agent = visit[0], click_id(), opener.agent or b""
        row = pack((number, click, link.link, agent, referrer, subs, *visit[1:]))
        if not await self._journal.record(row):
            raise Unavailable("The click could not be written down.", retry_after_s=_RETRY_AFTER_S)
        return self._sign(number, click, link.link).decode()
