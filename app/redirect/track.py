"""`POST /v1/track/click`: a click that servers and the sites' script tell, where no redirect was.

It takes the redirect's road: the same classes, token and journal, and is safe on disk before the
answer leaves.
"""

from datetime import UTC, datetime
from typing import Annotated, Any, Final, Self, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from pydantic import Field, IPvAnyAddress, StringConstraints, model_validator
from sqlalchemy import Row, select

from app.auth import Caller, Scope, get_database, needs
from app.db.engine import Database
from app.db.tables import Link
from app.errors import FieldError, LinkEnded, NotFound, OriginNotAllowed, RateLimited
from app.openapi import documented
from app.redirect.record import Recorder
from app.redirect.target import subs_in
from app.wire import In, LinkId, Out

router: Final = APIRouter(prefix="/track", tags=["Clicks"])
Clicker = Annotated[Caller, Depends(needs(Scope.CLICKS_WRITE))]
Text = Annotated[str, StringConstraints(max_length=2_048)]


class ClickIn(In):
    """One of `code` and `link_id`; the rest is what is known of the visitor.

    url: the page that was opened; of it the sub-ids (`sub1` to `sub5`) are kept. ip: not kept in
    any form. user_agent: the visitor's, not the server's own; with a publishable key the request's
    own header counts instead.
    """

    code: Annotated[str, StringConstraints(min_length=1, max_length=128)] | None = Field(
        default=None, examples=["ana-spring"]
    )
    link_id: LinkId | None = None
    url: Text | None = Field(default=None, examples=["https://shop.example/pricing?sub1=footer"])
    referrer: Text | None = Field(default=None, examples=["https://blog.example/review"])
    ip: IPvAnyAddress | None = Field(default=None, examples=["203.0.113.7"])
    user_agent: Text | None = Field(default=None, examples=["Mozilla/5.0 (X11; Linux x86_64)"])

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.code is None) == (self.link_id is None):
            raise ValueError("send code or link_id, one of both")
        return self


class ClickOut(Out):
    """click_id: the token that conversions name."""

    click_id: str = Field(examples=["GgEBogKmaiB2GppBW2KoxhgiAaICpjvtdXGJocf37a8MDxGTjBP-Vp0P-EPN"])


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
    # A browser names itself; a server that sends an empty name just doesn't know it.
    own = request.headers.get("user-agent", "")
    agent = own if caller.publishable else body.user_agent or None
    query = _bytes(body.url).partition(b"#")[0].partition(b"?")[2]
    token = await recorder.record(
        UUID(bytes=link.id.bytes),
        agent=None if agent is None else _bytes(agent),
        referrer=_bytes(body.referrer),
        subs=subs_in(query, link.subs),
    )
    return ClickOut(click_id=token)


async def _open_link(database: Database, workspace: UUID, body: ClickIn) -> Row[Any]:
    """Its id and subs; NotFound, or LinkEnded for one that is expired or archived."""
    named = Link.id == body.link_id if body.link_id is not None else Link.code == body.code
    query = (
        select(Link.id, Link.subs, Link.expires_at, Link.archived_at)
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
    ended = found.expires_at is not None and found.expires_at <= datetime.now(UTC)
    if ended or found.archived_at is not None:
        raise LinkEnded
    return found


def _bytes(text: str | None) -> bytes:
    return (text or "").encode(errors="replace")
