"""Customers, the decisions about them, and their conversions."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import BYTEA
from sqlalchemy.orm import Mapped, mapped_column

from app.db.tables.base import Base, Json


class Customer(Base):
    """The referred buyer. Personal data."""

    __tablename__ = "customers"
    __table_args__ = (
        Index("ix_customers_workspace_id_created_at", "workspace_id", "created_at", "id"),
        # Backwards, so that the addresses of one domain stand together; in the order of bytes
        # (COLLATE "C", in the migration).
        Index(
            "ix_customers_email_backwards",
            "workspace_id",
            text("reverse(lower(email))"),
            postgresql_where=text("email <> ''"),
        ),
    )

    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id"), primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(default="")
    name: Mapped[str] = mapped_column(default="")
    heard_from: Mapped[str] = mapped_column(default="", server_default=text("''"))
    """How it came here, in its own words, as told last; empty: not told, or erased."""
    merged_into: Mapped[UUID | None]
    """The older customer that it turned out to be."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    erased_at: Mapped[datetime | None]
    """When its personal data was last erased; what is told later is kept anew."""


class CustomerName(Base):
    """What a customer is known by: aliases, and the ids of its payments."""

    __tablename__ = "customer_names"
    __table_args__ = (
        Index("ix_customer_names_customer", "workspace_id", "customer_id"),
        Index(
            "ix_customer_names_own",
            "workspace_id",
            "customer_id",
            postgresql_where=text("namespace = 'own'"),
        ),
        CheckConstraint("external_id IS NULL OR namespace IS NOT NULL", name="alias"),
    )

    workspace_id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    """An alias' digest (`identity.person_name`) or a payment key."""
    customer_id: Mapped[UUID]
    namespace: Mapped[str | None]
    """Of an alias; none for payment keys."""
    external_id: Mapped[str | None]
    """The alias in clear; personal data. None for payment keys, and once it is erased."""


class TouchRow(Base):
    """A click that an event claims for its customer, for looking up; decisions hold their own."""

    __tablename__ = "touches"
    __table_args__ = (Index("ix_touches_click_id", "click_id"),)

    workspace_id: Mapped[UUID] = mapped_column(primary_key=True)
    event_id: Mapped[UUID] = mapped_column(primary_key=True)
    click_id: Mapped[UUID] = mapped_column(primary_key=True)
    link_id: Mapped[UUID]
    traffic_class: Mapped[str]
    at: Mapped[datetime]


class Decision(Base):
    """One run of the fold for one customer, with what it newly knew, or the settlement of a
    partner's period. Append-only.
    """

    __tablename__ = "decisions"
    __table_args__ = (Index("ix_decisions_customer", "workspace_id", "customer_id"),)

    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id"), primary_key=True)
    decision_no: Mapped[int] = mapped_column(primary_key=True)
    """Gapless per workspace, given under the lane."""
    customer_id: Mapped[UUID | None]
    """Empty where a period is settled."""
    engine: Mapped[int]
    """Number of the core that decided (`core.fold.ENGINE`)."""
    facts: Mapped[Json]
    """{events: [new ones], absorbed: [customer ids], world: {links, programs, enrollments}}"""
    outcome: Mapped[bytes] = mapped_column(BYTEA)
    """SHA-256 over the desired state."""
    hash: Mapped[bytes] = mapped_column(BYTEA)
    """SHA-256 over the previous decision's hash and this row."""
    decided_at: Mapped[datetime]


class Conversion(Base):
    """A lead, sale or renewal as we understand it."""

    __tablename__ = "conversions"
    __table_args__ = (
        UniqueConstraint("workspace_id", "key"),
        CheckConstraint("kind IN ('lead', 'sale', 'renewal')", name="kind"),
        CheckConstraint("refunded BETWEEN 0 AND gross", name="refunded"),
        Index("ix_conversions_customer", "workspace_id", "customer_id"),
        Index("ix_conversions_recorded_at", "workspace_id", "recorded_at", "id"),
        Index(
            "ix_conversions_program_id_occurred_at",
            "workspace_id",
            "program_id",
            "occurred_at",
            "id",
            postgresql_where=text("program_id IS NOT NULL"),
        ),
    )

    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id"), primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    customer_id: Mapped[UUID]
    key: Mapped[str]
    """The sale key or lead key that the id is derived from."""
    kind: Mapped[str]
    source: Mapped[str]
    is_new: Mapped[bool]
    """The customer's first paid sale."""
    occurred_at: Mapped[datetime]
    gross: Mapped[int]
    """Paid, minor units."""
    base: Mapped[int]
    """What commissions are worked out on, minor units."""
    currency: Mapped[str]
    refunded: Mapped[int]
    """Of the gross, minor units, cumulative."""
    subscription: Mapped[str]
    program_id: Mapped[UUID | None]
    credits: Mapped[Json]
    """[[partner_id, bps]]; empty: nobody earns."""
    reasons: Mapped[Json]
    """[{code, params}]"""
    bound_at: Mapped[datetime | None]
    """Since when the binding holds that this conversion follows or makes."""
    hold_until: Mapped[datetime | None]
    """When it closes; none while nobody is credited."""
    superseded_by: Mapped[UUID | None]
    """The conversion that this one turned out to be, or a zero id if its event no longer counts."""
    decision_no: Mapped[int]
    """The latest decision that changed it."""
    positions: Mapped[Json | None]
    """[[program_id, partner_id, name, period, currency, total]]: the tallies it was decided at."""
    recorded_at: Mapped[datetime]
    """When its sale was first recorded, under whatever key."""
