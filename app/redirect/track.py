"""`POST /v1/track/click`: a click that servers and the sites' script tell, where no redirect was.

It takes the redirect's road: the same classes, token and journal, and is safe on disk before the
answer leaves.
"""

from datetime import UTC, datetime
from typing import Annotated, Final, NamedTuple, Self, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from pydantic import Field, IPvAnyAddress, StringConstraints, model_validator
from sqlalchemy import or_, select

from app.auth import Caller, Scope, get_database, needs
from app.db.engine import Database
from app.db.tables import Link, Program
from app.errors import FieldError, LinkEnded, NotFound, OriginNotAllowed, RateLimited
from app.openapi import documented
from app.redirect.addresses import packed_address
from app.redirect.record import Recorder
from app.redirect.target import subs_in
from app.redirect.visits import Opener, Visits
from app.wire import In, LinkId, Out

router: Final = APIRouter(prefix="/track", tags=["Clicks"])
Clicker = Annotated[Caller, Depends(needs(Scope.CLICKS_WRITE))]
Text = Annotated[str, StringConstraints(max_length=2_048)]


class ClickIn(In):
    """One of `code` and `link_id`; the rest is what is known of the visitor.

    url: the page that was opened; of it the sub-ids (`sub1` to `sub5`) are kept. ip, user_agent:
    the visitor's, not the server's own; the address is looked at and not kept. gpc: whether the
    visitor sent `Sec-GPC: 1`. With a publishable key the request is the visitor's own, and it
    counts in place of these three.
    """

    code: Annotated[str, StringConstraints(min_length=1, max_length=128)] | None = Field(
        default=None, examples=["ana-spring"]
    )
    link_id: LinkId | None = None
    url: Text | None = Field(default=None, examples=["https://shop.example/pricing?sub1=footer"])
    referrer: Text | None = Field(default=None, examples=["https://blog.example/review"])
    ip: IPvAnyAddress | None = Field(default=None, examples=["203.0.113.7"])
    user_agent: Text | None = Field(default=None, examples=["Mozilla/5.0 (X11; Linux x86_64)"])
    gpc: bool = False

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.code is None) == (self.link_id is None):
            raise ValueError("send code or link_id, one of both")
        return self


class ClickOut(Out):
    """click_id: the token that conversions name."""

    click_id: str = Field(examples=["GgEBogKmaiB2GppBW2KoxhgiAaICpjvtdXGJocf37a8MDxGTjBP-Vp0P-EPN"])


class _Opened(NamedTuple):
    """The link that was opened, as `visits.Link`. subs: its own sub-ids."""

    link: bytes
    workspace: bytes
    keeps_network: bool
    subs: dict[str, str]


def get_recorder(request: Request) -> Recorder:
    return cast("Recorder", request.app.state.recorder)


@router.post("/click", responses=documented(NotFound, LinkEnded, OriginNotAllowed, RateLimited))
async def track_click(
    body: ClickIn,
    caller: Clicker,
    request: Request,
    recorder: Annotated[Recorder, Depends(get_recorder)],
) -> ClickOut:
    """Tell of a click without a redirect: from a server, or from the sites' script.

    Takes a secret key with `clicks:write`, or a publishable key from one of its origins.
    """
    link = await _open_link(get_database(request), caller.workspace_id, body)
    visits = recorder.visits
    if caller.publishable:
        opener = visits.opener(request.scope, dict(request.scope["headers"]))
    else:
        opener = _told(visits, body)
    query = _bytes(body.url).partition(b"#")[0].partition(b"?")[2]
    token = await recorder.record(
        link, opener, referrer=_bytes(body.referrer), subs=subs_in(query, link.subs)
    )
    return ClickOut(click_id=token)


def _told(visits: Visits, body: ClickIn) -> Opener:
    """A server that sends an empty agent just doesn't know it."""
    agent = _bytes(body.user_agent) if body.user_agent else None
    if body.ip is None:
        return Opener(None, b"", agent, body.gpc)
    address = packed_address(str(body.ip))
    return Opener(address, visits.country(address), agent, body.gpc)


async def _open_link(database: Database, workspace: UUID, body: ClickIn) -> _Opened:
    """NotFound, or LinkEnded for one that is expired or archived."""
    named = Link.id == body.link_id if body.link_id is not None else Link.code == body.code
    query = (
        select(
            Link.id,
            Link.subs,
            Link.expires_at,
            Program.keeps_network,
            or_(Link.archived_at.is_not(None), Program.archived_at.is_not(None)).label("archived"),
        )
        .join(Program, Program.id == Link.program_id)
        .where(Link.workspace_id == workspace, named)
        # Of several hosts' links with this code the one that serves all hosts.
        .order_by(Link.host, Link.id)
        .limit(1)
    )
    async with database.read() as read:
        found = await read.first(query)
    if found is None:
        place = "code" if body.link_id is None else "link_id"
        raise NotFound(errors=[FieldError(f"body/{place}", "No such link here")])
    expired = found.expires_at is not None and found.expires_at <= datetime.now(UTC)
    if expired or found.archived:
        raise LinkEnded
    return _Opened(found.id.bytes, workspace.bytes, found.keeps_network, found.subs)


def _bytes(text: str | None) -> bytes:
    return (text or "").encode(errors="replace")
