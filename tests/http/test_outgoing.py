"""Calls to hosts that callers name reach public addresses alone, the ones that were looked up."""

from ipaddress import ip_address

import pytest

from app.outgoing import OutgoingError, is_public
from app.settings import Settings
from tests.http.hosts import Hosts


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1"),
        *("0.0.0.0", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255", "192.0.2.1"),
        *("198.18.0.1", "::1", "::", "fe80::1", "fc00::1", "fd00:ec2::254", "ff02::1"),
        *("::ffff:127.0.0.1", "::ffff:8.8.8.8", "64:ff9b::7f00:1", "64:ff9b:1::1", "2002:7f00:1::"),
        *("2001::1", "2001:db8::1", "3fff::1", "::7f00:1", "fec0::1", "100::1"),
    ],
)
def test_what_is_no_machine_on_the_internet_is_not_public(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "93.184.216.34", "2606:4700::1111", "2a00:1450:4001:800::200e"]
)
def test_other_addresses_are(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize(
    "addresses", [["127.0.0.1"], ["10.0.0.1", "8.8.8.8"], ["8.8.8.8", "169.254.169.254"]]
)
async def test_a_private_address_is_not_called_even_among_others(
    hosts: Hosts, addresses: list[str]
) -> None:
    hosts.records["trick.example", "A"] = addresses
    before = list(hosts.asked)
    with pytest.raises(OutgoingError, match="not public"):
        await hosts.outgoing().get("trick.example", "/")
    assert hosts.asked == before


async def test_a_network_that_is_configured_is_reached(hosts: Hosts) -> None:
    hosts.records["fine.example", "A"] = ["127.0.0.1"]
    hosts.pages["fine.example", "/a"] = b"hello"
    assert await hosts.outgoing("127.0.0.0/8").get("fine.example", "/a") == b"hello"
    with pytest.raises(OutgoingError, match="not public"):
        await hosts.outgoing("10.0.0.0/8").get("fine.example", "/a")


async def test_redirects_are_not_followed_and_bodies_are_cut(hosts: Hosts) -> None:
    hosts.records["odd.example", "A"] = ["127.0.0.1"]
    hosts.pages["odd.example", "/moved"] = (
        b"HTTP/1.1 302 Found\r\nlocation: http://odd.example/long\r\ncontent-length: 0\r\n\r\n"
    )
    hosts.pages["odd.example", "/long"] = b"x" * 1_000_000
    hosts.pages["odd.example", "/noise"] = b"HTTP/1.1 nonsense\r\n\r\n"
    outgoing = hosts.outgoing("127.0.0.0/8")
    for path in ("/moved", "/noise"):
        with pytest.raises(OutgoingError):
            await outgoing.get("odd.example", path)
    assert ("odd.example", "/long") not in hosts.asked
    assert await outgoing.get("odd.example", "/long") == b"x" * 4_096


async def test_names_that_nobody_knows_have_no_texts_and_no_address(hosts: Hosts) -> None:
    outgoing = hosts.outgoing()
    assert await outgoing.texts("nowhere.example") == []
    assert await outgoing.texts("a" * 64 + ".example") == []
    with pytest.raises(OutgoingError, match="no address"):
        await outgoing.get("nowhere.example", "/")
    hosts.records["texts.example", "TXT"] = ['"one" "two"', '"three"']
    assert sorted(await outgoing.texts("texts.example")) == ["onetwo", "three"]


def test_settings_name_a_resolver_and_networks() -> None:
    settings = Settings(dns_server="127.0.0.1:5353", outgoing_networks="10.0.0.0/8, fd00::/8")
    assert [str(one) for one in settings.outgoing_networks] == ["10.0.0.0/8", "fd00::/8"]
    for wrong in ("127.0.0.1", "dns.example:53", "127.0.0.1:0", "127.0.0.1:x"):
        with pytest.raises(ValueError, match=r"dns_server|DNS_SERVER"):
            Settings(dns_server=wrong)
