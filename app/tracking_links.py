"""A tracking link on the wire: what may be asked for, and how it is shown."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Final, Self
from uuid import UUID

from fastapi import Depends, Request
from pydantic import AfterValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError
from sqlalchemy import ColumnElement, Row, Select, func, or_, select
from sqlalchemy.dialects.postgresql import JSONB

from app.core import traffic
from app.db.tables import Link, LinkClicks, Program
from app.utm import Utm
from app.wire import Instant, LinkId, Out, PartnerId, ProgramId

RESERVED: Final = frozenset(
    {
        *(
            "admin",
            "api",
            "app",
            "assets",
            "docs",
            "favicon",
            "health",
            "livez",
            "login",
            "metrics",
        ),
        *("openapi", "portal", "readyz", "robots", "sitemap", "static", "well-known", "www"),
    }
)
"""Names that a custom domain may need for itself."""


def _not_reserved(value: str) -> str:
    if value.lower() in RESERVED:
        raise PydanticCustomError("code_reserved", "This word is reserved")
    return value


Code = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{1,62}[A-Za-z0-9]$"),
    AfterValidator(_not_reserved),
    Field(
        description="3 to 64 letters (A to Z), digits, hyphens and underscores; the first and the"
        " last is a letter or a digit. Case counts: `Spring` and `spring` are two codes. Unique in"
        " all workspaces, for good. Not one of these words, in whatever case: "
        + ", ".join(sorted(RESERVED))
        + ".",
        examples=["ana-spring"],
    ),
]
SubName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,40}$")]
SubValue = Annotated[str, StringConstraints(max_length=200)]
Subs = Annotated[dict[SubName, SubValue], Field(max_length=20, examples=[{"placement": "footer"}])]
"""Sub-ids, added to the destination's query."""
AssetId = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9_.:-]{1,100}$"), Field(examples=["banner-300x250"])
]
"""The caller's own name of what a link stands on."""


class LinkOut(Out):
    """clicks: by traffic class, without classes that had none."""

    id: LinkId
    program_id: ProgramId
    partner_id: PartnerId
    host: str | None
    code: str
    short_url: str
    destination: str
    fallback: str | None
    expires_at: Instant | None
    subs: dict[str, str]
    utm: Utm
    asset_id: str | None
    is_default: bool
    clicks: dict[str, int]
    created_at: Instant
    archived_at: Instant | None

    @classmethod
    def of(cls, row: Row[Any], base_url: str) -> Self:
        return cls(
            id=row.id,
            program_id=row.program_id,
            partner_id=row.partner_id,
            host=row.host or None,
            code=row.code,
            short_url=f"{_address(row.host, base_url)}/r/{row.code}",
            destination=row.destination,
            fallback=row.fallback,
            expires_at=row.expires_at,
            subs=row.subs,
            utm=row.utm,
            asset_id=row.asset_id,
            is_default=row.is_default,
            clicks={
                traffic.NAMES[int(number)]: count for number, count in (row.clicks or {}).items()
            },
            created_at=row.created_at,
            archived_at=row.archived_at,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLink:
    """destination: none for the program's own. code: none for a random one.

    host: one of the program's verified domains; none for every host.
    """

    program_id: UUID
    partner_id: UUID
    destination: str | None = None
    code: str | None = None
    host: str | None = None
    fallback: str | None = None
    expires_at: datetime | None = None
    subs: dict[str, str] = field(default_factory=dict)
    utm: Utm = field(default_factory=dict)
    asset_id: str | None = None
    is_default: bool = False


def _address(host: str, base_url: str) -> str:
    """A domain of one's own is reached as we are: by https, unless we are being tried."""
    return f"{base_url.partition('://')[0]}://{host}" if host else base_url


def _base_url(request: Request) -> str:
    return str(request.app.state.settings.base_url)


BaseUrl = Annotated[str, Depends(_base_url)]
"""How the world reaches us, as a route's parameter."""


def is_archived(workspace: UUID) -> ColumnElement[bool]:
    """Whether a link is, by itself or by its program; a condition on `Link`."""
    ended = select(Program.id).where(
        Program.workspace_id == workspace, Program.archived_at.is_not(None)
    )
    return or_(Link.archived_at.is_not(None), Link.program_id.in_(ended))


def select_links(workspace: UUID) -> Select[Any]:
    """All links of a workspace with their clicks, for `LinkOut.of`."""
    by_class = (
        select(LinkClicks.traffic_class, func.sum(LinkClicks.clicks).label("clicks"))
        .where(LinkClicks.link_id == Link.id)
        .group_by(LinkClicks.traffic_class)
        .correlate(Link)
        .subquery()
    )
    clicks = select(
        func.jsonb_object_agg(by_class.c.traffic_class, by_class.c.clicks, type_=JSONB)
    ).scalar_subquery()
    by_program = (
        select(Program.archived_at)
        .where(Program.id == Link.program_id)
        .correlate(Link)
        .scalar_subquery()
    )
    archived_at = func.coalesce(Link.archived_at, by_program).label("archived_at")
    own = [column for column in Link.__table__.columns if column.name != "archived_at"]
    return select(*own, archived_at, clicks.label("clicks")).where(Link.workspace_id == workspace)
