"""Bulk imports: one row a file with its counts and sums, and what was wrong in which row"""

from datetime import datetime

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0040"
down_revision = "0030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "imports",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("program_id", sa.Uuid(), nullable=False),
        sa.Column("key_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("dry_run", sa.Boolean(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("problem", sa.Text(), nullable=False),
        *(
            sa.Column(name, sa.BigInteger(), nullable=False)
            for name in ("rows", "created", "unchanged", "failed")
        ),
        sa.Column("sums", postgresql.JSONB(), nullable=False),
        _at("created_at"),
        _at("touched_at"),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "kind IN ('partners', 'links', 'customers', 'sales')", name=op.f("ck_imports_kind")
        ),
        sa.CheckConstraint(
            "state IN ('running', 'done', 'stopped')", name=op.f("ck_imports_state")
        ),
        *(
            sa.ForeignKeyConstraint([column], [f"{table}.id"], name=op.f(f"fk_imports_{column}"))
            for column, table in (
                ("workspace_id", "workspaces"),
                ("program_id", "programs"),
                ("key_id", "api_keys"),
            )
        ),
        sa.PrimaryKeyConstraint("workspace_id", "id", name=op.f("pk_imports")),
    )
    op.create_index(
        "ix_imports_workspace_id_created_at", "imports", ["workspace_id", "created_at", "id"]
    )
    op.create_table(
        "import_errors",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("import_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("line", sa.BigInteger(), nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("problem", sa.Text(), nullable=False),
        sa.Column("remedy", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id", "import_id"],
            ["imports.workspace_id", "imports.id"],
            name="fk_import_errors_import",
        ),
        sa.PrimaryKeyConstraint(
            "workspace_id", "import_id", "number", name=op.f("pk_import_errors")
        ),
    )


def downgrade() -> None:
    op.drop_table("import_errors")
    op.drop_table("imports")


def _at(name: str) -> sa.Column[datetime]:
    return sa.Column(name, sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False)
