"""Bulk imports: how far each is, what it added up to, and what was wrong in which row."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, func
from sqlalchemy.orm import Mapped, mapped_column

from app.db.tables.base import Base, Json


class Import(Base):
    """One file. Its rows are not kept; what they say stands where it belongs."""

    __tablename__ = "imports"
    __table_args__ = (
        CheckConstraint("kind IN ('partners', 'links', 'customers', 'sales')", name="kind"),
        CheckConstraint("state IN ('running', 'done', 'stopped')", name="state"),
        Index("ix_imports_workspace_id_created_at", "workspace_id", "created_at", "id"),
    )

    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id"), primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    program_id: Mapped[UUID] = mapped_column(ForeignKey("programs.id"))
    key_id: Mapped[UUID] = mapped_column(ForeignKey("api_keys.id"))
    """By whose key."""
    kind: Mapped[str]
    dry_run: Mapped[bool]
    state: Mapped[str]
    problem: Mapped[str]
    """Why it stopped before the file's end; empty: it did not."""
    rows: Mapped[int]
    created: Mapped[int]
    unchanged: Mapped[int]
    failed: Mapped[int]
    sums: Mapped[Json]
    """{currency: [rows of the file, their minor units, rows that are in, their minor units]}"""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    touched_at: Mapped[datetime] = mapped_column(server_default=func.now())
    """When its last rows were done; one that runs and is not touched has died."""
    finished_at: Mapped[datetime | None]


class ImportProblem(Base):
    """One thing wrong in one row. It names places, never what stood there."""

    __tablename__ = "import_errors"
    __table_args__ = (
        ForeignKeyConstraint(
            ["workspace_id", "import_id"],
            ["imports.workspace_id", "imports.id"],
            name="fk_import_errors_import",
        ),
    )

    workspace_id: Mapped[UUID] = mapped_column(primary_key=True)
    import_id: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    """From 1, in the order of the file."""
    line: Mapped[int]
    """Where the row begins in the file."""
    field: Mapped[str]
    """Its column; empty: the row as a whole."""
    problem: Mapped[str]
    remedy: Mapped[str]
