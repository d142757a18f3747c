"""Registered leads: who holds which prospect, since when, and how that went on."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.tables.base import Base

_STAGES = "'registered', 'accepted', 'qualified', 'won', 'lost', 'rejected', 'expired'"


class Deal(Base):
    """A prospect kept for a partner. Whom it is about stands in `deal_prospects`."""

    __tablename__ = "deals"
    __table_args__ = (
        CheckConstraint(f"stage IN ({_STAGES})", name="stage"),
        Index("ix_deals_workspace_id_registered_at", "workspace_id", "registered_at", "id"),
        Index("ix_deals_partner", "workspace_id", "partner_id"),
        Index(
            "ix_deals_lock_until",
            "lock_until",
            postgresql_where=text("stage IN ('registered', 'accepted', 'qualified')"),
        ),
        Index(
            "ix_deals_untold",
            "workspace_id",
            "id",
            postgresql_where=text("linked AND (told_number < number OR customer_id IS NULL)"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id"))
    program_id: Mapped[UUID] = mapped_column(ForeignKey("programs.id"))
    partner_id: Mapped[UUID] = mapped_column(ForeignKey("partners.id"))
    product: Mapped[str]
    """What the prospect is to buy, in the registrant's words; empty: not told."""
    stage: Mapped[str]
    """As written last. An open deal whose lock has ended is expired, whatever stands here."""
    registered_at: Mapped[datetime]
    lock_days: Mapped[int]
    """How long the prospect is kept, and what one extension adds."""
    lock_until: Mapped[datetime]
    extensions: Mapped[int]
    number: Mapped[int]
    """Of the latest entry of its history."""
    linked: Mapped[bool]
    """Whether it is known which customer the prospect became."""
    customer_id: Mapped[UUID | None]
    """That customer, once there is one."""
    told_number: Mapped[int]
    """The entry up to which its customer's attribution knows it."""


class DealState(Base):
    """One entry of a deal's history, in the order of its numbers."""

    __tablename__ = "deal_states"
    __table_args__ = (CheckConstraint(f"stage IN ({_STAGES})", name="stage"),)

    workspace_id: Mapped[UUID] = mapped_column(primary_key=True)
    deal_id: Mapped[UUID] = mapped_column(ForeignKey("deals.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    """From 1."""
    stage: Mapped[str]
    at: Mapped[datetime]
    lock_until: Mapped[datetime]
    """As this entry left it."""
    key_id: Mapped[UUID | None] = mapped_column(ForeignKey("api_keys.id"))
    """By whose key; none if the lock ended by itself."""
    reason: Mapped[str]
    """Why, in the words of whoever did it; blanked with what names the prospect."""


class DealProspect(Base):
    """Whom a deal is about. Personal data; without a row it was erased."""

    __tablename__ = "deal_prospects"

    workspace_id: Mapped[UUID] = mapped_column(primary_key=True)
    deal_id: Mapped[UUID] = mapped_column(ForeignKey("deals.id"), primary_key=True)
    company: Mapped[str]
    domain: Mapped[str]
    contact_name: Mapped[str]
    contact_email: Mapped[str]
    note: Mapped[str]
    customer_external_id: Mapped[str]
    """The customer that it became, by the caller's own id; empty: not known."""


class DealKey(Base):
    """What a deal is matched by, while it keeps its prospect: the first one has the key."""

    __tablename__ = "deal_keys"
    __table_args__ = (Index("ix_deal_keys_deal", "workspace_id", "deal_id"),)

    workspace_id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    """`domain:`, `email:` or `company:` and the digest of its normal form."""
    deal_id: Mapped[UUID] = mapped_column(ForeignKey("deals.id"))


class DealConflict(Base):
    """A registration that came too late. It names ids only."""

    __tablename__ = "deal_conflicts"
    __table_args__ = (
        CheckConstraint("matched IN ('email', 'domain', 'company')", name="matched"),
        CheckConstraint("(deal_id IS NULL) <> (customer_id IS NULL)", name="first"),
        Index("ix_deal_conflicts_workspace_id_at", "workspace_id", "at", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id"))
    program_id: Mapped[UUID] = mapped_column(ForeignKey("programs.id"))
    partner_id: Mapped[UUID] = mapped_column(ForeignKey("partners.id"))
    """Who came too late."""
    matched: Mapped[str]
    deal_id: Mapped[UUID | None] = mapped_column(ForeignKey("deals.id"))
    """Who was first: another deal, or"""
    customer_id: Mapped[UUID | None]
    """a customer that was known already."""
    key_id: Mapped[UUID] = mapped_column(ForeignKey("api_keys.id"))
    at: Mapped[datetime]
