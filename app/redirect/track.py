"""`POST /v1/track/click`: a click that servers and the sites' script tell, where no redirect was.

It takes the redirect's road: the same classes, token and journal, and is safe on disk before the
answer leaves.
"""

from datetime import UTC, datetime
from typing import Annotated, Final, NamedTuple, Self, cast
from urllib.parse import urlsplit
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from pydantic import Field, IPvAnyAddress, StringConstraints, model_validator
from sqlalchemy import ColumnElement, and_, or_, select

from app.auth import Caller, Scope, get_database, needs
from app.db.engine import Database
from app.db.tables import Link, Program
from app.destinations import MAX_HOST_LENGTH, normal_host
from app.errors import CodeAmbiguous, FieldError, LinkEnded, NotFound, OriginNotAllowed, RateLimited
from app.openapi import documented
from app.redirect.addresses import packed_address
from app.redirect.record import Recorder
from app.redirect.target import subs_in
from app.redirect.visits import Opener, Visits
from app.wire import In, LinkId, Out

router: Final = APIRouter(prefix="/track", tags=["Clicks"])
Clicker = Annotated[Caller, Depends(needs(Scope.CLICKS_WRITE))]
Text = Annotated[str, StringConstraints(max_length=2_048)]
_WHICH: Final = (
    "Send the link's host too (that of its short_url, without a scheme), or its link_id in place"
    " of the code. GET /v1/links shows them."
)


class ClickIn(In):
    """One of `code` and `link_id`; the rest is what is known of the visitor.

    host: the link's, as it is shown; for a link without one, the host of its short URL. Needed
    where links on more than one host have this code, since those may be different partners'.
    url: the page that was opened; of it the sub-ids (`sub1` to `sub5`) are kept. ip, user_agent:
    the visitor's, not the server's own; the address is looked at and not kept. gpc: whether the
    visitor sent `Sec-GPC: 1`. With a publishable key the request is the visitor's own, and it
    counts in place of these three.
    """

    code: Annotated[str, StringConstraints(min_length=1, max_length=128)] | None = Field(
        default=None, examples=["ana-spring"]
    )
    host: Annotated[str, StringConstraints(max_length=MAX_HOST_LENGTH)] | None = Field(
        default=None, examples=["go.example.com"]
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
        if self.host is not None and self.code is None:
            raise ValueError("send host with code only; link_id alone names one link")
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


@router.post(
    "/click",
    responses=documented(NotFound, CodeAmbiguous, LinkEnded, OriginNotAllowed, RateLimited),
)
async def track_click(
    body: ClickIn,
    caller: Clicker,
    request: Request,
    recorder: Annotated[Recorder, Depends(get_recorder)],
) -> ClickOut:
    """Tell of a click without a redirect: from a server, or from the sites' script.

    Takes a secret key with `clicks:write`, or a publishable key from one of its origins.
    """
    named = _named(body, request.app.state.settings.base_url)
    link = await _open_link(get_database(request), caller.workspace_id, body, named)
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


def _named(body: ClickIn, base_url: str) -> ColumnElement[bool]:
    """Which link is meant, a condition on `Link`. InvalidRequest for what is no host."""
    if body.code is None:
        return Link.id == body.link_id
    if body.host is None:
        return Link.code == body.code
    host, own = normal_host(body.host, "body/host"), urlsplit(base_url)
    # Links for all hosts have our own in their short URLs, and only that: on any other host the
    # redirect would serve them too, but here it may be a typing error, which must pay nobody.
    return and_(
        Link.host == ("" if host in {own.netloc, own.hostname} else host), Link.code == body.code
    )


async def _open_link(
    database: Database, workspace: UUID, body: ClickIn, named: ColumnElement[bool]
) -> _Opened:
    """NotFound, CodeAmbiguous, or LinkEnded for one that is expired or archived."""
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
        .limit(2)
    )
    async with database.read() as read:
        found = await read.all(query)
    if not found:
        place = "code" if body.link_id is None else "link_id"
        raise NotFound(errors=[FieldError(f"body/{place}", "No such link here")])
    if len(found) > 1:
        # Also where only one of them is still open: whom a code pays must not change by an expiry.
        problem = "Links on more than one host have this code"
        raise CodeAmbiguous(errors=[FieldError("body/code", problem, _WHICH)])
    link = found[0]
    expired = link.expires_at is not None and link.expires_at <= datetime.now(UTC)
    if expired or link.archived:
        raise LinkEnded
    return _Opened(link.id.bytes, workspace.bytes, link.keeps_network, link.subs)


def _bytes(text: str | None) -> bytes:
    return (text or "").encode(errors="replace")
