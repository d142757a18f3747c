"""Writes that were done under an idempotency key, with the answers they got."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, Integer, func
from sqlalchemy.dialects.postgresql import BYTEA
from sqlalchemy.orm import Mapped, mapped_column

from app.db.tables.base import Base


class IdempotencyKey(Base):
    """A key that took effect; inserted in the effect's own transaction, removed after 48 h."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (Index("ix_idempotency_keys_created_at", "created_at"),)

    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id"), primary_key=True)
    key: Mapped[bytes] = mapped_column(BYTEA, primary_key=True)
    """SHA-256 of the key as it was sent."""
    request: Mapped[str]
    """Method, path and query: `POST /v1/links`."""
    body: Mapped[bytes] = mapped_column(BYTEA)
    """SHA-256 of the body, its objects' members in order."""
    status: Mapped[int] = mapped_column(Integer)
    content_type: Mapped[str]
    sealed_answer: Mapped[bytes | None] = mapped_column(BYTEA)
    """The answer's body, compressed and encrypted (`app.secret_keys`): it may hold secrets and
    personal data. None: an erasure in this workspace took it away."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
