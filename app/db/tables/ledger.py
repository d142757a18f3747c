"""The ledger: commissions with a life, transfers that never change, balances that only grow."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    Numeric,
    SmallInteger,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from app.db.tables.base import Base, Json


class Commission(Base):
    """What a rule awarded somebody for a conversion, or for a whole period; one row for good."""

    __tablename__ = "commissions"
    __table_args__ = (
        CheckConstraint("status IN ('pending', 'held', 'payable', 'paid', 'void')", name="status"),
        CheckConstraint("amount >= 0 AND reversed BETWEEN 0 AND amount", name="reversed"),
        Index("ix_commissions_recorded_at", "workspace_id", "recorded_at", "id"),
        Index("ix_commissions_conversion", "workspace_id", "conversion_id"),
        Index("ix_commissions_partner", "workspace_id", "partner_id", "recorded_at", "id"),
        CheckConstraint("held BETWEEN 0 AND amount", name="held"),
        CheckConstraint("(conversion_id IS NULL) = (customer_id IS NULL)", name="origin"),
        CheckConstraint(
            "recipient IN ('partner', 'recruiter', 'company', 'customer')", name="recipient"
        ),
        CheckConstraint(
            "(partner_id IS NULL) = (recipient = 'customer')"
            " AND num_nonnulls(partner_id, rewarded_customer_id) = 1",
            name="beneficiary",
        ),
        CheckConstraint(
            "unit_cost >= 0 AND (unit_cost IS NULL) = (cost_currency IS NULL)", name="unit_cost"
        ),
        Index(
            "ix_commissions_rewarded_customer_id",
            "workspace_id",
            "rewarded_customer_id",
            postgresql_where="rewarded_customer_id IS NOT NULL",
        ),
        Index("ix_commissions_held", "workspace_id", "partner_id", postgresql_where="held > 0"),
        Index(
            "ix_commissions_to_mature",
            "hold_until",
            postgresql_where="status IN ('pending', 'held') AND matured_at IS NULL",
        ),
    )

    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id"), primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    conversion_id: Mapped[UUID | None]
    """Empty in a true-up, which is for all sales of a period (`core.true_up`)."""
    customer_id: Mapped[UUID | None]
    """Whose conversion it is; empty in a true-up."""
    program_id: Mapped[UUID]
    partner_id: Mapped[UUID | None]
    """Who has it; empty where the customer has."""
    rewarded_customer_id: Mapped[UUID | None]
    """The customer who has it, by the id of that day: a join moves no balance."""
    recipient: Mapped[str] = mapped_column(server_default="partner")
    """As whom the beneficiary has it (`core.rewards.Recipient`)."""
    level: Mapped[int | None] = mapped_column(SmallInteger)
    """Of a recruiter: 1 recruited the credited partner, 2 the one who did."""
    plan_version_id: Mapped[UUID]
    plan_version: Mapped[int]
    rule_id: Mapped[str]
    base: Mapped[int]
    amount: Mapped[int]
    """Awarded, minor units; only a re-decision before the close changes it."""
    reversed: Mapped[int]
    """Of the amount: taken back by refunds, disputes or a re-decision."""
    held: Mapped[int] = mapped_column(server_default="0")
    """Of what is neither reversed nor paid: stopped by an open dispute."""
    paid: Mapped[int]
    currency: Mapped[str]
    """Its unit (`core.rewards`): a currency for cash, else `credit:eur`, `gift:mug`, …"""
    unit_cost: Mapped[int | None]
    """What one of what is no money costs us, in minor units; empty: unknown, or it is money."""
    cost_currency: Mapped[str | None]
    rate_bps: Mapped[int | None]
    status: Mapped[str]
    hold_until: Mapped[datetime]
    matured_at: Mapped[datetime | None]
    superseded: Mapped[bool]
    """Dropped by a re-decision: all of it is reversed, whatever was refunded."""
    explanation: Mapped[Json]
    """[{code, params}]"""
    transfers: Mapped[int]
    """How many transfers it has; the next one's key is derived from it."""
    decision_no: Mapped[int]
    """The latest decision that changed it."""
    occurred_at: Mapped[datetime]
    """The conversion's; of a true-up, the last instant of its period."""
    recorded_at: Mapped[datetime]


class Transfer(Base):
    """One move of money from a debit account to a credit account. Append-only."""

    __tablename__ = "transfers"
    __table_args__ = (
        UniqueConstraint("workspace_id", "key"),
        CheckConstraint("amount > 0", name="amount"),
        CheckConstraint("debit_account <> credit_account", name="accounts"),
        Index("ix_transfers_commission", "workspace_id", "commission_id"),
    )

    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    """Gapless per workspace, given under the lane."""
    key: Mapped[UUID]
    """Derived from the commission and how many transfers it had (`identity.transfer_key`)."""
    debit_account: Mapped[UUID]
    credit_account: Mapped[UUID]
    amount: Mapped[int]
    currency: Mapped[str]
    code: Mapped[str]
    """Why it moved (`core.transfers.Code`)."""
    commission_id: Mapped[UUID]
    occurred_at: Mapped[datetime]
    recorded_at: Mapped[datetime]


class Account(Base):
    """The two growing counters of an account; re-derivable from the transfers."""

    __tablename__ = "accounts"
    __table_args__ = (
        CheckConstraint(
            "role IN ('expense', 'pending', 'held', 'payable', 'in_flight', 'paid')", name="role"
        ),
        CheckConstraint(
            "num_nonnulls(partner_id, customer_id) = CASE WHEN role = 'expense' THEN 0 ELSE 1 END",
            name="owner",
        ),
        Index("ix_accounts_partner", "workspace_id", "partner_id"),
        Index(
            "ix_accounts_customer_id",
            "workspace_id",
            "customer_id",
            postgresql_where="customer_id IS NOT NULL",
        ),
    )

    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id"), primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    program_id: Mapped[UUID]
    partner_id: Mapped[UUID | None]
    customer_id: Mapped[UUID | None]
    """Whose it is: a partner's, a customer's, or the program's expense."""
    currency: Mapped[str]
    """Its unit, as a commission's."""
    role: Mapped[str]
    debits: Mapped[Decimal] = mapped_column(Numeric)
    """Minor units, all transfers that debit it."""
    credits: Mapped[Decimal] = mapped_column(Numeric)
    """Minor units, all transfers that credit it."""
