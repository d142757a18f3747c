"""Visitors of a million links: as many different ones as the caches of a web process hold."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from random import Random
from typing import Final

from bench.environment import environment
from bench.million import code, host_of
from bench.requests import HOST, address_of, agent_of, query_of, visitor_of

AGENTS: Final = 20_000
"""Remembered with what they are, and with their numbers in Postgres."""
ADDRESSES: Final = 60_000
"""More than the 50,000 whose countries are remembered, so that these go, too."""
SITES: Final = 20_000
"""That visitors come from; their numbers in Postgres are remembered."""
ABSENT: Final = 10_000
"""Codes of which it is remembered that there are none."""
_UNPLACED: Final = 0.5
"""Share whose country a database has to tell, as where no proxy tells any."""


def settings(folder: Path) -> dict[str, str]:
    """With a database that has a network for each of the addresses, as large as real ones are."""
    return environment(folder, map(address_of, range(ADDRESSES)))


class Visitors:
    """One after the other: each request is of the next."""

    def __init__(self) -> None:
        self._chance = Random(11)
        self._lines = self._endless()

    def open(self, number: int, *, plainly: bool = False) -> bytes:
        """The link of this number, on the host where it stands. plainly: without parameters."""
        query = "" if plainly else query_of(self._chance)
        return self._request(f"{code(number)}{query}", host_of(number) or HOST)

    def guess(self, number: int) -> bytes:
        """A code that no link has."""
        return self._request(f"none{number}", HOST)

    def _request(self, wanted: str, host: str) -> bytes:
        lines = f"GET /r/{wanted} HTTP/1.1\tHost: {host}\t{next(self._lines)}\t\t"
        return lines.replace("\t", "\r\n").encode()

    def _endless(self) -> Iterator[str]:
        for n in count():
            # Behind each address are several browsers.
            address, agent = n % ADDRESSES, (n + n // ADDRESSES) % AGENTS
            yield visitor_of(
                self._chance,
                address_of(address),
                agent_of(agent),
                sites=SITES,
                unplaced=_UNPLACED,
            )
