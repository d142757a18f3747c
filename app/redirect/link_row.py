"""A link as every redirector keeps it, and what all links of a program have in common."""

from typing import NamedTuple


class LinkRow(NamedTuple):
    """One row of the replica, and of what Postgres answers."""

    id: bytes
    host: str
    code: str
    destination: str
    fallback: str | None
    subs: str
    """JSON: {name: value}."""
    expires_at: float | None
    """Seconds since 1970."""
    archived: bool
    """By itself; whoever archives a program ends its links too, and leaves this as it is."""
    utm: str
    """JSON: {field: template}, the link's own."""
    partner: bytes
    asset: str
    """Empty for none."""
    program: bytes


class ProgramRow(NamedTuple):
    """Kept once however many links it has, so that a change of it is a change of one row."""

    id: bytes
    workspace: bytes
    click_parameter: str
    utm: str
    """JSON: {field: template}; a link's own come before it."""
    keeps_network: bool
    """Whether clicks keep the /24 or /48 of the visitor's address."""
    archived: bool


class Known(NamedTuple):
    """All that it takes to redirect."""

    link: LinkRow
    program: ProgramRow
