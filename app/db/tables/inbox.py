"""What sources sent: their secrets, each event's state, and the raw bytes."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    UniqueConstraint,
    Uuid,
    false,
    func,
    text,
)
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
    with_tax: Mapped[bool] = mapped_column(server_default=false())
    """Whether commissions are worked out on amounts with their tax."""
    sealed_api_key: Mapped[bytes | None] = mapped_column(BYTEA)
    """The key that lists the provider's events, encrypted as the secrets are."""
    reconciled_to: Mapped[datetime | None]
    """Up to here the worker has compared the provider's list with ours."""
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
        Index(
            "ix_events_stuck",
            "workspace_id",
            "state",
            "received_at",
            "id",
            postgresql_where=text("state IN ('parked', 'dead')"),
        ),
        Index(
            "ix_events_conflicting",
            "workspace_id",
            "received_at",
            "id",
            postgresql_where=text("conflicts > 0"),
        ),
    )

    workspace_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    source: Mapped[str]
    """`api`, `imported`, or the source's id."""
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
    overdue_at: Mapped[datetime | None]
    """When it had been parked for longer than it should; it is taken up all the same."""
    occurred_at: Mapped[datetime | None]
    received_at: Mapped[datetime]


class EventBody(Base):
    """The raw bytes as they came, and whom they name. Personal data.

    Insert-only: a body never changes, and only an erasure or the workspace's retention takes it
    away. Ids are UUIDv7s of the receipt, so that rows past their retention lie together.
    """

    __tablename__ = "event_bodies"

    workspace_id: Mapped[UUID] = mapped_column(primary_key=True)
    event_id: Mapped[UUID] = mapped_column(primary_key=True)
    """An event's, or an `EventConflict`'s."""
    body: Mapped[bytes] = mapped_column(BYTEA)
    headers: Mapped[Json] = mapped_column(server_default="{}")
    """{name: text}: those that its provider's reader needs, names in lower case."""
    with_tax: Mapped[bool] = mapped_column(server_default=false())
    """Whether it was read so that commissions are worked out on amounts with their tax."""
    joins_email: Mapped[bool] = mapped_column(server_default=false())
    """Whether its e-mail counts as a name of the customer."""
    contact: Mapped[Json]
    """{aliases: [[name, namespace, external_id]], email, name}"""


class EventConflict(Base):
    """Another meaning that came under an event's key; its bytes are in `event_bodies`."""

    __tablename__ = "event_conflicts"

    workspace_id: Mapped[UUID] = mapped_column(primary_key=True)
    event_id: Mapped[UUID] = mapped_column(primary_key=True)
    """The event that holds the key."""
    fingerprint: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[UUID]
    mapped: Mapped[Json | None]
    """The canonical event that it would be; none if it means nothing to us."""
    reasons: Mapped[Json]
    """[{code, params}]: why it means nothing."""
    times: Mapped[int]
    first_at: Mapped[datetime]
    last_at: Mapped[datetime]


class EventReplay(Base):
    """A range of events to try again; the worker goes through it in chunks."""

    __tablename__ = "event_replays"
    __table_args__ = (
        CheckConstraint(
            "state IN ('received', 'applied', 'parked', 'ignored', 'dead')", name="state"
        ),
        Index("ix_event_replays_created_at", "workspace_id", "created_at", "id"),
        Index("ix_event_replays_open", "created_at", postgresql_where=text("finished_at IS NULL")),
    )

    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id"), primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    state: Mapped[str]
    """Of the events that are tried again."""
    from_at: Mapped[datetime]
    """Receipt of the first, included."""
    to_at: Mapped[datetime]
    """Receipt of the last, not included."""
    matched: Mapped[int]
    """Events of that state and range when it was asked for."""
    looked_at: Mapped[int]
    """Of them, how many were read anew by now."""
    put_back: Mapped[int]
    """Of those, how many are decided again."""
    after_at: Mapped[datetime | None]
    after_id: Mapped[UUID | None]
    """The last event that was looked at, and its receipt."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    finished_at: Mapped[datetime | None]


class Reconciliation(Base):
    """A span of a provider's own list of events, compared with ours."""

    __tablename__ = "reconciliations"
    __table_args__ = (
        Index("ix_reconciliations_source", "workspace_id", "source_id", "created_at", "id"),
        Index(
            "ix_reconciliations_open", "created_at", postgresql_where=text("finished_at IS NULL")
        ),
    )

    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id"), primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    source_id: Mapped[UUID] = mapped_column(ForeignKey("sources.id"))
    hourly: Mapped[bool]
    """Asked for by the worker itself; it moves the source's `reconciled_to`."""
    from_at: Mapped[datetime]
    to_at: Mapped[datetime]
    page_after: Mapped[str]
    """The provider's id of the last event of the page before; empty: the first page."""
    listed: Mapped[int]
    known: Mapped[int]
    filled: Mapped[int]
    attempts: Mapped[int]
    """Tries in a row that brought no page."""
    problem: Mapped[str]
    """What it answered last instead of a page, or why that could not be stored."""
    next_at: Mapped[datetime] = mapped_column(server_default=func.now())
    """Nobody else asks for its next page before."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    finished_at: Mapped[datetime | None]
