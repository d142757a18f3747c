"""Hosts of their own on which programs serve their links."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.tables.base import Base


class Domain(Base):
    """A program's claim to a host; once verified, nobody else's until it is archived."""

    __tablename__ = "domains"
    __table_args__ = (
        Index("ix_domains_workspace_id_created_at", "workspace_id", "created_at", "id"),
        Index(
            "uq_domains_host_verified",
            "host",
            unique=True,
            postgresql_where=text("verified_at IS NOT NULL AND archived_at IS NULL"),
        ),
        Index(
            "uq_domains_program_id_host",
            "program_id",
            "host",
            unique=True,
            postgresql_where=text("archived_at IS NULL"),
        ),
        CheckConstraint("verified_by IN ('dns', 'http')", name="verified_by"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id"))
    program_id: Mapped[UUID] = mapped_column(ForeignKey("programs.id"))
    host: Mapped[str]
    """In its normal form: lower case, no port."""
    token: Mapped[str]
    """What the host has to show; random, and no secret."""
    verified_at: Mapped[datetime | None]
    verified_by: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    archived_at: Mapped[datetime | None]
