"""Clicks that are told instead of made: into this process' journal, as a redirect's would be."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from uuid_utils import uuid7

from app.core.click_token import Signer
from app.core.traffic import CLASSES, HUMAN, classify
from app.errors import Unavailable
from app.redirect.journal import Journal
from app.redirect.journal_file import JournalRow, pack

_RETRY_AFTER_S: Final = 2


class Recorder:
    """Writes told clicks into this process' journal and signs their tokens."""

    def __init__(self, journal: Journal, click_keys: Sequence[bytes]) -> None:
        self._journal = journal
        self._sign = Signer(click_keys[0]).text

    async def record(self, link: UUID, *, agent: bytes, referrer: bytes, subs: bytes = b"") -> str:
        """The click's token, once the click is on disk. Unavailable if it may not be.

        subs: the visitor's own sub-ids, as `target.subs_in` finds them.
        """
        # Only the agent can tell: the request's other headers are the teller's. None told, none
        # judged.
        traffic_class = classify("GET", {b"user-agent": agent}) if agent else HUMAN
        number, click = CLASSES[traffic_class], uuid7().bytes
        row = JournalRow(number, click, link.bytes, agent, referrer, subs)
        if not await self._journal.record(pack(row)):
            raise Unavailable("The click could not be written down.", retry_after_s=_RETRY_AFTER_S)
        return self._sign(number, click, link.bytes).decode()
