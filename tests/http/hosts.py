"""A DNS server and a web server of our own, for calls to hosts that callers name."""

import asyncio
from ipaddress import ip_network
from typing import Any, Self

import dns.flags
import dns.message
import dns.rcode
import dns.rrset

from app.outgoing import Outgoing


class Hosts:
    """`hosts.records["a.example", "A"] = ["127.0.0.1"]`; `hosts.pages["a.example", "/x"] = b"…"`.

    A page is a whole HTTP answer, or the body of a 200.
    """

    def __init__(self) -> None:
        self.records: dict[tuple[str, str], list[str]] = {}
        self.pages: dict[tuple[str, str], bytes] = {}
        self.asked: list[tuple[str, str]] = []
        """(host, path) of each request that came in."""
        self._dns_port = 0
        self._http_port = 0

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._dns, _ = await loop.create_datagram_endpoint(
            lambda: _Names(self), local_addr=("127.0.0.1", 0)
        )
        self._dns_port = self._dns.get_extra_info("sockname")[1]
        self._web = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self._http_port = self._web.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._dns.close()
        self._web.close()
        await self._web.wait_closed()

    def outgoing(self, *networks: str) -> Outgoing:
        """Asks this DNS, and comes to this web server for every host."""
        return Outgoing(
            nameserver=f"127.0.0.1:{self._dns_port}",
            networks=[ip_network(one) for one in networks],
            http_port=self._http_port,
        )

    def _answered(self, wire: bytes) -> bytes:
        query = dns.message.from_wire(wire)
        (question,) = query.question
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.RA
        name = question.name.to_text(omit_final_dot=True)
        kind = dns.rdatatype.to_text(question.rdtype)
        if found := self.records.get((name, kind)):
            answer.answer.append(dns.rrset.from_text_list(question.name, 60, "IN", kind, found))
        elif not any(known == name for known, _ in self.records):
            answer.set_rcode(dns.rcode.NXDOMAIN)
        return answer.to_wire()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        host = next(line[6:] for line in lines if line.lower().startswith("host: "))
        asked = (host, lines[0].split(" ")[1])
        self.asked.append(asked)
        page = self.pages.get(asked, b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")
        if not page.startswith(b"HTTP/"):
            head = f"HTTP/1.1 200 OK\r\ncontent-length: {len(page)}\r\n\r\n"
            page = head.encode() + page
        writer.write(page)
        await writer.drain()
        writer.close()


class _Names(asyncio.DatagramProtocol):
    def __init__(self, hosts: Hosts) -> None:
        self._hosts = hosts

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, wire: bytes, sender: Any) -> None:
        self._transport.sendto(self._hosts._answered(wire), sender)
