"""Programs say whether their terms are public, and the least LTV:CAC that they accept"""

import sqlalchemy as sa
from alembic import op

revision = "0054"
down_revision = "0051"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "programs",
        sa.Column("terms_public", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    )
    op.add_column(
        "programs",
        sa.Column("ltv_cac_floor", sa.BigInteger(), server_default=sa.text("400"), nullable=False),
    )


def downgrade() -> None:
    op.drop_column("programs", "ltv_cac_floor")
    op.drop_column("programs", "terms_public")
