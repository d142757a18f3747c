"""Changes that the replica could not take down, as on a full disk: in memory, before its rows."""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from app.redirect.link_row import LinkRow, ProgramRow
from app.redirect.replica import Fallbacks, Key

_MAX_LINKS: Final = 10_000


class TooMuchUnwrittenError(Exception):
    """The replica can't be written, and too many links wait for it: it is not followed further."""


class Change(NamedTuple):
    """fallbacks: all of them, if one changed. programs: those that may have changed."""

    links: Sequence[LinkRow]
    gone: Sequence[bytes]
    fallbacks: Fallbacks | None
    programs: Iterable[ProgramRow]


class Unwritten:
    """The newest row of each link whose row in the replica is older; bounded."""

    def __init__(self) -> None:
        self._links: dict[bytes, LinkRow | None] = {}
        """By id; none: there is no such link any more."""
        self._by_key: dict[Key, LinkRow] = {}
        self._programs: dict[bytes, ProgramRow] = {}
        self._fallbacks: Fallbacks | None = None

    def add(self, change: Change) -> None:
        """TooMuchUnwrittenError, and nothing is added, if there is no room."""
        new: dict[bytes, LinkRow | None] = {link.id: link for link in change.links}
        new |= dict.fromkeys(change.gone)
        if len(self._links.keys() | new.keys()) > _MAX_LINKS:
            raise TooMuchUnwrittenError
        self._links |= new
        self._by_key = {(link.host, link.code): link for link in self._links.values() if link}
        self._programs |= {program.id: program for program in change.programs}
        if change.fallbacks is not None:
            self._fallbacks = change.fallbacks

    def with_(self, change: Change) -> Change:
        """What waits and this, which is newer, as one."""
        new = {link.id for link in change.links} | {*change.gone}
        waits = {id_: link for id_, link in self._links.items() if id_ not in new}
        return Change(
            [*filter(None, waits.values()), *change.links],
            [*(id_ for id_, link in waits.items() if link is None), *change.gone],
            self._fallbacks if change.fallbacks is None else change.fallbacks,
            [*self._programs.values(), *change.programs],
        )

    def newest(self, key: Key, written: LinkRow | None) -> LinkRow | None:
        """The link under this key, of which the replica says `written`."""
        waits = self._by_key.get(key)
        if waits is None and written is not None and written.id in self._links:
            return None
        return waits or written

    def clear(self) -> None:
        self._links.clear()
        self._by_key.clear()
        self._programs.clear()
        self._fallbacks = None
