"""How far retention has removed each workspace's clicks"""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "click_retention",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("cleared_to", sa.Date(), nullable=False),
        sa.Column("clearing_from", sa.Date(), nullable=True),
        sa.PrimaryKeyConstraint("workspace_id", name=op.f("pk_click_retention")),
    )


def downgrade() -> None:
    op.drop_table("click_retention")
