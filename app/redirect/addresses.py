"""The visitor's address: the connection's own, or what trusted proxies say of it.

It is looked at and forgotten: neither journals, Postgres nor logs ever see one.
"""

import socket
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

Network = IPv4Network | IPv6Network

_HEADER: Final = b"x-forwarded-for"
_MAX_HOPS: Final = 20
"""More proxies of one's own than this stand nowhere."""
_REMEMBERED: Final = 10_000
_MAX_WRITTEN: Final = 64
"""Longer than any address with its port: what is remembered stays small."""


class Addresses:
    """`of(peer, told)` gives 4 or 16 bytes, or none where nobody knows, and whether to believe.

    trusted: networks of our own proxies. Without any, the connection's address is the visitor's.
    """

    def __init__(self, trusted: Sequence[Network]) -> None:
        self._trusted = tuple(trusted)
        self._known: OrderedDict[str, tuple[bytes, bool]] = OrderedDict()
        self._of: OrderedDict[tuple[str, bytes], tuple[bytes, bool]] = OrderedDict()

    def of(self, peer: str, told: bytes) -> tuple[bytes, bool]:
        """The nearest address that is not a trusted proxy's, and whether the peer is one.

        told: the request's `X-Forwarded-For`. Each hop adds its own peer at the end, so that only
        what stands to the left of the first stranger can be made up. No address there
        (`unknown`): none.
        """
        found = self._of.get((peer, told))
        if found is None:
            found = self._find(peer, told)
            if len(told) <= _MAX_WRITTEN:
                self._of[peer, told] = found
                if len(self._of) > _REMEMBERED:
                    self._of.popitem(last=False)
        return found

    def _find(self, peer: str, told: bytes) -> tuple[bytes, bool]:
        address, trusted = self._look(peer)
        if not trusted or not told:
            return address, trusted
        for hop in reversed(told.decode("latin-1").rsplit(",", _MAX_HOPS)[-_MAX_HOPS:]):
            address, trusted = self._look(hop.strip())
            if not trusted:
                break
        return address, True

    def _look(self, written: str) -> tuple[bytes, bool]:
        """The address in bytes, and whether it is a trusted proxy's; remembered for a while."""
        if len(written) > _MAX_WRITTEN:
            return b"", False
        found = self._known.get(written)
        if found is None:
            packed = packed_address(written)
            found = packed, bool(packed) and self._is_trusted(packed)
            self._known[written] = found
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return found

    def _is_trusted(self, packed: bytes) -> bool:
        address = ip_address(packed)
        return any(address in network for network in self._trusted)


def forwarded(headers: Sequence[tuple[bytes, bytes]], by_name: Mapping[bytes, bytes]) -> bytes:
    """`X-Forwarded-For`, of several lines all in their order. headers: as ASGI has them."""
    last = by_name.get(_HEADER, b"")
    if not last or len(by_name) == len(headers):
        return last
    return b",".join([value for name, value in headers if name == _HEADER])


def packed_address(written: str) -> bytes:
    """4 or 16 bytes of `192.0.2.1`, `192.0.2.1:443`, `2001:db8::1` or `[2001:db8::1]:443`.

    Empty for anything else. An IPv4 address in IPv6 clothes is an IPv4 address.
    """
    if written.startswith("["):
        written = written[1:].partition("]")[0]
    elif written.count(":") == 1:
        written = written.partition(":")[0]
    family = socket.AF_INET6 if ":" in written else socket.AF_INET
    try:
        packed = socket.inet_pton(family, written)
    except (OSError, ValueError):
        return b""
    if len(packed) == 16 and (mapped := IPv6Address(packed).ipv4_mapped):
        return mapped.packed
    return packed


def network_of(address: bytes) -> bytes:
    """The first 3 bytes of an IPv4 address (its /24), the first 6 of an IPv6 one (its /48)."""
    return address[:3] if len(address) == 4 else address[:6]


def household_of(address: bytes) -> bytes:
    """What stays of one visitor's address: devices change the lower half of an IPv6 one daily."""
    return address if len(address) == 4 else address[:8]
