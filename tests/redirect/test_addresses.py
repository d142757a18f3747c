"""Whose address counts: nobody's word but that of the proxies we trust."""

from ipaddress import ip_address, ip_network

import pytest

from app.redirect.addresses import Addresses, forwarded, household_of, network_of, packed_address

PROXIES = [ip_network("10.0.0.0/8"), ip_network("2001:db8:ffff::/48")]
VISITOR = "203.0.113.7"


def told(*lines: str) -> list[tuple[bytes, bytes]]:
    return [(b"x-forwarded-for", line.encode("latin-1")) for line in lines]


def seen(peer: str, *lines: str) -> str:
    headers = [(b"host", b"go.example"), *told(*lines)]
    found, _ = Addresses(PROXIES).of(peer, forwarded(headers, dict(headers)))
    return str(ip_address(found)) if found else ""


def test_without_trusted_proxies_only_the_connection_counts() -> None:
    assert Addresses([]).of(VISITOR, b"198.51.100.1") == (ip_address(VISITOR).packed, False)


@pytest.mark.parametrize(
    ("peer", "lines", "address"),
    [
        (VISITOR, ["198.51.100.1"], VISITOR),  # a stranger may say what it likes
        ("10.0.0.1", [VISITOR], VISITOR),
        ("10.0.0.1", [], "10.0.0.1"),  # a health check of the proxy's own
        ("10.0.0.1", [f"198.51.100.1, {VISITOR}"], VISITOR),  # the left one is made up
        ("10.0.0.1", [f"{VISITOR}, 10.9.9.9,10.8.8.8"], VISITOR),
        ("10.0.0.1", [f"198.51.100.1, {VISITOR}", "10.2.0.1"], VISITOR),  # two header lines
        ("10.0.0.1", ["198.51.100.1", f"{VISITOR}, 10.2.0.1"], VISITOR),
        ("10.0.0.1", ["10.0.0.9"], "10.0.0.9"),  # only ours: the farthest of them
        ("10.0.0.1", [f"{VISITOR}:4711"], VISITOR),
        ("2001:db8:ffff::1", ["[2001:db8::7]:4711"], "2001:db8::7"),
        ("::ffff:10.0.0.1", [f"::ffff:{VISITOR}"], VISITOR),
        ("10.0.0.1", [f"{VISITOR}, unknown"], ""),  # our proxy's own word: it does not know
        ("10.0.0.1", ["<script>"], ""),
        ("10.0.0.1", ["203.0.113.7\xff"], ""),
        ("10.0.0.1", [f"{VISITOR}, " + "10.1.1.1," * 5_000 + "10.1.1.2"], "10.1.1.1"),
        ("10.0.0.1", ["198.51.100.1," * 5_000 + VISITOR], VISITOR),
        ("", [VISITOR], ""),  # a Unix socket has no address
    ],
)
def test_the_nearest_stranger_is_the_visitor(peer: str, lines: list[str], address: str) -> None:
    assert seen(peer, *lines) == address


def test_only_proxies_are_trusted() -> None:
    addresses = Addresses(PROXIES)
    assert addresses.of("10.1.2.3", b"")[1]
    assert addresses.of("10.1.2.3", b"198.51.100.1")[1]
    assert not addresses.of(VISITOR, b"10.1.2.3")[1]
    assert not addresses.of("", b"")[1]
    assert not Addresses([]).of("10.1.2.3", b"")[1]


@pytest.mark.parametrize(
    "written",
    ["", "1.2.3", "1.2.3.4.5", "256.1.1.1", "01.2.3.4", "1.2.3.4%eth0", "fe80::1%eth0", "::g", "["],
)
def test_what_is_no_address_is_none(written: str) -> None:
    assert packed_address(written) == b""


def test_networks_and_households() -> None:
    four, six = packed_address("203.0.113.7"), packed_address("2001:db8:1:2:3:4:5:6")
    assert network_of(four) == bytes([203, 0, 113])
    assert network_of(six) == bytes.fromhex("20010db80001")
    assert household_of(four) == four
    assert household_of(six) == household_of(packed_address("2001:db8:1:2:ffff::1"))
    assert household_of(six) != household_of(packed_address("2001:db8:1:3::1"))
    assert network_of(b"") == household_of(b"") == b""


def test_addresses_are_remembered_in_bounded_number() -> None:
    addresses = Addresses(PROXIES)
    for number in range(20_000):
        addresses.of("10.0.0.1", f"203.0.{number // 250 % 250}.{number % 250}".encode())
        addresses.of("10.0.0.1", f"{number}".encode())
    assert len(addresses._known) <= 10_000
    assert len(addresses._of) <= 10_000
