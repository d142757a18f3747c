"""Where a link may lead: URLs are read as browsers read them, and stored in their normal form.

http and https are taken, so that a site on localhost can be tried. A host is allowed as a whole
and with its port: `shop.example.com` allows neither `www.shop.example.com` nor port 8080.
"""

import re
from collections.abc import Collection
from typing import Final

from ada_url import URL, HostType

from app.errors import DestinationNotAllowed, FieldError, InvalidRequest

MAX_URL_LENGTH: Final = 2_048
MAX_HOST_LENGTH: Final = 253
# Browsers repair `https:evil.com`, `https:///evil.com`, backslashes and tabs; we take none of it.
_START: Final = re.compile(r"https?://[^/?#]", re.IGNORECASE | re.ASCII)
_REPAIRED: Final = re.compile(r"[\x00-\x20\x7f-\xa0\u2028\u2029\ufeff\\]")
_LABEL: Final = "[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME: Final = re.compile(rf"{_LABEL}(\.{_LABEL})*", re.ASCII)


def normal_host(text: str, place: str) -> str:
    """`Bücher.example` → `xn--bcher-kva.example`, with `:port` where it has one.

    InvalidRequest at `place` for what is no single host: wildcards, paths, users, a trailing dot.
    """
    if re.search(r"[/?#@%]", text) or _REPAIRED.search(text):
        raise _no_host(place)
    try:
        url = URL(f"https://{text}/")
    except ValueError as error:
        raise _no_host(place) from error
    if not _is_plain(url):
        raise _no_host(place)
    # Read as https, so 443 has vanished and 80 has not; 80 is what http leaves out.
    return url.hostname if url.port == "80" else url.host


def checked(text: str, hosts: Collection[str], place: str) -> str:
    """The URL in its normal form; `hosts` are normal hosts.

    InvalidRequest at `place` for what is no such URL, DestinationNotAllowed for a foreign host.
    """
    url = _read(text, place)
    if url.host not in hosts:
        remedy = "Use one of the program's destination_hosts: " + ", ".join(sorted(hosts)[:10])
        raise DestinationNotAllowed(
            f"The program does not allow the host {url.host}.",
            errors=[FieldError(place, "This host is not in destination_hosts", remedy)],
        )
    return url.href


def normal(text: str, place: str) -> str:
    """The URL in its normal form, whatever its host; InvalidRequest at `place` if it is none."""
    return _read(text, place).href


def _read(text: str, place: str) -> URL:
    if len(text) > MAX_URL_LENGTH or not _START.match(text) or _REPAIRED.search(text):
        raise _no_url(place)
    if "@" in re.split("[/?#]", text, maxsplit=3)[2]:
        raise _no_url(place)
    try:
        url = URL(text)
    except ValueError as error:
        raise _no_url(place) from error
    if not _is_plain(url) or len(url.href) > MAX_URL_LENGTH or URL(url.href).href != url.href:
        raise _no_url(place)
    return url


def _is_plain(url: URL) -> bool:
    """Whether nobody signs in with it and its host is one that stands in the DNS or is an IP."""
    if url.protocol not in {"http:", "https:"} or url.username or url.password:
        return False
    if url.host_type != HostType.DEFAULT:
        return True
    return len(url.hostname) <= MAX_HOST_LENGTH and bool(_NAME.fullmatch(url.hostname))


def _no_host(place: str) -> InvalidRequest:
    remedy = "Send one host, like `shop.example.com` or `localhost:3000`."
    return InvalidRequest(errors=[FieldError(place, "Not a host", remedy)])


def _no_url(place: str) -> InvalidRequest:
    remedy = "Send a whole URL, like https://shop.example.com/pricing, without a user in it."
    return InvalidRequest(errors=[FieldError(place, "Not a URL that we send visitors to", remedy)])
