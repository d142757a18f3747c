"""A tracking link: how it is written down, and how the API shows it."""

import secrets
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Final, Self
from uuid import UUID

from fastapi import Depends, Request
from pydantic import AfterValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError
from sqlalchemy import Row, Select, func, select
from sqlalchemy.dialects.postgresql import JSONB, insert

from app import destinations
from app.core import traffic
from app.db.tables import Enrollment, Link, LinkClicks, Partner, Program
from app.db.tx import Tx
from app.errors import CodeTaken, FieldError, InvalidRequest, NotFound
from app.ids import uuid7
from app.utm import Utm
from app.wire import Instant, LinkId, Out, PartnerId, ProgramId

CODE_LENGTH: Final = 8
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
_ALPHABET: Final = "23456789abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ"
_TRIES: Final = 5


def _not_reserved(value: str) -> str:
    if value.lower() in RESERVED:
        raise PydanticCustomError("code_reserved", "This word is reserved")
    return value


Code = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9_-]{3,64}$"),
    AfterValidator(_not_reserved),
    Field(examples=["ana-spring"]),
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
            code=row.code,
            short_url=f"{base_url}/r/{row.code}",
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
    """destination: none for the program's own. code: none for a random one."""

    program_id: UUID
    partner_id: UUID
    destination: str | None = None
    code: str | None = None
    fallback: str | None = None
    expires_at: datetime | None = None
    subs: dict[str, str] = field(default_factory=dict)
    utm: Utm = field(default_factory=dict)
    asset_id: str | None = None
    is_default: bool = False


def _base_url(request: Request) -> str:
    return str(request.app.state.settings.base_url)


BaseUrl = Annotated[str, Depends(_base_url)]
"""How the world reaches us, as a route's parameter."""


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
    return select(*Link.__table__.columns, clicks.label("clicks")).where(
        Link.workspace_id == workspace
    )


async def add(tx: Tx, workspace: UUID, new: NewLink) -> UUID:
    """Write a link down. NotFound, CodeTaken, or what `destinations.checked` raises."""
    program = await _program(tx, workspace, new)
    refuse_click_parameter(new.subs, program.click_parameter)
    values = {
        "workspace_id": workspace,
        "program_id": new.program_id,
        "partner_id": new.partner_id,
        "destination": program.default_destination
        if new.destination is None
        else destinations.checked(new.destination, program.destination_hosts, "body/destination"),
        "fallback": new.fallback
        and destinations.checked(new.fallback, program.destination_hosts, "body/fallback"),
        "click_parameter": program.click_parameter,
        "expires_at": new.expires_at,
        "subs": new.subs,
        "utm": new.utm,
        "program_utm": program.utm,
        "asset_id": new.asset_id,
        "is_default": new.is_default,
    }
    for _ in range(1 if new.code else _TRIES):
        code = new.code or "".join(secrets.choice(_ALPHABET) for _ in range(CODE_LENGTH))
        link_id = await tx.scalar(
            insert(Link)
            .values(id=uuid7(), code=code, **values)
            .on_conflict_do_nothing(index_elements=["host", "code"])
            .returning(Link.id)
        )
        if link_id is not None:
            return UUID(str(link_id))
    raise CodeTaken(errors=[FieldError("body/code", "Taken", "Choose another code.")])


def refuse_click_parameter(subs: dict[str, str], click_parameter: str) -> None:
    """A sub-id must not take the click id's name."""
    if click_parameter in subs:
        place, remedy = f"body/subs/{click_parameter}", "Choose another name."
        raise InvalidRequest(errors=[FieldError(place, "Carries the click id", remedy)])


async def _program(tx: Tx, workspace: UUID, new: NewLink) -> Row[Any]:
    program = await tx.first(
        select(
            Program.destination_hosts,
            Program.default_destination,
            Program.click_parameter,
            Program.utm,
        )
        .where(
            Program.workspace_id == workspace,
            Program.id == new.program_id,
            Program.archived_at.is_(None),
        )
        # Shared: a change of the program's hosts waits until this link can be seen. Likewise
        # below, whoever archives the partner.
        .with_for_update(read=True)
    )
    if program is None:
        raise _not_found("body/program_id", "No program with this id that is not archived")
    enrolled = await tx.first(
        select(Enrollment.partner_id)
        .join(Partner, Partner.id == Enrollment.partner_id)
        .where(
            Partner.archived_at.is_(None),
            Enrollment.workspace_id == workspace,
            Enrollment.program_id == new.program_id,
            Enrollment.partner_id == new.partner_id,
        )
        .with_for_update(read=True, of=Partner)
    )
    if enrolled is None:
        raise _not_found(
            "body/partner_id", "No partner with this id in the program that is not archived"
        )
    return program


def _not_found(place: str, problem: str) -> NotFound:
    return NotFound(problem, errors=[FieldError(place, problem, "Send an id that the API gave.")])
