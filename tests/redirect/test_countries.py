"""Countries come from a trusted proxy's header or a database, and from nowhere else."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import pytest
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from app.redirect import countries
from app.redirect.addresses import packed_address
from app.redirect.countries import Countries
from app.settings import Settings

GERMAN, JAPANESE = packed_address("203.0.113.7"), packed_address("2001:db8::7")


def database(
    path: Path, german: str = "DE", more: Mapping[str, str] = MappingProxyType({})
) -> Path:
    """As those who publish such databases write them. more: country by network."""
    writer = MMDBWriter(ip_version=6, ipv4_compatible=True, database_type="GeoLite2-Country")
    writer.insert_network(IPSet(["203.0.113.0/24"]), {"country": {"iso_code": german}})
    writer.insert_network(IPSet(["2001:db8::/32"]), {"country": {"iso_code": "JP"}})
    writer.insert_network(IPSet(["198.51.100.0/24"]), {"country": {"iso_code": 7}})
    writer.insert_network(IPSet(["192.0.2.0/24"]), {"continent": {"code": "EU"}})
    for network, country in more.items():
        writer.insert_network(IPSet([network]), {"country": {"iso_code": country}})
    new = path.with_suffix(".new")
    writer.to_db_file(str(new))
    return new.replace(path)


def test_the_database_tells(tmp_path: Path) -> None:
    known = Countries("", database(tmp_path / "c.mmdb"))
    for _ in range(2):
        assert known.of(GERMAN, {}, told=False) == b"DE"
        assert known.of(JAPANESE, {}, told=False) == b"JP"
        for elsewhere in ("192.0.2.1", "198.51.100.1", "8.8.8.8"):
            assert known.of(packed_address(elsewhere), {}, told=False) == b""
        assert known.of(b"", {}, told=False) == b""


@pytest.mark.parametrize(
    ("value", "told", "country"),
    [
        (b"fr", True, b"FR"),
        (b" FR ", True, b"FR"),
        (b"FR", False, b"DE"),  # anybody can send a header
        (b"XX", True, b"DE"),  # the proxy doesn't know
        (b"T1", True, b"DE"),
        (b"<b>", True, b"DE"),
        (b"", True, b"DE"),
    ],
)
def test_a_trusted_header_comes_first(
    tmp_path: Path, value: bytes, *, told: bool, country: bytes
) -> None:
    known = Countries("CF-IPCountry", database(tmp_path / "c.mmdb"))
    assert known.of(GERMAN, {b"cf-ipcountry": value}, told=told) == country


def test_nothing_configured_knows_nothing() -> None:
    assert Countries("", None).of(GERMAN, {b"cf-ipcountry": b"FR", b"": b"FR"}, told=True) == b""


def test_a_new_database_is_taken_up(tmp_path: Path) -> None:
    path = tmp_path / "c.mmdb"
    known = Countries("", database(path))
    assert known.of(GERMAN, {}, told=False) == b"DE"
    path.write_bytes(b"half a file")
    known._take(known._opened())
    known._found.clear()
    assert known.of(GERMAN, {}, told=False) == b"DE"
    assert known.of(JAPANESE, {}, told=False) == b"JP"
    database(path, german="AT")
    known._take(known._opened())
    assert known.of(GERMAN, {}, told=False) == b"AT"


def test_a_copy_that_found_no_room_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = database(tmp_path / "c.mmdb")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "none"))
    known = Countries("", path)
    assert known.of(GERMAN, {}, told=False) == b""
    monkeypatch.undo()
    known._take(known._opened())
    assert known.of(GERMAN, {}, told=False) == b"DE"


def test_an_empty_setting_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FINDERFEE_MAXMIND_DB", "")
    assert Settings().maxmind_db is None
    monkeypatch.setenv("FINDERFEE_MAXMIND_DB", "/c.mmdb")
    assert Settings().maxmind_db == Path("/c.mmdb")


def test_a_missing_database_is_told_and_lived_with(tmp_path: Path) -> None:
    assert Countries("", tmp_path / "none.mmdb").of(GERMAN, {}, told=False) == b""


def test_countries_are_remembered_in_bounded_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(countries, "_REMEMBERED", 10)
    known = Countries("", database(tmp_path / "c.mmdb"))
    for number in range(200):
        known.of(packed_address(f"203.0.113.{number}"), {}, told=False)
    assert len(known._found) <= 10
