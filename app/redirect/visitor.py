"""A visitor as a hash of the day, and whether they were on the link before.

The address is hashed and forgotten. Where the visitor asked for privacy (`Sec-GPC: 1`), or no salt
is known, there is no hash; so many such clicks per link count as humans, then no more.
"""

from app.redirect.addresses import household_of
from app.redirect.metrics import UNSALTED
from app.redirect.recent import Recent, fingerprint
from app.redirect.salts import Salts


class Visitors:
    """What the redirect asks of a click's visitor.

    address: 4 or 16 bytes, of which an IPv6 network's 64 bits count; empty if nobody knows it.
    private: whether the visitor asked for privacy. now_s: the time, in seconds since 1970.
    """

    def __init__(self, salts: Salts, recent: Recent) -> None:
        self._salts = salts
        self._recent = recent

    def hashed(
        self, workspace: bytes, address: bytes, agent: bytes, *, private: bool, now_s: float
    ) -> bytes:
        """The visitor's hash or nothing; for clicks that are not a human's, which mark nobody."""
        if private or not address:
            return b""
        hashed = self._salts.today(now_s)
        if hashed is None:
            UNSALTED.inc()
            return b""
        return hashed(workspace, household_of(address), agent)

    def mark(
        self,
        workspace: bytes,
        link: bytes,
        address: bytes,
        agent: bytes,
        *,
        private: bool,
        now_s: float,
    ) -> tuple[bytes, bool, bool]:
        """(hash, duplicate, capped) of a human's click; it begins a window unless one is open.

        duplicate: the visitor was on this link within the window. capped: there is no hash, and
        the link has had its share of such clicks.
        """
        now = int(now_s)
        visitor = self.hashed(workspace, address, agent, private=private, now_s=now_s)
        if not visitor:
            return visitor, False, self._recent.over_cap(link, now)
        # Who came before midnight is known by the salt of that day.
        if (former := self._salts.yesterday(now_s)) is not None:
            known = former(workspace, household_of(address), agent)
            if self._recent.knows(fingerprint(known, link), now):
                return visitor, True, False
        return visitor, self._recent.seen(fingerprint(visitor, link), now), False
