"""`/v1/links`: tracking links of partners, with their clicks."""

from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Response
from pydantic import Field, StringConstraints

from app.add_links import MAX_LINKS, add, add_all
from app.auth import Caller, ReadDep, Scope, TxDep, needs
from app.db.tables import Link
from app.db.tx import Read
from app.errors import CodeTaken, Conflict, DestinationNotAllowed, NotFound, RowsRefused
from app.ids import encode
from app.openapi import documented
from app.pages import Order, PageDep, page
from app.program.links.change import LinkUpdate, archive, change
from app.program.links.share import (
    MEDIA_TYPES,
    ImageFormat,
    Scale,
    ShareOut,
    Text,
    kit,
    qr_image,
)
from app.tracking_links import (
    AssetId,
    BaseUrl,
    Code,
    LinkOut,
    NewLink,
    Subs,
    is_archived,
    select_links,
)
from app.utm import Utm
from app.wire import In, Instant, LinkId, Listed, Out, PartnerId, ProgramId
from app.writing import Writes

router: Final = APIRouter(prefix="/links", tags=["Links"], route_class=Writes)
_ORDER: Final = Order("link", Link.created_at, Link.id, Link.workspace_id)
_IMAGES: Final[dict[str, Any]] = {
    "description": "The image.",
    "content": {
        "image/svg+xml": {"schema": {"type": "string"}},
        "image/png": {"schema": {"type": "string", "format": "binary"}},
    },
}
Reader = Annotated[Caller, Depends(needs(Scope.LINKS_READ))]
Writer = Annotated[Caller, Depends(needs(Scope.LINKS_WRITE))]


class LinkCreate(In):
    """destination: none for the program's own. code: none for a random one.

    host: one of the program's verified domains; none: the link is served on every host that is
    nobody's domain.
    fallback: where visitors go once the link is expired or archived; none: they get a 410.
    """

    program_id: ProgramId
    partner_id: PartnerId
    destination: str | None = Field(None, examples=["https://shop.example.com/pricing"])
    code: Code | None = None
    host: Annotated[str, StringConstraints(max_length=253)] | None = Field(
        None, examples=["go.example.com"]
    )
    fallback: str | None = Field(None, examples=["https://shop.example.com/"])
    expires_at: Instant | None = None
    subs: Subs = {}  # noqa: RUF012 (pydantic copies defaults)
    utm: Utm = {}  # noqa: RUF012 (pydantic copies defaults)
    asset_id: AssetId | None = None


class LinksCreate(In):
    """The body may have 1,000,000 bytes."""

    links: Annotated[list[LinkCreate], Field(min_length=1, max_length=MAX_LINKS)]


class LinksMadeOut(Out):
    """The links in the order of the request."""

    data: list[LinkOut]


@router.post("", status_code=201, responses=documented(NotFound, CodeTaken, DestinationNotAllowed))
async def create_link(body: LinkCreate, caller: Writer, tx: TxDep, base_url: BaseUrl) -> LinkOut:
    """Make a link. It works at once."""
    link_id = await add(tx, caller.workspace_id, _new_link(body))
    return await _shown(tx, caller, link_id, base_url)


@router.post("/bulk", status_code=201, responses=documented(RowsRefused))
async def create_links(
    body: LinksCreate, caller: Writer, tx: TxDep, base_url: BaseUrl
) -> LinksMadeOut:
    """Make up to 1,000 links at once: all, or none and every row that stands in the way."""
    ids = await add_all(tx, caller.workspace_id, [_new_link(row) for row in body.links])
    rows = await tx.all(select_links(caller.workspace_id).where(Link.id.in_(ids)))
    by_id = {row.id: row for row in rows}
    return LinksMadeOut(data=[LinkOut.of(by_id[link_id], base_url) for link_id in ids])


@dataclass(frozen=True, slots=True)
class _Filter:
    program_id: Annotated[ProgramId | None, Query()] = None
    partner_id: Annotated[PartnerId | None, Query()] = None
    archived: Annotated[bool, Query()] = False


@router.get("")
async def list_links(
    caller: Reader,
    read: ReadDep,
    wanted: PageDep,
    only: Annotated[_Filter, Depends()],
    base_url: BaseUrl,
) -> Listed[LinkOut]:
    """Links, of one program or partner if given; `archived=true` lists the archived ones."""
    archived = is_archived(caller.workspace_id)
    statement = select_links(caller.workspace_id)
    statement = statement.where(archived if only.archived else ~archived)
    if only.program_id is not None:
        statement = statement.where(Link.program_id == only.program_id)
    if only.partner_id is not None:
        statement = statement.where(Link.partner_id == only.partner_id)
    rows, has_more = await page(read, statement, _ORDER, wanted, workspace=caller.workspace_id)
    return Listed(data=[LinkOut.of(row, base_url) for row in rows], has_more=has_more)


@router.get("/{link_id}")
async def get_link(link_id: LinkId, caller: Reader, read: ReadDep, base_url: BaseUrl) -> LinkOut:
    """One link."""
    return await _shown(read, caller, link_id, base_url)


@router.patch("/{link_id}", responses=documented(Conflict, DestinationNotAllowed))
async def change_link(
    link_id: LinkId, body: LinkUpdate, caller: Writer, tx: TxDep, base_url: BaseUrl
) -> LinkOut:
    """Change where a link leads, until when, and its sub-ids."""
    await change(tx, caller.workspace_id, link_id, body)
    return await _shown(tx, caller, link_id, base_url)


@router.delete("/{link_id}")
async def archive_link(link_id: LinkId, caller: Writer, tx: TxDep, base_url: BaseUrl) -> LinkOut:
    """Archive a link; its code stays taken."""
    await archive(tx, caller.workspace_id, link_id)
    return await _shown(tx, caller, link_id, base_url)


@router.get("/{link_id}/qr", response_class=Response, responses={200: _IMAGES})
async def get_link_qr(
    link_id: LinkId,
    caller: Reader,
    read: ReadDep,
    base_url: BaseUrl,
    image: Annotated[ImageFormat, Query(alias="format")] = "svg",
    scale: Scale = 10,
) -> Response:
    """The link's short URL as a QR code."""
    link = await _shown(read, caller, link_id, base_url)
    return Response(qr_image(link.short_url, image, scale), media_type=MEDIA_TYPES[image])


@router.get("/{link_id}/share")
async def get_link_share(
    link_id: LinkId, caller: Reader, read: ReadDep, base_url: BaseUrl, text: Text = ""
) -> ShareOut:
    """The share kit: the short URL, ready posts and a mail, a snippet, QR codes."""
    link = await _shown(read, caller, link_id, base_url)
    return kit(link.short_url, f"{base_url}/v1/links/{encode('link', link_id)}/qr", text)


def _new_link(body: LinkCreate) -> NewLink:
    return NewLink(
        program_id=body.program_id,
        partner_id=body.partner_id,
        destination=body.destination,
        code=body.code,
        host=body.host,
        fallback=body.fallback,
        expires_at=body.expires_at,
        subs=body.subs,
        utm=body.utm,
        asset_id=body.asset_id,
    )


async def _shown(read: Read, caller: Caller, link_id: LinkId, base_url: BaseUrl) -> LinkOut:
    row = await read.first(select_links(caller.workspace_id).where(Link.id == link_id))
    if row is None:
        raise NotFound
    return LinkOut.of(row, base_url)
