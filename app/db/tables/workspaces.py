"""Tenants, their keys, and the money lane's counters."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, func, text
from sqlalchemy.dialects.postgresql import ARRAY, BYTEA, TEXT
from sqlalchemy.orm import Mapped, mapped_column

from app.db.tables.base import Base


class Workspace(Base):
    """A tenant; live or test, never both."""

    __tablename__ = "workspaces"
    __table_args__ = (
        CheckConstraint("mode IN ('live', 'test')", name="mode"),
        CheckConstraint("click_retention_days BETWEEN 7 AND 3660", name="click_retention_days"),
        CheckConstraint("body_retention_days BETWEEN 7 AND 3660", name="body_retention_days"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    mode: Mapped[str]
    first: Mapped[bool] = mapped_column(default=False)
    """Made by the first start; its admin keys may create workspaces."""
    click_retention_days: Mapped[int] = mapped_column(Integer, server_default=text("395"))
    """Days (UTC) after which its clicks are dropped; the counters stay."""
    body_retention_days: Mapped[int] = mapped_column(Integer, server_default=text("400"))
    """Days after their receipt that raw messages are kept, once they are settled."""
    fallback: Mapped[str | None]
    """Where visitors of unknown codes are sent, on its domains; none: a 404 page."""
    joins_emails_since: Mapped[datetime | None]
    """From then on messages with equal e-mails are about one customer; none: they are not."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class WorkspacePrecedence(Base):
    """Since when what goes before what, where a workspace has its own order."""

    __tablename__ = "workspace_precedences"

    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id"), primary_key=True)
    since: Mapped[datetime] = mapped_column(primary_key=True)
    ranks: Mapped[list[str]] = mapped_column(ARRAY(TEXT))
    """All words of `core.world.PRECEDENCE`, the one that goes first in front; then the ids of
    programs that go before others.
    """


class ApiKey(Base):
    """A key of a workspace. Only its SHA-256 is stored."""

    __tablename__ = "api_keys"
    __table_args__ = (
        CheckConstraint("kind IN ('secret', 'publishable')", name="kind"),
        Index("uq_api_keys_digest", "digest", unique=True),
        Index("ix_api_keys_workspace_id_created_at", "workspace_id", "created_at", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id"))
    name: Mapped[str]
    hint: Mapped[str]
    """The key's first characters, to tell keys apart in a list."""
    digest: Mapped[bytes] = mapped_column(BYTEA)
    scopes: Mapped[list[str]] = mapped_column(ARRAY(TEXT))
    kind: Mapped[str] = mapped_column(server_default=text("'secret'"))
    origins: Mapped[list[str]] = mapped_column(ARRAY(TEXT), server_default=text("'{}'"))
    """Where a publishable key works, as browsers write origins."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class Lane(Base):
    """What a workspace's decisions count on; read and written only under its lock."""

    __tablename__ = "lanes"

    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id"), primary_key=True)
    decision_no: Mapped[int] = mapped_column(default=0)
    """Number of the latest decision; no gaps."""
    transfer_no: Mapped[int] = mapped_column(default=0)
    """Number of the latest transfer; no gaps."""
    chain_hash: Mapped[bytes] = mapped_column(BYTEA, default=b"")
    """Hash of the latest decision, which the next one's hash covers."""
