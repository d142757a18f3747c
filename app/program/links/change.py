"""Change a link, or archive it."""

from typing import Any
from uuid import UUID

from sqlalchemy import Row, exists, func, select, update

from app import destinations
from app.add_links import refuse_click_parameter
from app.db.tables import Link, LinkClicks, Program
from app.db.tx import Tx
from app.errors import Conflict, NotFound
from app.tracking_links import AssetId, Subs, is_archived
from app.utm import Utm
from app.wire import In, Instant


class LinkUpdate(In):
    """What is absent stays; `null` clears fallback, expires_at and asset_id.

    A code never changes, nor an asset_id once the link has clicks: they are the asset's.
    """

    destination: str = ""
    fallback: str | None = None
    expires_at: Instant | None = None
    subs: Subs = {}  # noqa: RUF012 (pydantic copies defaults)
    utm: Utm = {}  # noqa: RUF012 (pydantic copies defaults)
    asset_id: AssetId | None = None


async def change(tx: Tx, workspace: UUID, link_id: UUID, wanted: LinkUpdate) -> None:
    """NotFound; Conflict if it is archived or its clicks would change their asset.

    Also what `destinations.checked` raises.
    """
    link = await _locked(tx, workspace, link_id)
    if link.archived:
        raise Conflict("The link is archived.")
    values: dict[str, Any] = wanted.model_dump(exclude_unset=True)
    for name in ("destination", "fallback"):
        if values.get(name) is not None:
            hosts = link.destination_hosts
            values[name] = destinations.checked(values[name], hosts, f"body/{name}")
    if link.asset_id not in (None, values.get("asset_id", link.asset_id)):
        await _refuse_clicked(tx, link_id)
    refuse_click_parameter(wanted.subs, link.click_parameter, "body")
    if values:
        await tx.execute(update(Link).where(Link.id == link_id).values(**values))


async def archive(tx: Tx, workspace: UUID, link_id: UUID) -> None:
    """From now on it leads to its fallback. Its code stays taken. Twice: nothing."""
    link = await _locked(tx, workspace, link_id)
    if not link.archived:
        now = func.clock_timestamp()
        await tx.execute(update(Link).where(Link.id == link_id).values(archived_at=now))


async def _refuse_clicked(tx: Tx, link_id: UUID) -> None:
    if await tx.scalar(select(exists().where(LinkClicks.link_id == link_id))):
        raise Conflict("The link has clicks on this asset_id; make another link for another asset.")


async def _locked(tx: Tx, workspace: UUID, link_id: UUID) -> Row[Any]:
    own = (Link.workspace_id == workspace, Link.id == link_id)
    # The program first, as whoever archives it locks: none of its hosts goes while a link turns
    # to it, and neither waits for the other in a circle.
    program = await tx.first(
        select(Program.id)
        .where(Program.id == select(Link.program_id).where(*own).scalar_subquery())
        .with_for_update(read=True)
    )
    row = await tx.first(
        select(
            is_archived(workspace).label("archived"),
            Link.asset_id,
            Program.click_parameter,
            Program.destination_hosts,
        )
        .join(Program, Program.id == Link.program_id)
        .where(*own)
        .with_for_update(of=Link)
    )
    if program is None or row is None:
        raise NotFound
    return row
