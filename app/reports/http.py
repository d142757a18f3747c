"""`/v1/clicks` and the traffic of links and partners: what was opened and shown, and its class."""

from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request
from sqlalchemy import exists, select

from app.auth import Caller, ReadDep, Scope, needs
from app.core.click_token import verify
from app.db.tables import Link, Partner
from app.db.tx import Read
from app.errors import NotFound
from app.ids import MalformedIdError, decode
from app.pages import PageDep
from app.reports import subs
from app.reports.clicks import ClickFilter, StoredClickOut, click_page, find_click
from app.reports.spans import Days
from app.reports.subs import SubName, SubsOut
from app.reports.traffic import MOST_DAYS, TrafficOut, of_link, of_partner, traffic
from app.wire import LinkId, Listed, PartnerId

router: Final = APIRouter(tags=["Traffic"])
Reader = Annotated[Caller, Depends(needs(Scope.TRAFFIC_READ))]
AnyClickId = Annotated[
    str,
    Path(
        max_length=100,
        description="Its id (`clk_…`), or the click id of 60 characters that the visitor carries.",
        examples=["clk_01h45ytscbebyvny4gc8cr8ma2"],
    ),
]


@router.get("/clicks")
async def list_clicks(
    caller: Reader, read: ReadDep, wanted: PageDep, only: Annotated[ClickFilter, Depends()]
) -> Listed[StoredClickOut]:
    """Clicks, newest first, of every class. `from` is included, `to` is not.

    Without `link_id` the span is 31 days at most, and the latest 31 days if none is given.
    """
    rows, has_more = await click_page(read, caller.workspace_id, only, wanted)
    return Listed(data=[StoredClickOut.of(row) for row in rows], has_more=has_more)


@router.get("/clicks/{click_id}")
async def get_click(
    click_id: AnyClickId, caller: Reader, read: ReadDep, request: Request
) -> StoredClickOut:
    """One click, by its id or by the click id that conversions name.

    A click is found as soon as its journal has been drained, usually within a second.
    """
    wanted = _click_of(click_id, request.app.state.secret_keys.click_keys)
    row = None if wanted is None else await find_click(read, caller.workspace_id, wanted)
    if row is None:
        raise NotFound
    return StoredClickOut.of(row)


@router.get("/links/{link_id}/traffic")
async def get_link_traffic(
    link_id: LinkId, caller: Reader, read: ReadDep, days: Annotated[Days, Depends()]
) -> TrafficOut:
    """A link's clicks and impressions by day (UTC) and class, and their rate.

    `from` and `to` are both included: 366 days at most, the latest 30 if none is given.
    """
    links, span = of_link(caller.workspace_id, link_id), days.span(MOST_DAYS)
    await _known(read, select(Link.id).where(*links))
    return await traffic(read, links, span)


@router.get("/partners/{partner_id}/traffic")
async def get_partner_traffic(
    partner_id: PartnerId, caller: Reader, read: ReadDep, days: Annotated[Days, Depends()]
) -> TrafficOut:
    """Clicks and impressions of all of a partner's links, archived ones too, by day and class.

    `from` and `to` are both included: 366 days at most, the latest 30 if none is given.
    """
    own = select(Partner.id).where(
        Partner.workspace_id == caller.workspace_id, Partner.id == partner_id
    )
    span = days.span(MOST_DAYS)
    await _known(read, own)
    return await traffic(read, of_partner(caller.workspace_id, partner_id), span)


@router.get("/links/{link_id}/subs")
async def get_link_subs(
    link_id: LinkId,
    caller: Reader,
    read: ReadDep,
    days: Annotated[Days, Depends()],
    sub: Annotated[SubName, Query()] = "sub1",
) -> SubsOut:
    """A link's clicks by the values of one sub-id that visitors brought.

    `from` and `to` are both included: 31 days at most, the latest 30 if none is given.
    """
    span = days.span(subs.MOST_DAYS)
    await _known(read, select(Link.id).where(*of_link(caller.workspace_id, link_id)))
    return await subs.clicks_by_sub(read, link_id, sub, span)


def _click_of(text: str, click_keys: tuple[bytes, ...]) -> UUID | None:
    if (token := verify(text, click_keys)) is not None:
        return token.click_id
    try:
        return decode("clk", text)
    except MalformedIdError:
        return None


async def _known(read: Read, own: Any) -> None:
    if not await read.scalar(select(exists(own))):
        raise NotFound
