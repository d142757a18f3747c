"""Referral codes, customers who refer, and the touches that are no clicks."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.tables.base import Base


class Code(Base):
    """A code that attributes without a click. Its text stays taken when it is archived."""

    __tablename__ = "codes"
    __table_args__ = (
        UniqueConstraint("workspace_id", "code"),
        Index("ix_codes_workspace_id_created_at", "workspace_id", "created_at", "id"),
        Index("ix_codes_workspace_id_partner_id", "workspace_id", "partner_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id"))
    program_id: Mapped[UUID] = mapped_column(ForeignKey("programs.id"))
    partner_id: Mapped[UUID] = mapped_column(ForeignKey("partners.id"))
    code: Mapped[str]
    """In normal form (`core.codes.normal`)."""
    valid_until: Mapped[datetime | None]
    """As set last; what counted when is in `code_states`."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    archived_at: Mapped[datetime | None]


class CodeState(Base):
    """Since when a code is valid or not; a use is read against its own time.

    What lies ahead may be written anew; what has begun stays.
    """

    __tablename__ = "code_states"
    __table_args__ = (CheckConstraint("state IN ('active', 'ended')", name="state"),)

    workspace_id: Mapped[UUID] = mapped_column(primary_key=True)
    code_id: Mapped[UUID] = mapped_column(ForeignKey("codes.id"), primary_key=True)
    since: Mapped[datetime] = mapped_column(primary_key=True)
    state: Mapped[str]


class CodeProviderId(Base):
    """What a provider calls a code, and for how long it did: one code at a time."""

    __tablename__ = "code_provider_ids"
    __table_args__ = (
        Index("ix_code_provider_ids_code_id", "code_id"),
        Index(
            "uq_code_provider_ids_current",
            "workspace_id",
            "provider_id",
            unique=True,
            postgresql_where=text("until IS NULL"),
        ),
    )

    workspace_id: Mapped[UUID] = mapped_column(primary_key=True)
    provider_id: Mapped[str] = mapped_column(primary_key=True)
    """`stripe:promo_…`"""
    since: Mapped[datetime] = mapped_column(primary_key=True)
    until: Mapped[datetime | None]
    code_id: Mapped[UUID] = mapped_column(ForeignKey("codes.id"))


class CodeNews(Base):
    """A code, or a discount at a provider, that means something now; who used it before is decided
    anew. Gone once all are told.
    """

    __tablename__ = "code_news"

    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id"), primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    """As `ToldTouch` has it."""
    after_id: Mapped[UUID | None]
    """The last customer who was told."""
    noted_at: Mapped[datetime] = mapped_column(server_default=func.now())


class PartnerCustomer(Base):
    """A partner who is a customer too, so that it refers by being named and earns on nobody's
    purchase of its own.
    """

    __tablename__ = "partner_customers"
    __table_args__ = (Index("ix_partner_customers_customer_id", "workspace_id", "customer_id"),)

    workspace_id: Mapped[UUID] = mapped_column(primary_key=True)
    partner_id: Mapped[UUID] = mapped_column(ForeignKey("partners.id"), primary_key=True)
    customer_id: Mapped[UUID]
    """Two partners may turn out to be one customer."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class ToldTouch(Base):
    """A code, a referrer or a customer's own word that an event tells of its customer, for looking
    up; decisions hold their own.
    """

    __tablename__ = "told_touches"
    __table_args__ = (
        CheckConstraint("kind IN ('code', 'referrer', 'self_reported')", name="kind"),
        Index("ix_told_touches_name", "workspace_id", "kind", "name"),
    )

    workspace_id: Mapped[UUID] = mapped_column(primary_key=True)
    event_id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    """A code as used, in normal form; a partner's id; or the digest of a customer's alias."""
    at: Mapped[datetime]
