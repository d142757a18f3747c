"""Back-tests of terms on real history: what is asked, how far each is, and what it came to."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Numeric,
    Uuid,
    false,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from app.db.tables.base import Base, Json


class Backtest(Base):
    """A version of a program's terms, tried on the sales of a period. It decides nothing."""

    __tablename__ = "backtests"
    __table_args__ = (
        CheckConstraint(
            "state IN ('queued', 'running', 'done', 'failed', 'canceled')", name="state"
        ),
        Index("ix_backtests_workspace_id_created_at", "workspace_id", "created_at", "id"),
        Index(
            "ix_backtests_open",
            "created_at",
            postgresql_where=text("state IN ('queued', 'running')"),
        ),
    )

    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id"), primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    program_id: Mapped[UUID] = mapped_column(ForeignKey("programs.id"))
    plan_version_id: Mapped[UUID] = mapped_column(ForeignKey("plan_versions.id"))
    from_at: Mapped[datetime]
    """Of the first sale, included."""
    to_at: Mapped[datetime]
    """Of the last sale, not included."""
    state: Mapped[str] = mapped_column(server_default="queued")
    problem: Mapped[str] = mapped_column(server_default="")
    """Why it failed; empty: it did not."""
    run: Mapped[UUID | None]
    """The latest start; what an earlier one has left undone is done again."""
    attempts: Mapped[int] = mapped_column(server_default="0")
    """Starts since a part was last done."""
    decision_no: Mapped[int | None]
    """History up to this decision counts; none until its parts are known."""
    in_order: Mapped[bool] = mapped_column(server_default=false())
    """Whether customers share totals, so that one process takes them in the order of decisions."""
    sales: Mapped[int] = mapped_column(server_default="0")
    """Conversions of the period."""
    sales_done: Mapped[int] = mapped_column(server_default="0")
    sales_otherwise: Mapped[int] = mapped_column(server_default="0")
    """Of those done: paid otherwise by the version than by the terms in force."""
    sales_unlike: Mapped[int] = mapped_column(server_default="0")
    """Of those done: the terms in force give something else than is recorded."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    started_at: Mapped[datetime | None]
    touched_at: Mapped[datetime] = mapped_column(server_default=func.now())
    """When whoever runs it was last seen; one that runs and is not touched has died."""
    finished_at: Mapped[datetime | None]


class BacktestPart(Base):
    """Some customers, compared as a whole or not at all."""

    __tablename__ = "backtest_parts"
    __table_args__ = (
        ForeignKeyConstraint(
            ["workspace_id", "backtest_id"],
            ["backtests.workspace_id", "backtests.id"],
            name="fk_backtest_parts_backtest",
        ),
    )

    workspace_id: Mapped[UUID] = mapped_column(primary_key=True)
    backtest_id: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    customers: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid))
    sales: Mapped[int]
    run: Mapped[UUID | None]
    """The start that has taken it up."""
    done_at: Mapped[datetime | None]


class BacktestSum(Base):
    """What one partner would have got, in one currency, by each of the two."""

    __tablename__ = "backtest_sums"
    __table_args__ = (
        ForeignKeyConstraint(
            ["workspace_id", "backtest_id"],
            ["backtests.workspace_id", "backtests.id"],
            name="fk_backtest_sums_backtest",
        ),
    )

    workspace_id: Mapped[UUID] = mapped_column(primary_key=True)
    backtest_id: Mapped[UUID] = mapped_column(primary_key=True)
    partner_id: Mapped[UUID] = mapped_column(primary_key=True)
    currency: Mapped[str] = mapped_column(primary_key=True)
    sales: Mapped[int]
    """That pay the partner by either."""
    sales_otherwise: Mapped[int]
    """Of them, with another amount."""
    present_awarded: Mapped[Decimal] = mapped_column(Numeric)
    """By the terms in force, minor units."""
    present_reversed: Mapped[Decimal] = mapped_column(Numeric)
    """Of it, by refunds and lost disputes."""
    tried_awarded: Mapped[Decimal] = mapped_column(Numeric)
    """By the version that is tried, minor units."""
    tried_reversed: Mapped[Decimal] = mapped_column(Numeric)


class BacktestChange(Base):
    """Sales that are paid otherwise in the same way: by these rules now, by those then."""

    __tablename__ = "backtest_changes"
    __table_args__ = (
        ForeignKeyConstraint(
            ["workspace_id", "backtest_id"],
            ["backtests.workspace_id", "backtests.id"],
            name="fk_backtest_changes_backtest",
        ),
    )

    workspace_id: Mapped[UUID] = mapped_column(primary_key=True)
    backtest_id: Mapped[UUID] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    """Digest of the next three."""
    currency: Mapped[str]
    present: Mapped[Json]
    """[rule]; empty: it pays nobody."""
    tried: Mapped[Json]
    sales: Mapped[int]
    difference: Mapped[Decimal] = mapped_column(Numeric)
    """What is kept by the version, less what is kept by the terms in force; minor units."""
    samples: Mapped[Json]
    """A few of them: [{conversion_id, present, tried}], each side {awards, reasons}."""
