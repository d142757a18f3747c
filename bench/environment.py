"""Settings that make ours read the visitor's address and country, as behind a proxy."""

from collections.abc import Iterable
from pathlib import Path

from bench.requests import ADDRESSES, COUNTRIES, address_of
from tests.redirect.test_countries import database


def environment(folder: Path, addresses: Iterable[str] | None = None) -> dict[str, str]:
    """The proxy tells the country in a header; where it doesn't, a MaxMind database is asked.

    It is written into the folder, with a network for each address. addresses: those of all
    visitors of `make_requests` if not given.
    """
    wanted = map(address_of, range(ADDRESSES)) if addresses is None else addresses
    countries = {one: COUNTRIES[at % len(COUNTRIES)] for at, one in enumerate(wanted)}
    return {
        "FINDERFEE_TRUSTED_PROXIES": "127.0.0.1/32",
        "FINDERFEE_COUNTRY_HEADER": "cf-ipcountry",
        "FINDERFEE_MAXMIND_DB": str(database(folder / "countries.mmdb", more=countries)),
    }
