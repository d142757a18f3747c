"""Tracking links, and the change sequence that feeds every redirector's replica."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Identity, Index, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.tables.base import Base, Json


class Link(Base):
    """A tracking link. Its host is empty while it is served on every host."""

    __tablename__ = "links"
    __table_args__ = (
        UniqueConstraint("host", "code"),
        Index("ix_links_workspace_id_created_at", "workspace_id", "created_at", "id"),
        Index("ix_links_workspace_id_partner_id", "workspace_id", "partner_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id"))
    program_id: Mapped[UUID] = mapped_column(ForeignKey("programs.id"))
    partner_id: Mapped[UUID] = mapped_column(ForeignKey("partners.id"))
    host: Mapped[str] = mapped_column(default="")
    code: Mapped[str]
    destination: Mapped[str]
    """Where the visitor is sent, in its normal form."""
    click_parameter: Mapped[str] = mapped_column(default="click_id")
    """The program's as it was when the link was made: for redirectors of the release before this
    one, and read by nobody else. What counts stands in `programs`."""
    fallback: Mapped[str | None]
    """Where the visitor is sent once the link is expired or archived; none: 410."""
    is_default: Mapped[bool] = mapped_column(default=False)
    subs: Mapped[Json] = mapped_column(default=dict)
    """Sub-ids, {name: value}, added to the destination's query."""
    utm: Mapped[Json] = mapped_column(default=dict, server_default=text("'{}'"))
    """Its own UTM templates, {field: template}; they come before the program's."""
    program_utm: Mapped[Json] = mapped_column(default=dict, server_default=text("'{}'"))
    """The program's as it was then, as the click parameter."""
    keeps_network: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    """The program's as it was then, as the click parameter."""
    asset_id: Mapped[str | None]
    """The banner, mail or page that the link stands on, by the caller's own name; so clicks on
    the link are the asset's clicks."""
    expires_at: Mapped[datetime | None]
    archived_at: Mapped[datetime | None]
    """When it was archived by itself, or with its partner. Its program's archive ends it too."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class LinkChange(Base):
    """One row for each insert or update of a link, written by a trigger.

    Likewise for a program whose links change by it, under its own id, and for fallbacks, under the
    zero id: neither is a link's.

    Numbers are given before the commit, so a reader asks again for those that it missed.
    """

    __tablename__ = "link_changes"
    __table_args__ = (Index("ix_link_changes_changed_at", "changed_at"),)

    number: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    link_id: Mapped[UUID]
    changed_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
