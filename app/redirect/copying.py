"""Clicks in Postgres' binary COPY format, made straight from journal rows.

The drain shares the interpreter with the redirects, and making these bytes costs it less than
arrays do (docs/decisions/0012).
Source: "Binary Format" in Postgres' documentation of COPY; the send functions of its types.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final

from app.redirect.journal_rows import Row
from app.redirect.texts import NULL, clean

COLUMNS: Final = (
    *("id", "link_id", "traffic_class", "class_reason", "country"),
    *("agent_id", "referrer_id", "visitor", "subs", "network"),
)
HEADER: Final = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
END: Final = b"\xff\xff"
_8: Final = (8).to_bytes(4)
_16: Final = (16).to_bytes(4)
_ID: Final = len(COLUMNS).to_bytes(2) + _16
_IPV4, _IPV6 = 2, 3
"""PGSQL_AF_INET and one more, on every system."""
_SLASH_24: Final = _8 + bytes((_IPV4, 24, 1, 4))
_SLASH_48: Final = (20).to_bytes(4) + bytes((_IPV6, 48, 1, 16))


def encode(
    rows: Iterable[Row], agents: Mapping[bytes, bytes], referrers: Mapping[bytes, bytes]
) -> bytes:
    """Tuples for COLUMNS, without HEADER and END. ValueError for a row that can't be one.

    agents, referrers: each text's number as a field.
    """
    found: list[bytes] = []
    for number, click, link, agent, page, subs, reason, visitor, country, network in rows:
        found += (
            *(_ID, click, _16, link, _kind(number, reason, country)),
            *(agents[agent], referrers[page]),
            _bigint(visitor) if visitor else NULL,
            _sized(clean(subs).encode()) if subs else NULL,
            _network(network) if network else NULL,
        )
    return b"".join(found)


@lru_cache(maxsize=4_096)
def _kind(number: int, reason: int, country: bytes) -> bytes:
    """Class, reason and country: few are different."""
    return (
        _sized(number.to_bytes(2))
        + _sized(reason.to_bytes(2))
        + (_sized(clean(country).encode()) if country else NULL)
    )


def _bigint(value: bytes) -> bytes:
    if len(value) != 8:
        raise ValueError("a visitor's hash has 8 bytes")
    return _8 + value


def _network(prefix: bytes) -> bytes:
    """3 bytes are a /24, 6 a /48, as `cidr`: family, bits, 1, size, address."""
    if len(prefix) == 3:
        return _SLASH_24 + prefix + b"\x00"
    if len(prefix) == 6:
        return _SLASH_48 + prefix + bytes(10)
    raise ValueError("a network has 3 or 6 bytes")


def _sized(value: bytes) -> bytes:
    return len(value).to_bytes(4) + value
