"""What is kept of one visit: its class and why, the visitor's hash, country and network.

The address comes in here and goes no further.
"""

import time
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

from app.core.traffic import (
    CLASSES,
    EMBEDDED,
    HUMAN_VERDICT,
    NO_HASH_CAP_VERDICT,
    SAME_VISITOR_VERDICT,
    Verdict,
    classify,
    judge_told,
)
from app.redirect.addresses import Addresses, forwarded, network_of
from app.redirect.agents import Agents
from app.redirect.countries import Countries
from app.redirect.recent import Recent
from app.redirect.salt_file import SaltFile
from app.redirect.salts import Salts
from app.redirect.visitor import Visitors
from app.secret_keys import SecretKeys
from app.settings import Settings

_AGENT: Final = b"user-agent"
_PRIVACY: Final = b"sec-gpc"
_EMBEDDED: Final = CLASSES[EMBEDDED]


class Link(Protocol):
    """What of a link decides what is kept of its visits. Ids are 16 bytes."""

    @property
    def link(self) -> bytes: ...
    @property
    def workspace(self) -> bytes: ...
    @property
    def keeps_network(self) -> bool: ...


class Opener(NamedTuple):
    """Who opened a link, before anything of it is kept."""

    address: bytes | None
    """4 or 16 bytes, none where it can't be known; None: nobody told."""
    country: bytes
    """Two letters or none."""
    agent: bytes | None
    """None: nobody told."""
    private: bool
    """Whether they asked for privacy (`Sec-GPC: 1`)."""


Visit = tuple[int, int, bytes, bytes, bytes]
"""Class and reason, as numbers of `core.traffic.CLASSES` and `REASONS`; the visitor's hash, country
and network, as the end of a journal row has them.
"""


class Visits:
    """Judges visits: `made` by a request for a link, or `told` by a server or script."""

    def __init__(self, settings: Settings, data_dir: Path, keys: SecretKeys) -> None:
        """data_dir: the node's, where its processes share salts and recent visits."""
        window_s = settings.duplicate_window_s
        self.salts = Salts(SaltFile(data_dir, keys), window_s=window_s)
        self.countries = Countries(settings.country_header, settings.maxmind_db)
        self.agents = Agents()
        recent = Recent.open(data_dir, window_s=window_s, unhashed_clicks=settings.unhashed_clicks)
        self._visitors = Visitors(self.salts, recent)
        self._addresses = Addresses(settings.trusted_proxies)

    def made(
        self, scope: MutableMapping[str, Any], headers: Mapping[bytes, bytes], link: Link
    ) -> Visit:
        """headers: the scope's, by name."""
        agent = headers.get(_AGENT, b"")
        verdict = classify(scope["method"], headers, self.agents.kind(agent))
        address, country = self._sender(scope, headers)
        private = headers.get(_PRIVACY) == b"1"
        return self._judged(verdict, link, address, country, agent, private)

    def told(self, opener: Opener, link: Link) -> Visit:
        """Only the agent tells; where none was told, none is judged."""
        agent = opener.agent
        verdict = HUMAN_VERDICT if agent is None else judge_told(self.agents.kind(agent))
        if opener.address is None and not opener.private:
            # A server that tells no address has nothing to tell visitors by, and nothing to hide.
            return *verdict, b"", opener.country, b""
        # Any visitor can ask for privacy, and a server may well keep the address back then.
        address = opener.address or b""
        return self._judged(verdict, link, address, opener.country, agent or b"", opener.private)

    def opener(self, scope: MutableMapping[str, Any], headers: Mapping[bytes, bytes]) -> Opener:
        """Who sent a request; what trusted proxies say of them counts."""
        address, country = self._sender(scope, headers)
        agent, private = headers.get(_AGENT, b""), headers.get(_PRIVACY) == b"1"
        return Opener(address, country, agent, private)

    def country(self, address: bytes) -> bytes:
        """Of an address that somebody tells of."""
        return self.countries.of(address, {}, told=False)

    def _sender(
        self, scope: MutableMapping[str, Any], headers: Mapping[bytes, bytes]
    ) -> tuple[bytes, bytes]:
        """Address and country."""
        client = scope["client"]
        peer = client[0] if client else ""
        address, told = self._addresses.of(peer, forwarded(scope["headers"], headers))
        return address, self.countries.of(address, headers, told=told)

    # One by one: an Opener made for each redirect would not be free.
    def _judged(
        self,
        verdict: Verdict,
        link: Link,
        address: bytes,
        country: bytes,
        agent: bytes,
        private: bool,  # noqa: FBT001 (as an Opener has it)
    ) -> Visit:
        known, now_s = b"", time.time()
        if verdict is HUMAN_VERDICT:
            known, duplicate, capped = self._visitors.mark(
                link.workspace, link.link, address, agent, private=private, now_s=now_s
            )
            if duplicate:
                verdict = SAME_VISITOR_VERDICT
            elif capped:
                verdict = NO_HASH_CAP_VERDICT
        elif verdict.number == _EMBEDDED:
            # How many browsers an image or frame was pushed on; other classes are nobody's visits.
            known = self._visitors.hashed(
                link.workspace, address, agent, private=private, now_s=now_s
            )
        # Who asks for privacy is not known by their network either.
        network = network_of(address) if link.keeps_network and not private else b""
        return *verdict, known, country, network
