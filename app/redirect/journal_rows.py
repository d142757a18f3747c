"""A click as a journal keeps it: packed into bytes, and out of them again."""

from operator import itemgetter
from struct import Struct
from struct import error as StructError  # noqa: N812 (it is an exception's name)
from typing import Final, NamedTuple

AGENT_BYTES: Final = 512
REFERRER_BYTES: Final = 1_024
_HEAD: Final = Struct(">B16s16sHH")
_SUBS: Final = Struct(">H")
_VISIT: Final = Struct(">BBBB")
_WITH_SUBS: Final = 0x80
_WITH_VISIT: Final = 0x40
"""Set in the class number where more than the head follows: what a click lacks costs no byte, and
journals that an earlier release left behind can be read."""
_CLASS: Final = 0x3F


class JournalRow(NamedTuple):
    """One click as its request told it; its time is in the click id, a UUIDv7."""

    traffic_class: int
    """1 to 63."""
    click: bytes
    link: bytes
    agent: bytes
    referrer: bytes
    subs: bytes = b""
    """The visitor's own sub-ids as a query in ASCII: `sub1=footer&sub2=42`."""
    reason: int = 0
    """Why it has its class, a number of `core.traffic.REASONS`."""
    visitor: bytes = b""
    """The visitor's hash, 8 bytes or none."""
    country: bytes = b""
    """Two letters or none."""
    network: bytes = b""
    """The first 3 bytes of an IPv4 or 6 of an IPv6 address; none where nobody asked for it."""


Row = tuple[int, bytes, bytes, bytes, bytes, bytes, int, bytes, bytes, bytes]
"""A JournalRow without names, which takes half of the time to make."""
click_of: Final = itemgetter(1)
agent_of: Final = itemgetter(3)
referrer_of: Final = itemgetter(4)
counted_by: Final = itemgetter(2, 0)
"""Link and class."""


def pack(row: Row) -> bytes:
    """A JournalRow's bytes; agent and referrer are cut to what a dictionary should keep."""
    number, click, link, agent, referrer, subs, reason, visitor, country, network = row
    agent, referrer = agent[:AGENT_BYTES], referrer[:REFERRER_BYTES]
    tail = agent + referrer
    if reason or visitor or country or network:
        number |= _WITH_VISIT
        visit = _VISIT.pack(reason, len(visitor), len(country), len(network))
        tail = visit + visitor + country + network + tail
    if subs:
        number |= _WITH_SUBS
        tail += _SUBS.pack(len(subs)) + subs
    return _HEAD.pack(number, click, link, len(agent), len(referrer)) + tail


def unpack(rows: bytes) -> list[Row]:
    """The JournalRows of a commit; ValueError if the bytes are not what `pack` made.

    In one piece, for speed: each click passes here, in the redirects' process.
    """
    found: list[Row] = []
    at, end = 0, len(rows)
    try:
        while at < end:
            number, click, link, agent_bytes, referrer_bytes = _HEAD.unpack_from(rows, at)
            at += _HEAD.size
            reason, visitor, country, network, subs = 0, b"", b"", b"", b""
            if number & _WITH_VISIT:
                reason, hashed, lettered, networked = _VISIT.unpack_from(rows, at)
                first = at + _VISIT.size
                second = first + hashed
                third = second + lettered
                at = third + networked
                if not reason and at == first:
                    raise ValueError("a journal row announces a visit and has none")
                visitor, country, network = rows[first:second], rows[second:third], rows[third:at]
            first, at = at, at + agent_bytes
            agent = rows[first:at]
            first, at = at, at + referrer_bytes
            referrer = rows[first:at]
            if number & _WITH_SUBS:
                first, at = at + _SUBS.size, at + _SUBS.size + _SUBS.unpack_from(rows, at)[0]
                if first == at:
                    raise ValueError("a journal row announces sub-ids and has none")
                subs = rows[first:at]
            number &= _CLASS
            found.append(
                (number, click, link, agent, referrer, subs, reason, visitor, country, network)
            )
    except StructError as error:
        raise ValueError("a journal row is cut off") from error
    if at != end:
        raise ValueError("a journal row is cut off")
    return found
