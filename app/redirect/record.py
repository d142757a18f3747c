"""Clicks that are told instead of made: into this process' journal, as a redirect's would be."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from uuid_utils import uuid7

from app.core.click_token import Signer
from app.core.traffic import HUMAN_VERDICT, judge_told
from app.errors import Unavailable
from app.redirect.agents import Agents
from app.redirect.journal import Journal
from app.redirect.journal_file import JournalRow, pack

_RETRY_AFTER_S: Final = 2


class Recorder:
    """Writes told clicks into this process' journal and signs their tokens."""

    def __init__(self, journal: Journal, click_keys: Sequence[bytes], agents: Agents) -> None:
        self._journal = journal
        self._sign = Signer(click_keys[0]).text
        self._kind = agents.kind

    async def record(
        self, link: UUID, *, agent: bytes | None, referrer: bytes, subs: bytes = b""
    ) -> str:
        """The click's token, once the click is on disk. Unavailable if it may not be.

        agent: the visitor's; None if nobody knows it, and then nobody is judged by it.
        subs: the visitor's own sub-ids, as `target.subs_in` finds them.
        """
        # The request's other headers are the teller's, so they say nothing of the visitor.
        number, reason = HUMAN_VERDICT if agent is None else judge_told(self._kind(agent))
        click = uuid7().bytes
        row = JournalRow(number, click, link.bytes, agent or b"", referrer, subs, reason)
        if not await self._journal.record(pack(row)):
            raise Unavailable("The click could not be written down.", retry_after_s=_RETRY_AFTER_S)
        return self._sign(number, click, link.bytes).decode()
