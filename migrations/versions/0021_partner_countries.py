"""A partner's country is dated: a sale is read against the one of its own time"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "partner_countries",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("partner_id", sa.Uuid(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("country", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["partner_id"],
            ["partners.id"],
            name=op.f("fk_partner_countries_partner_id"),
        ),
        sa.PrimaryKeyConstraint(
            "workspace_id", "partner_id", "since", name=op.f("pk_partner_countries")
        ),
    )
    op.execute(
        "INSERT INTO partner_countries (workspace_id, partner_id, since, country)"
        " SELECT workspace_id, id, created_at, country FROM partners"
    )


def downgrade() -> None:
    op.drop_table("partner_countries")
