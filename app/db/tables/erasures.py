"""Whose personal data was erased, when, and by which key. Append-only; names nobody itself."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from app.db.tables.base import Base, Json


class Erasure(Base):
    """One erasure. A raw body can only be deleted in the transaction that writes one of these."""

    __tablename__ = "erasures"
    __table_args__ = (
        CheckConstraint("kind IN ('customer', 'partner')", name="kind"),
        Index("ix_erasures_workspace_id_erased_at", "workspace_id", "erased_at", "id"),
        Index("ix_erasures_subject", "workspace_id", "subject_id"),
    )

    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id"), primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str]
    subject_id: Mapped[UUID]
    """The customer, the survivor if it was joined of several, or the partner."""
    key_id: Mapped[UUID] = mapped_column(ForeignKey("api_keys.id"))
    counts: Mapped[Json]
    """{what: how many}, of what was erased."""
    erased_at: Mapped[datetime]
