"""A link as every redirector keeps it."""

from typing import NamedTuple


class LinkRow(NamedTuple):
    """One row of the replica, and of what Postgres answers."""

    id: bytes
    host: str
    code: str
    destination: str
    click_parameter: str
    fallback: str | None
    subs: str
    """JSON: {name: value}."""
    expires_at: float | None
    """Seconds since 1970."""
    archived: bool
    utm: str
    """JSON: {field: template}, the link's own over its program's."""
    partner: bytes
    asset: str
    """Empty for none."""
    workspace: bytes
    keeps_network: bool
    """Whether clicks keep the /24 or /48 of the visitor's address."""
