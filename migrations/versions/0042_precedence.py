"""What goes before what when several point to a customer: each workspace's own, dated"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0042"
down_revision = "0040"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "workspace_precedences",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ranks", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name=op.f("fk_workspace_precedences_workspace_id"),
        ),
        sa.PrimaryKeyConstraint("workspace_id", "since", name=op.f("pk_workspace_precedences")),
    )


def downgrade() -> None:
    op.drop_table("workspace_precedences")
