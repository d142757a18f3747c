"""Customers joined by equal e-mails where a workspace wants it; codes made after their first use"""

import sqlalchemy as sa
from alembic import op

revision = "0049"
down_revision = "0047"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "workspaces", sa.Column("joins_emails_since", sa.DateTime(timezone=True), nullable=True)
    )
    op.add_column(
        "event_bodies",
        sa.Column("joins_email", sa.Boolean(), server_default=sa.false(), nullable=False),
    )
    # An erased alias keeps its namespace. What is there fits: it passed the stricter check.
    op.drop_constraint(op.f("ck_customer_names_alias"), "customer_names", type_="check")
    op.execute(
        "ALTER TABLE customer_names ADD CONSTRAINT ck_customer_names_alias"
        " CHECK (external_id IS NULL OR namespace IS NOT NULL) NOT VALID"
    )
    op.create_table(
        "code_news",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("after_id", sa.Uuid(), nullable=True),
        sa.Column(
            "noted_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_code_news_workspace_id")
        ),
        sa.PrimaryKeyConstraint("workspace_id", "id", name=op.f("pk_code_news")),
    )


def downgrade() -> None:
    op.drop_table("code_news")
    op.execute("UPDATE customer_names SET namespace = NULL WHERE external_id IS NULL")
    op.drop_constraint(op.f("ck_customer_names_alias"), "customer_names", type_="check")
    op.create_check_constraint(
        op.f("ck_customer_names_alias"),
        "customer_names",
        "(namespace IS NULL) = (external_id IS NULL)",
    )
    op.drop_column("event_bodies", "joins_email")
    op.drop_column("workspaces", "joins_emails_since")
