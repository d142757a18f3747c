"""The sub-ids that visitors bring, with the click"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("clicks", sa.Column("subs", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("clicks", "subs")
