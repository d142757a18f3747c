"""Partners' claims to have brought a customer, each step of them, and what people wrote."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.tables.base import Base, Json

_STATUSES = "'open', 'accepted', 'rejected', 'withdrawn'"


class Claim(Base):
    """A partner says that it referred a customer. It names ids and digests only.

    customer_id or name tells whom it is about; a name that nobody has yet waits for its customer.
    """

    __tablename__ = "claims"
    __table_args__ = (
        CheckConstraint(f"status IN ({_STATUSES})", name="status"),
        CheckConstraint("num_nonnulls(customer_id, name) > 0", name="subject"),
        Index("ix_claims_workspace_id_filed_at", "workspace_id", "filed_at", "id"),
        Index("ix_claims_partner", "workspace_id", "partner_id"),
        Index("ix_claims_customer", "workspace_id", "customer_id"),
        Index("ix_claims_name", "workspace_id", "name"),
        Index("ix_claims_open", "workspace_id", "id", postgresql_where=text("status = 'open'")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id"))
    program_id: Mapped[UUID] = mapped_column(ForeignKey("programs.id"))
    partner_id: Mapped[UUID] = mapped_column(ForeignKey("partners.id"))
    customer_id: Mapped[UUID | None]
    """As it was named, or found when the claim was decided; it may have been joined since."""
    name: Mapped[str | None]
    """As in `customer_names`: the digest of an alias, or an invoice's key."""
    conversion_id: Mapped[UUID | None]
    """The one that was named, if one was."""
    status: Mapped[str]
    filed_at: Mapped[datetime]
    lost_to: Mapped[UUID | None] = mapped_column(ForeignKey("claims.id"))
    """The claim that was accepted in its place."""
    outcome: Mapped[Json | None]
    """Of an accepted one: {moved, closed, kept}, each [{conversion_id, …}], as of that day."""


class ClaimStep(Base):
    """One entry of a claim's history, in the order of its numbers."""

    __tablename__ = "claim_steps"
    __table_args__ = (CheckConstraint(f"status IN ({_STATUSES})", name="status"),)

    workspace_id: Mapped[UUID] = mapped_column(primary_key=True)
    claim_id: Mapped[UUID] = mapped_column(ForeignKey("claims.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    """From 1."""
    status: Mapped[str]
    at: Mapped[datetime]
    key_id: Mapped[UUID] = mapped_column(ForeignKey("api_keys.id"))
    reason_code: Mapped[str]
    """Empty where a step needs none."""


class ClaimWords(Base):
    """What people wrote of a claim. Personal data; without a row it was erased."""

    __tablename__ = "claim_words"

    workspace_id: Mapped[UUID] = mapped_column(primary_key=True)
    claim_id: Mapped[UUID] = mapped_column(ForeignKey("claims.id"), primary_key=True)
    namespace: Mapped[str]
    """Of the customer's name as it was told; empty if it was named by an id of ours."""
    external_id: Mapped[str]
    statement: Mapped[str]
    evidence: Mapped[Json]
    """[{kind, url, text}]"""
    answer: Mapped[str]
    """What the partner is told; empty while the claim is open."""
