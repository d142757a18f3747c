"""Calls to hosts that callers name: to public addresses only, resolved once, small and short.

The address that was checked is the one connected to, so a name can't change its mind in between;
no redirect is followed and no proxy asked, since both would choose another address.
"""

import asyncio
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, cast

import dns.asyncresolver
import dns.exception
import dns.rdatatype
import httpx
from dns.rdtypes.ANY.TXT import TXT

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address

_DNS_S: Final = 4.0
_HTTP_S: Final = 4.0
_MAX_BYTES: Final = 4_096
_AT_ONCE: Final = 8
_UNICAST: Final = ip_network("2000::/3")
_TRANSLATED: Final = tuple(
    ip_network(one) for one in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
)
"""IPv6 that stands for IPv4 addresses, for tunnels or for nobody."""


class OutgoingError(Exception):
    """The call was refused or failed. Its text may be shown: it tells nothing of our networks."""


class Outgoing:
    """`Outgoing()` asks the system's resolver and reaches public addresses alone.

    nameserver: `127.0.0.1:5353` to ask instead. networks: private ones that may be reached too.
    """

    def __init__(
        self, *, nameserver: str = "", networks: Sequence[Network] = (), http_port: int = 80
    ) -> None:
        self._nameserver = nameserver
        self._networks = tuple(networks)
        self._http_port = http_port
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def texts(self, name: str) -> list[str]:
        """The TXT records of a name; none if it has none or nobody knows."""
        async with self._turns:
            records = await self._ask(name, "TXT")
            return [b"".join(cast("TXT", one).strings).decode("latin-1") for one in records]

    async def get(self, host: str, path: str) -> bytes:
        """The body of `http://host/path`, the first 4,096 bytes of it. OutgoingError."""
        async with self._turns:
            address = await self._resolved(host)
            try:
                async with asyncio.timeout(_HTTP_S):
                    return await self._fetched(address, host, path)
            except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, OSError) as error:
                raise OutgoingError("It did not answer.") from error

    async def _resolved(self, host: str) -> Address:
        fours, sixes = await asyncio.gather(self._ask(host, "A"), self._ask(host, "AAAA"))
        found: list[Address] = [ip_address(record.to_text()) for record in (*fours, *sixes)]
        if not found:
            raise OutgoingError("The host has no address.")
        # One private address among public ones is a trick, not a mistake.
        if not all(self._may_reach(address) for address in found):
            raise OutgoingError("The host has an address that is not public.")
        return found[0]

    def _may_reach(self, address: Address) -> bool:
        return is_public(address) or any(address in network for network in self._networks)

    async def _fetched(self, address: Address, host: str, path: str) -> bytes:
        literal = f"[{address}]" if address.version == 6 else str(address)
        body = b""
        # A fresh client: no connection and no cookie of another caller's call.
        async with (
            httpx.AsyncClient(trust_env=False, follow_redirects=False, timeout=_HTTP_S) as client,
            client.stream(
                "GET",
                f"http://{literal}:{self._http_port}{path}",
                headers={"Host": host, "User-Agent": "Finderfee", "Accept-Encoding": "identity"},
            ) as answer,
        ):
            if answer.status_code != httpx.codes.OK:
                raise OutgoingError("It did not answer with status 200.")
            async for chunk in answer.aiter_raw():
                body += chunk
                if len(body) >= _MAX_BYTES:
                    break
        return body[:_MAX_BYTES]

    async def _ask(self, name: str, kind: str) -> list[dns.rdata.Rdata]:
        try:
            resolver = self._resolver()
            # Not searched for in our own domain: `shop` must not become `shop.internal`.
            answer = await resolver.resolve(name, kind, search=False, lifetime=_DNS_S)
        except (dns.exception.DNSException, OSError):
            return []
        return list(answer)

    def _resolver(self) -> dns.asyncresolver.Resolver:
        if not self._nameserver:
            return dns.asyncresolver.Resolver()
        resolver = dns.asyncresolver.Resolver(configure=False)
        address, _, port = self._nameserver.rpartition(":")
        resolver.nameservers, resolver.port = [address.strip("[]")], int(port)
        return resolver


def is_public(address: Address) -> bool:
    """Whether it is some machine's address on the internet, and no other network's."""
    if isinstance(address, IPv6Address):
        translated = any(address in network for network in _TRANSLATED)
        return address in _UNICAST and address.is_global and not translated
    return address.is_global and not address.is_multicast
