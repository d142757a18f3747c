"""E-mail addresses as names of customers, where a workspace joins by them."""

import re
from collections.abc import Sequence
from typing import Final

from app.conversions.identities import EMAIL
from app.conversions.providers.mapping import Alias, Contact
from app.destinations import normal_host
from app.errors import InvalidRequest

_LONGEST: Final = 254
_LOCAL: Final = re.compile(r"[^\s@\x00-\x1f\x7f]+")


def aliases_of(contact: Contact, *, joins_email: bool) -> Sequence[Alias]:
    """Its aliases, the address last. What names nobody by an alias has no address either: it is
    about a payment.
    """
    if not (joins_email and contact.aliases and contact.email):
        return contact.aliases
    address = normal(contact.email)
    return (*contact.aliases, Alias(EMAIL, address)) if address else contact.aliases


def normal(text: str) -> str:
    """`normal(" Ana@Bücher.example ")` → `ana@xn--bcher-kva.example`; empty for what is none.

    Trimmed, in lower case, the domain in ASCII. Dots and `+tags` stay: which of them say nothing
    is each mail provider's own business.
    """
    local, _, domain = text.strip().lower().rpartition("@")
    if not _LOCAL.fullmatch(local) or ":" in domain:
        return ""
    try:
        host = normal_host(domain, "email")
    except InvalidRequest:
        return ""
    address = f"{local}@{host}"
    return address if "." in host and len(address) <= _LONGEST else ""
