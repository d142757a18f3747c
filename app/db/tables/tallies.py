"""What partners' sales and commissions have come to in a program, as far as its terms ask."""

from uuid import UUID

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.tables.base import Base


class TallyRow(Base):
    """One running total; the sum of what the standing conversions add to it, always."""

    __tablename__ = "tallies"
    __table_args__ = (
        Index(
            "ix_tallies_unsettled",
            "workspace_id",
            "program_id",
            "period",
            postgresql_where=text("settled_no IS NULL AND name LIKE 'base:%' AND currency <> ''"),
        ),
    )

    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id"), primary_key=True)
    program_id: Mapped[UUID] = mapped_column(primary_key=True)
    partner_id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    """`sales`, `leads`, or `rule:` or `base:` and the id of a rule."""
    period: Mapped[str] = mapped_column(primary_key=True)
    """A calendar period in UTC: `2026-03`, `2026-q1`, `2026` or `life`."""
    currency: Mapped[str] = mapped_column(primary_key=True)
    """Of an amount in minor units; empty: it counts."""
    total: Mapped[int]
    settled_no: Mapped[int | None]
    """Of a base in money: the decision that settled the period; 0 if its terms settle nothing."""


class TallyPeriod(Base):
    """Since it stands here, all partners' tallies of a name and period are kept in a program."""

    __tablename__ = "tally_periods"

    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id"), primary_key=True)
    program_id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    period: Mapped[str] = mapped_column(primary_key=True)
