"""What sources sent: their secrets, each event's state, and the raw bytes."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, Uuid, func, text
from sqlalchemy.dialects.postgresql import ARRAY, BYTEA, TEXT
from sqlalchemy.orm import Mapped, mapped_column

from app.db.tables.base import Base, Json


class Source(Base):
    """A billing system that posts webhooks."""

    __tablename__ = "sources"
    __table_args__ = (
        Index("ix_sources_workspace_id_created_at", "workspace_id", "created_at", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id"))
    provider: Mapped[str]
    sealed_secrets: Mapped[bytes] = mapped_column(BYTEA)
    """JSON list of signing secrets, encrypted (`app.secret_keys`)."""
    program_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid), default=list)
    """If any: only these programs may earn from this source."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    archived_at: Mapped[datetime | None]


class EventRow(Base):
    """One event of a source and what became of it."""

    __tablename__ = "events"
    __table_args__ = (
        UniqueConstraint("workspace_id", "source", "external_id"),
        CheckConstraint(
            "state IN ('received', 'applied', 'parked', 'ignored', 'dead')", name="state"
        ),
        Index(
            "ix_events_waiting",
            "workspace_id",
            "received_at",
            postgresql_where=text("state = 'received'"),
        ),
        Index("ix_events_customer", "workspace_id", "customer_id"),
        Index("ix_events_received_at", "workspace_id", "received_at", "id"),
        Index(
            "ix_events_waits_for",
            "waits_for",
            postgresql_using="gin",
            postgresql_where=text("state = 'parked'"),
        ),
    )

    workspace_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    source: Mapped[str]
    """`api`, or the source's id."""
    external_id: Mapped[str]
    type: Mapped[str]
    """The provider's own name of what happened."""
    fingerprint: Mapped[str]
    """SHA-256 over the meaning; another one under the same key is a conflict."""
    mapped: Mapped[Json | None]
    """The canonical event (`conversions.canon`); none while it means nothing to us."""
    state: Mapped[str]
    reasons: Mapped[Json] = mapped_column(default=list)
    """[{code, params}]: why it is parked, ignored or dead, and alarms."""
    waits_for: Mapped[list[str]] = mapped_column(ARRAY(TEXT), default=list)
    """Payment keys, one of which must become known."""
    customer_id: Mapped[UUID | None]
    conversion_id: Mapped[UUID | None]
    """The conversion that it is about, as the latest decision sees it."""
    decision_no: Mapped[int | None]
    """The first decision that saw it."""
    attempts: Mapped[int] = mapped_column(default=0)
    next_attempt_at: Mapped[datetime] = mapped_column(server_default=func.now())
    conflicts: Mapped[int] = mapped_column(default=0)
    """How often the same key came with another meaning."""
    occurred_at: Mapped[datetime | None]
    received_at: Mapped[datetime]


class EventBody(Base):
    """The raw bytes as they came, and whom they name. Personal data.

    Insert-only: a body never changes, and only an erasure takes it away.
    """

    __tablename__ = "event_bodies"

    workspace_id: Mapped[UUID] = mapped_column(primary_key=True)
    event_id: Mapped[UUID] = mapped_column(primary_key=True)
    body: Mapped[bytes] = mapped_column(BYTEA)
    headers: Mapped[Json] = mapped_column(server_default="{}")
    """{name: text}: those that its provider's reader needs, names in lower case."""
    contact: Mapped[Json]
    """{aliases: [[name, namespace, external_id]], email, name}"""
