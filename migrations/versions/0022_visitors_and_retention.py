"""What a click keeps of its visitor, for how long, and impressions beside clicks"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Constant defaults are not written into the rows: each table is locked for a moment only.
    op.add_column("clicks", sa.Column("visitor", sa.BigInteger(), nullable=True))
    op.add_column(
        "clicks",
        sa.Column("class_reason", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
    )
    op.add_column("clicks", sa.Column("country", sa.Text(), nullable=True))
    op.add_column("clicks", sa.Column("network", postgresql.CIDR(), nullable=True))
    for table in ("agents", "referrers"):
        op.add_column(
            table,
            sa.Column("seen_on", sa.Date(), server_default=sa.text("CURRENT_DATE"), nullable=False),
        )
    for table in ("programs", "links"):
        op.add_column(
            table,
            sa.Column(
                "keeps_network", sa.Boolean(), server_default=sa.text("false"), nullable=False
            ),
        )
    op.add_column(
        "workspaces",
        sa.Column(
            "click_retention_days", sa.Integer(), server_default=sa.text("395"), nullable=False
        ),
    )
    op.create_check_constraint(
        op.f("ck_workspaces_click_retention_days"),
        "workspaces",
        "click_retention_days BETWEEN 7 AND 3660",
    )
    op.add_column("workspaces", sa.Column("fallback", sa.Text(), nullable=True))
    op.create_table(
        "visitor_salts",
        sa.Column("on_day", sa.Date(), nullable=False),
        sa.Column("sealed_salt", postgresql.BYTEA(), nullable=False),
        sa.Column(
            "made_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("on_day", name=op.f("pk_visitor_salts")),
        # So that no write-ahead log, replica or physical backup ever has one.
        prefixes=["UNLOGGED"],
    )
    op.create_table(
        "link_impressions",
        sa.Column("link_id", sa.Uuid(), nullable=False),
        sa.Column("on_day", sa.Date(), nullable=False),
        sa.Column("traffic_class", sa.SmallInteger(), nullable=False),
        sa.Column("impressions", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "link_id", "on_day", "traffic_class", name=op.f("pk_link_impressions")
        ),
    )


def downgrade() -> None:
    op.drop_table("link_impressions")
    op.drop_table("visitor_salts")
    op.drop_column("workspaces", "fallback")
    op.drop_column("workspaces", "click_retention_days")
    for table in ("links", "programs"):
        op.drop_column(table, "keeps_network")
    for table in ("referrers", "agents"):
        op.drop_column(table, "seen_on")
    for name in ("network", "country", "class_reason", "visitor"):
        op.drop_column("clicks", name)
